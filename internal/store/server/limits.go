package server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// maxDrain is what is read of a refused body, so that its sender gets to read why: one
	// whose connection is closed while it sends learns nothing.
	maxDrain           = 64 << 20
	maxDrainOfStranger = 1 << 20 // of one whose signature is not good

	strangerPatience = 10 * time.Second // for all that a request without a good signature may take
	unaskedPatience  = time.Second      // for a body that was refused before it was sent

	// leastRate is the bytes a second that a body must move at, over its whole length: a client
	// that sends a byte a minute holds up as much as one that sends none.
	leastRate = 4 << 10
	// sendStep is what is sent between two looks at the clock: at the least rate, it takes a minute.
	sendStep = 256 << 10
)

// client is the other end of one request. It may be slow, but not silent: it has a deadline
// that moves on with each step of either body.
type client struct {
	http.ResponseWriter // that moves the deadline on
	control             *http.ResponseController
	patience            time.Duration
	known               bool // the signature is good
	begun               time.Time
	body                *pacedBody // nil when the request has none
	sent                int64

	place   func()       // gives the place of the request back; nil: it has none
	waiting atomic.Int64 // since when the server waits for this client, in ns; 0: it does not
	cut     atomic.Bool  // to make room for others
}

// attend gives a request's client its deadlines. The request that it returns is a copy, because
// net/http looks at the body of its own to find out whether the client still waits to be asked
// for it.
func (s *Server) attend(w http.ResponseWriter, r *http.Request) (*client, *http.Request) {
	c := &client{ResponseWriter: w, control: http.NewResponseController(w), patience: s.patience, begun: time.Now()}
	c.renew() // the last request's may be over
	r = r.WithContext(r.Context())
	r.Header = r.Header.Clone()
	if r.Body != nil && r.Body != http.NoBody {
		c.body = &pacedBody{ReadCloser: r.Body, client: c, waits: r.Header.Get("Expect") != ""}
		r.Body = c.body
		// Else net/http would wait for the rest of a body before it sends the answer.
		_ = c.control.EnableFullDuplex()
	}
	return c, r
}

// deadline is when a client that has moved so many bytes since it began must have moved another.
func (c *client) deadline(since time.Time, moved int64) time.Time {
	if !c.known {
		return since.Add(min(c.patience, strangerPatience))
	}
	last := since.Add(2*c.patience + time.Duration(float64(moved)/leastRate*float64(time.Second)))
	if next := time.Now().Add(c.patience); next.Before(last) {
		return next
	}
	return last
}

func (c *client) renew() { c.control.SetWriteDeadline(time.Now().Add(c.patience)) }

func (c *client) step() (done func()) {
	if c.sent == 0 {
		c.begun = time.Now()
		if c.place != nil { // what is left is up to the client, and takes no more than its connection
			c.place()
		}
	}
	c.control.SetWriteDeadline(c.deadline(c.begun, c.sent))
	return c.waits()
}

// waits notes that the server waits for the client from now on; the result ends it.
func (c *client) waits() (done func()) {
	c.waiting.Store(time.Now().UnixNano())
	if c.cut.Load() {
		c.hangUpNow()
	}
	return func() { c.waiting.Store(0) }
}

// stalled is for how long the server has waited for the client. What the server itself takes its
// time for does not count.
func (c *client) stalled(now time.Time) time.Duration {
	since := c.waiting.Load()
	if since == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, since))
}

// hangUpNow ends what waits for the client. Other goroutines may call it.
func (c *client) hangUpNow() {
	c.cut.Store(true)
	c.control.SetReadDeadline(time.Unix(1, 0))
	c.control.SetWriteDeadline(time.Unix(1, 0))
}

// Unwrap shows net/http its own writer.
func (c *client) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *client) Write(b []byte) (int, error) {
	defer c.step()()
	n, err := c.ResponseWriter.Write(b)
	c.sent += int64(n)
	return n, err
}

// ReadFrom sends files within the kernel, as net/http does when it is shown a plain
// LimitedReader of a file.
func (c *client) ReadFrom(r io.Reader) (sent int64, err error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, r)
	}
	for limited.N > 0 && err == nil {
		done := c.step()
		step := &io.LimitedReader{R: limited.R, N: min(limited.N, sendStep)}
		want := step.N
		var n int64
		n, err = io.Copy(c.ResponseWriter, step)
		done()
		sent, limited.N, c.sent = sent+n, limited.N-n, c.sent+n
		if n < want {
			break
		}
	}
	return sent, err
}

// leave sends the answer, and reads the rest of the body for as long as its sender keeps up, so
// that it gets to read the answer.
func (c *client) leave() {
	defer c.renew() // net/http sends the rest of the answer now
	b := c.body
	if b == nil || b.ended {
		return
	}
	if !b.silent && (!b.waits || b.asked) {
		c.control.Flush()
		limit := int64(maxDrainOfStranger)
		if c.known {
			limit = maxDrain
		}
		_, _ = io.CopyN(io.Discard, b, limit)
	}
	if !b.ended {
		c.hangUp()
		// First net/http looks for the end of the body.
		c.control.SetReadDeadline(time.Now().Add(min(c.patience, unaskedPatience)))
	}
}

// hangUp has net/http close the connection after the answer, and not at once, so that the other
// end gets to read it. What is left of the body must not be taken for a request.
func (c *client) hangUp() {
	over := http.MaxBytesReader(c.ResponseWriter, io.NopCloser(strings.NewReader("x")), 0)
	_, _ = over.Read(make([]byte, 1))
}

// pacedBody is a request's body with a deadline for each step.
type pacedBody struct {
	io.ReadCloser
	client *client
	waits  bool // to be asked for the body, with 100 Continue
	asked  bool // by the first Read
	silent bool // for longer than the patience
	ended  bool // net/http watches now whether the client is still there
	begun  time.Time
	got    int64
}

func (b *pacedBody) Read(p []byte) (int, error) {
	control := b.client.control
	if !b.asked {
		b.asked, b.begun = true, time.Now()
	}
	if !b.ended {
		control.SetReadDeadline(b.client.deadline(b.begun, b.got))
	}
	done := b.client.waits()
	n, err := b.ReadCloser.Read(p)
	done()
	b.got += int64(n)
	b.silent = b.silent || errors.Is(err, os.ErrDeadlineExceeded)
	if err == io.EOF && !b.ended {
		b.ended = true
		control.SetReadDeadline(time.Time{})
	}
	return n, err
}
