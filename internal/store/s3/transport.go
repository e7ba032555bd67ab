package s3

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"templar/internal/store"
)

// maxResponseHeader holds the metadata of any object of ours many times.
const maxResponseHeader = 64 << 10

func (d *Dialer) newTransport() *http.Transport {
	o := d.options
	dialer := net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &watchedConn{Conn: c, stall: o.StallTimeout}, c.SetDeadline(time.Now().Add(o.StallTimeout))
		},
		TLSHandshakeTimeout:   o.ConnectTimeout,
		ResponseHeaderTimeout: o.HeaderTimeout,
		// A gather asks hundreds of servers of strangers at once: by default each could make this
		// node hold 10 MB.
		MaxResponseHeaderBytes: maxResponseHeader,
		MaxIdleConnsPerHost:    o.IdlePerHost,
		IdleConnTimeout:        min(30*time.Second, o.StallTimeout/2),
		// Announced lengths are lengths of objects: nothing may unpack them.
		DisableCompression: true,
	}
}

// watchedConn fails when for too long nothing goes either way. What goes one way counts
// for both: while a body is sent, the answer is being waited for.
type watchedConn struct {
	net.Conn
	stall time.Duration
}

func (c *watchedConn) Read(p []byte) (int, error)  { return c.moved(c.Conn.Read(p)) }
func (c *watchedConn) Write(p []byte) (int, error) { return c.moved(c.Conn.Write(p)) }

func (c *watchedConn) moved(n int, err error) (int, error) {
	if n > 0 && err == nil {
		err = c.Conn.SetDeadline(time.Now().Add(c.stall))
	}
	return n, err
}

const (
	maxErrorBody = 64 << 10
	maxListBody  = 8 << 20 // a page is 1000 keys of up to 1 KiB, percent-encoded
)

// errPage keeps a page of a proxy or of a network's sign-in, which comes with status 200,
// from passing for an empty listing or a stored object.
var errPage = errors.New("an HTML page in place of a store's answer: is a proxy in between?")

// boundedTransport cuts off what the client library would read without a bound: error
// documents and listings. Object bodies are the adapter's to bound. It ends the call of a
// request that the library would try again.
type boundedTransport struct{ http.RoundTripper }

func (t boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(req)
	var plain tls.RecordHeaderError // of which the HTTP client knows better words
	if errors.As(err, &plain) {
		return nil, err
	}
	if err != nil {
		return nil, fail(req.Context(), err)
	}
	refineDate(resp.Header)
	switch q := req.URL.Query(); {
	case retried(resp.StatusCode):
		return nil, fail(req.Context(), refused(resp))
	case req.Method == http.MethodDelete && resp.StatusCode < 300 && resp.StatusCode != http.StatusNoContent:
		resp.Body.Close()
		return nil, fail(req.Context(), errNoStore)
	case resp.StatusCode >= 300:
		resp.Body = cut(resp.Body, maxErrorBody)
	case req.Method != http.MethodGet || q.Has("list-type") || q.Has("uploads") || q.Has("uploadId"):
		if req.Method != http.MethodHead && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			resp.Body.Close()
			return nil, fail(req.Context(), errPage)
		}
		resp.Body = cut(resp.Body, maxListBody)
	}
	return resp, nil
}

// refineDate adds the milliseconds that the embedded server reports to Last-Modified, which the library
// parses with or without them. A header that contradicts Last-Modified is not believed.
func refineDate(h http.Header) {
	whole, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return
	}
	fine, err := time.Parse(store.DateFormat, h.Get(store.DateHeader))
	if err == nil && fine.Truncate(time.Second).Equal(whole) {
		h.Set("Last-Modified", fine.Format("Mon, 02 Jan 2006 15:04:05.000 GMT"))
	}
}

// retried tells the statuses after which the library would try again.
func retried(status int) bool {
	return status >= 500 && status != http.StatusNotImplemented || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status == 499
}

// refused is what the library makes of an error document.
func refused(resp *http.Response) error {
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil {
		return err
	}
	var e minio.ErrorResponse
	if xml.Unmarshal(b, &e) != nil {
		e = minio.ErrorResponse{Code: resp.Status, Message: string(b)}
	}
	e.StatusCode = resp.StatusCode
	return e
}

func cut(body io.ReadCloser, n int64) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(body, n), body}
}
