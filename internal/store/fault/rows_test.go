package fault_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"templar/internal/store"
	"templar/internal/store/fault"
)

// middle lies within the body of whatever has one: 256 KiB up or down.
const middle = 100_000

// Layers that find what no store can tell of.
const (
	byWire   = "the digest in each message (package wire; see TestGatherFindsDamage, and mailbox.TestGatherUnderFaults); the digest of the whole (package transfer)"
	byTheGet = "the Get that follows, which is held against its own announcement"
)

func wireRows() []row {
	rows := []row{
		{name: "refused", wire: &wireFault{refuse: true}, want: all(failed)},
		{name: "latency", wire: &wireFault{latency: 50 * time.Millisecond}},
		{name: "bit flipped on the way up", wire: &wireFault{up: wireCut{middle, "flip"}},
			once: true, want: only(nil, "put", failed, "create", failed, "upload", failed)}, // Content-MD5, at the server
		{name: "bit flipped on the way down", wire: &wireFault{down: wireCut{middle, "flip"}},
			want: only(nil, "get", wrong, "range", wrong), caught: byWire},
	}
	for _, how := range []string{"fin", "rst"} {
		rows = append(rows,
			row{name: "cut at once by " + how, wire: &wireFault{up: wireCut{0, how}}, want: all(failed)},
			row{name: "cut in the body up by " + how, wire: &wireFault{up: wireCut{middle, how}}, want: only(nil, "put", failed, "create", failed, "upload", failed)},
			row{name: "cut in the header down by " + how, wire: &wireFault{down: wireCut{10, how}}, want: all(failed)},
			row{name: "cut in the body down by " + how, wire: &wireFault{down: wireCut{middle, how}}, want: only(nil, "get", failed, "range", failed)},
		)
	}
	return append(rows,
		row{name: "stalled at once", silent: true, wire: &wireFault{up: wireCut{0, "stall"}}, want: all(failed)},
		row{name: "stalled in the body up", silent: true, wire: &wireFault{up: wireCut{middle, "stall"}}, want: only(nil, "put", failed, "create", failed, "upload", failed)},
		row{name: "stalled in the body down", wire: &wireFault{down: wireCut{middle, "stall"}}, want: only(nil, "get", late, "range", late)},
	)
}

type httpFault = func(w http.ResponseWriter, r *http.Request, real http.Handler)

// answers in place of the server.
func answers(status int, code string) httpFault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
	}
}

func html(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/html")
	io.WriteString(w, "<html><body>Sign in to the hotel's network</body></html>")
}

// tampered lets the server answer, and changes what is sent of it.
func tampered(change func(w http.ResponseWriter, r *http.Request, body string)) httpFault {
	return func(w http.ResponseWriter, r *http.Request, real http.Handler) {
		rec := httptest.NewRecorder()
		real.ServeHTTP(rec, r)
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		body := rec.Body.String()
		if w.Header().Get("Content-Length") == "" {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
		if rec.Code != http.StatusOK && rec.Code != http.StatusPartialContent {
			w.Header().Del("Content-Length")
			w.WriteHeader(rec.Code)
			return
		}
		change(statusOnce{w, rec.Code}, r, body)
	}
}

type statusOnce struct {
	http.ResponseWriter
	code int
}

// grown announces by more bytes than there are; by less, and sends no more than that.
func grown(by int) httpFault {
	return tampered(func(w http.ResponseWriter, r *http.Request, body string) {
		n, _ := strconv.Atoi(w.Header().Get("Content-Length"))
		w.Header().Set("Content-Length", strconv.Itoa(max(0, n+by)))
		w.WriteHeader(w.(statusOnce).code)
		io.WriteString(w, body[:max(0, min(len(body), n+by))])
	})
}

func drip(w http.ResponseWriter, r *http.Request, body string) {
	w.WriteHeader(w.(statusOnce).code)
	for _, c := range []byte(body) {
		if _, err := w.Write([]byte{c}); err != nil {
			return
		}
		w.(statusOnce).ResponseWriter.(http.Flusher).Flush()
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
			return
		}
	}
}

// endless announces 10 GiB of an object and sends them for as long as somebody reads. What
// becomes of endless listings, package s3 tests.
func endless(w http.ResponseWriter, r *http.Request, body string) {
	if q := r.URL.Query(); len(q) > 0 || r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.WriteHeader(w.(statusOnce).code)
		io.WriteString(w, body)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(10<<30))
	w.WriteHeader(w.(statusOnce).code)
	filler := strings.Repeat("x", 64<<10)
	for sent := 0; sent < 10<<30 && r.Method != http.MethodHead; sent += len(filler) {
		if _, err := io.WriteString(w, filler); err != nil {
			return
		}
	}
}

func httpRows(t *testing.T) []row {
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed to an internal address") }))
	t.Cleanup(inner.Close)
	redirect := func(status int) httpFault {
		return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, inner.URL+"/latest/meta-data", status)
		}
	}
	return []row{
		{name: "500", http: answers(500, "InternalError"), want: all(failed)},
		{name: "503", http: answers(503, "SlowDown"), want: all(failed)},
		{name: "429", http: answers(429, "TooManyRequests"), want: all(failed)},
		{name: "403", http: answers(403, "AccessDenied"), want: all(denied)},
		{name: "404", http: answers(404, "NoSuchKey"), want: all(notFound)},
		{name: "redirect 302", http: redirect(302), want: all(invalid)},
		{name: "redirect 307", http: redirect(307), want: all(invalid)},
		{name: "HTML", http: html, want: all(failed)},
		{name: "10 GiB", http: tampered(endless), want: only(nil, "head", wrong, "get", tooLarge, "range", invalid), caught: byTheGet},
		{name: "1 byte a second", http: tampered(drip), want: only(nil, "get", late, "range", late, "list", late, "upload", late)},
		{name: "announced longer", http: grown(10), want: only(nil, "head", wrong, "get", failed, "range", invalid,
			"upload", failed+"|"+notFound), caught: byTheGet}, /* completed at the first try, and its answer broken */
		{name: "announced shorter", http: grown(-10), want: only(nil, "head", wrong, "get", wrong, "range", wrong, "list", failed, "upload", failed), caught: byWire},
	}
}

// callRows are the decorator's own faults.
func callRows() []row {
	f := func(f fault.Fault) *fault.Fault { return &f }
	return []row{
		{name: "none", call: f(fault.Fault{})},
		{name: "delay", call: f(fault.Fault{Delay: 20 * time.Millisecond})},
		{name: "hang", call: f(fault.Fault{Hang: true}), want: all(late)},
		{name: "error", call: f(fault.Fault{Err: fault.ErrReset}), want: all(failed)},
		{name: "denied", call: f(fault.Fault{Err: store.ErrDenied}), want: all(denied)},
		{name: "error, yet done", call: f(fault.Fault{Err: fault.ErrReset, Persist: true}), want: all(failed)},
		{name: "truncated", call: f(fault.Fault{Damage: fault.Truncate, At: middle}),
			want: only(nil, "get", failed, "range", failed, "put", wrong, "create", wrong, "upload", wrong), caught: byWire},
	}
}
