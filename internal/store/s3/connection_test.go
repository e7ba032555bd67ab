package s3_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"templar/internal/store"
	"templar/internal/store/s3"
)

// connections counts those of a server.
type connections struct {
	mu           sync.Mutex
	opened, open int
}

func (c *connections) count(_ net.Conn, s http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s {
	case http.StateNew:
		c.opened++
		c.open++
	case http.StateClosed, http.StateHijacked:
		c.open--
	}
}

// want waits until so many connections have been opened, and so many of them are open.
func (c *connections) want(t *testing.T, opened, open int) {
	t.Helper()
	for tick, end := time.Tick(time.Millisecond), time.After(time.Minute); ; {
		c.mu.Lock()
		gotOpened, gotOpen := c.opened, c.open
		c.mu.Unlock()
		if gotOpened == opened && gotOpen == open {
			return
		}
		select {
		case <-tick:
		case <-end:
			t.Fatalf("%d connections opened, %d open; want %d and %d", gotOpened, gotOpen, opened, open)
		}
	}
}

// TestClientIsMadeAgainAfterAFault: connections are kept from call to call, and let go
// of, all of the credential's and nobody else's, once one of them broke.
func TestClientIsMadeAgainAfterAFault(t *testing.T) {
	const n = 3
	var together sync.WaitGroup // n calls, each on a connection of its own
	count := new(connections)
	h := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "together"):
			together.Done()
			together.Wait()
		case strings.HasSuffix(r.URL.Path, "cut"):
			answer(200, "half", "Content-Length", "8")(w, r)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		answer(200, "", "Content-Length", "8", "ETag", `"e"`)(w, r)
	}))
	h.Config.ConnState = count.count
	h.Start()
	defer h.Close()
	d := dialer(t)
	b := dial(t, d, h.URL, "bucket", "access", "secret")
	other := dial(t, d, h.URL, "bucket", "other", "secret")
	head := func(b store.Bucket, key string) {
		if _, err := b.Head(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
	head(other, "key")
	together.Add(n)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { head(b, "together") })
	}
	wg.Wait()
	head(b, "key")
	count.want(t, 1+n, 1+n)

	body, _, err := b.Get(t.Context(), "cut", 8)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("body that is cut: %v", err)
	}
	body.Close()
	count.want(t, 1+n, 1)
	head(b, "key")
	head(other, "key")
	count.want(t, 1+n+1, 2)
}

// TestEveryCallEnds: whatever a server does not do, and though the caller has set no
// deadline.
func TestEveryCallEnds(t *testing.T) {
	over := make(chan struct{}) // a server does not notice that a caller whose body it does not read has gone
	hang := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}
	drip := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("ETag", `"e"`)
		for tick := time.Tick(10 * time.Millisecond); ; {
			select {
			case <-tick:
				io.WriteString(w, "x")
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
	stall := func(w http.ResponseWriter, r *http.Request) {
		answer(200, "x", "Content-Length", "1000000", "ETag", `"e"`)(w, r)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	full := s3.Options{HeaderTimeout: time.Hour, StallTimeout: time.Hour, CallTimeout: 200 * time.Millisecond, MinRate: 1 << 30}
	stalling := s3.Options{StallTimeout: 200 * time.Millisecond}
	get := func(ctx context.Context, b store.Bucket) error {
		body, _, err := b.Get(ctx, "key", -1)
		if err != nil {
			return err
		}
		defer body.Close()
		_, err = io.ReadAll(body)
		return err
	}
	head := func(ctx context.Context, b store.Bucket) error {
		_, err := b.Head(ctx, "key")
		return err
	}
	list := func(ctx context.Context, b store.Bucket) error {
		_, err := b.List(ctx, "", "", 10)
		return err
	}
	put := func(ctx context.Context, b store.Bucket) error {
		_, err := b.Put(ctx, "key", strings.NewReader(strings.Repeat("x", 32<<20)), 32<<20, store.PutOptions{})
		return err
	}
	for name, c := range map[string]struct {
		options s3.Options
		server  http.HandlerFunc
		call    func(context.Context, store.Bucket) error
	}{
		"no answer to head":        {full, hang, head},
		"no answer to list":        {full, hang, list},
		"a list by drops":          {full, drip, list},
		"a body by drops":          {full, drip, get},
		"a body that stops":        {stalling, stall, get},
		"a body that nobody takes": {stalling, hang, put},
	} {
		t.Run(name, func(t *testing.T) {
			over = make(chan struct{})
			h := httptest.NewServer(c.server)
			defer h.Close()
			defer close(over)
			d := s3.NewDialer(c.options)
			defer d.Close()
			begin := time.Now()
			err := c.call(t.Context(), dial(t, d, h.URL, "bucket", "access", "secret"))
			if !store.Retryable(err) || errors.Is(err, context.Canceled) || time.Since(begin) > 20*time.Second {
				t.Errorf("%v after %v", err, time.Since(begin))
			}
		})
	}
}

// TestAnswersThatAreNoStores: a page that some box on the way answers with is no success.
func TestAnswersThatAreNoStores(t *testing.T) {
	b := against(t, answer(200, "<html>Please log in</html>"))
	u := store.Upload{Key: "key", ID: "id"}
	_, errPut := b.Put(t.Context(), "key", strings.NewReader("x"), 1, store.PutOptions{})
	_, errPart := b.PutPart(t.Context(), u, 1, strings.NewReader("x"), 1)
	_, errCreate := b.CreateUpload(t.Context(), "key")
	_, errComplete := b.CompleteUpload(t.Context(), u, []store.Part{{Number: 1, Size: 1, ETag: "e"}}, store.PutOptions{})
	_, errList := b.List(t.Context(), "", "", 10)
	_, errUploads := b.Uploads(t.Context(), "")
	_, errParts := b.Parts(t.Context(), u)
	for name, err := range map[string]error{
		"put": errPut, "put part": errPart, "create upload": errCreate, "complete": errComplete, "list": errList,
		"uploads": errUploads, "parts": errParts, "delete": b.Delete(t.Context(), "key"), "abort": b.AbortUpload(t.Context(), u),
	} {
		if err == nil {
			t.Errorf("%s: taken for done", name)
		}
	}
}
