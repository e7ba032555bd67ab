package server

import (
	"io"
	"net/http"
	"time"
)

const (
	// maxDrain is what is read of a refused body, so that its sender gets to read why: a
	// connection that is closed while it sends tells it nothing.
	maxDrain       = 64 << 20
	maxDrainOfAnon = 1 << 20 // of one whose signature is not good

	// sendStep is what is sent between two looks at the clock.
	sendStep = 4 << 20
)

// pace gives the client of one request a deadline that moves on with each step of either
// body: slow it may be, silent not. It replaces r.Body and returns the writer to answer to.
func (s *Server) pace(w http.ResponseWriter, r *http.Request) *pacedWriter {
	p := &pacedWriter{ResponseWriter: w, control: http.NewResponseController(w), patience: s.patience}
	p.renew() // the last request's may be over
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &pacedBody{r.Body, p}
	}
	return p
}

type pacedWriter struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

func (p *pacedWriter) renew() { p.control.SetWriteDeadline(time.Now().Add(p.patience)) }

func (p *pacedWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *pacedWriter) Write(b []byte) (int, error) {
	p.renew()
	return p.ResponseWriter.Write(b)
}

// ReadFrom sends files within the kernel, as net/http does when it is shown a plain
// LimitedReader of a file.
func (p *pacedWriter) ReadFrom(r io.Reader) (sent int64, err error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		return io.Copy(struct{ io.Writer }{p}, r)
	}
	for limited.N > 0 && err == nil {
		p.renew()
		step := &io.LimitedReader{R: limited.R, N: min(limited.N, sendStep)}
		want := step.N
		var n int64
		n, err = io.Copy(p.ResponseWriter, step)
		sent, limited.N = sent+n, limited.N-n
		if n < want {
			break
		}
	}
	return sent, err
}

type pacedBody struct {
	io.ReadCloser
	pacedWriter *pacedWriter
}

func (b *pacedBody) Read(p []byte) (int, error) {
	control := b.pacedWriter.control
	control.SetReadDeadline(time.Now().Add(b.pacedWriter.patience))
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF { // from here on net/http watches whether the client is still there
		control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// drain reads what is left of a body, up to n bytes.
func drain(r *http.Request, body io.Reader, n int64) {
	if body == nil || r.Header.Get("Expect") != "" { // it waits to be asked
		return
	}
	io.CopyN(io.Discard, body, n)
}
