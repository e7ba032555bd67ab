package s3

import (
	"io"
	"net/http"
)

const (
	maxErrorBody = 64 << 10
	maxListBody  = 8 << 20 // a page is 1000 keys of up to 1 KiB, percent-encoded
)

// boundedTransport cuts off what the client library would read without a bound:
// error documents and listings. Object bodies are the adapter's to bound.
type boundedTransport struct{ http.RoundTripper }

func (t boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode >= 300:
		resp.Body = cut(resp.Body, maxErrorBody)
	case req.Method != http.MethodGet || req.URL.Query().Has("list-type"):
		resp.Body = cut(resp.Body, maxListBody)
	}
	return resp, nil
}

func cut(body io.ReadCloser, n int64) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(body, n), body}
}
