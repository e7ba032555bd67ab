package mailbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/harness"
	"templar/internal/harness/testnet"
	"templar/internal/mailbox"
	"templar/internal/model"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/internal/store/s3"
	"templar/internal/store/server"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

// site is an S3 server on loopback with a bucket a peer, and a front that may answer in
// its place.
type site struct {
	t       testing.TB
	x       mailbox.Gatherer
	server  *server.Server
	dialer  *s3.Dialer
	front   func(bucket string) http.HandlerFunc // nil: the S3 server answers
	url     string
	conns   atomic.Int64 // open, at the server
	body    method.Payload
	key     store.Key
	ctx     context.Context
	stopped func()
}

func newSite(t testing.TB, p protocol.Params) *site {
	t.Helper()
	run, err := run.New(p, harness.Methods())
	must(t, err)
	s := &site{
		t: t, x: mailbox.Gatherer{Run: run, Schedule: schedule.Schedule{Params: run.Params, Clock: clock.Wall{}}}, dialer: s3.NewDialer(s3.Options{}),
		key: store.Key{AccessKey: "owner", Secret: "owner-secret", Admin: true}, ctx: t.Context(),
	}
	s.body, err = run.Method.Encode(model.Init(p.Model, 1))
	must(t, err)
	s.server, err = server.Open(server.Config{Dir: t.TempDir(), Keys: []server.Key{s.key}})
	must(t, err)
	h := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	h.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.conns.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.conns.Add(-1)
		}
	}
	h.Start()
	s.url = h.URL
	s.stopped = sync.OnceFunc(func() {
		must(t, s.dialer.Close())
		h.Close()
	})
	t.Cleanup(s.stopped)
	return s
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	bucket, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if s.front != nil && r.Method == http.MethodGet {
		if answer := s.front(bucket); answer != nil {
			answer(w, r)
			return
		}
	}
	s.server.Handler().ServeHTTP(w, r)
}

func bucketOf(uid protocol.UID) string { return fmt.Sprintf("peer-%03d", uid) }

// encode is a peer's gradient.
func (s *site) encode(uid protocol.UID) []byte {
	s.t.Helper()
	signer := testnet.Key(s.t, uint64(uid))
	b, err := wire.EncodeGradient(&wire.Gradient{
		Run: s.x.Run.Hash, Window: window, UID: uid, Hotkey: signer.Hotkey(), Pages: []uint64{1}, Tokens: 64, Body: s.body.Bytes(),
	}, s.x.Run.Format(), wire.GradientKey{1}, signer)
	must(s.t, err)
	sealed, _, _ := wire.SplitGradient(b)
	return sealed
}

// peer registers a neuron whose bucket is at an endpoint.
func (s *site) peer(uid protocol.UID, endpoint string) directory.Peer {
	s.t.Helper()
	b, err := s.dialer.Dial(store.Location{Endpoint: endpoint, Bucket: bucketOf(uid), AccessKey: s.key.AccessKey, Secret: s.key.Secret})
	must(s.t, err)
	return directory.Peer{Neuron: chain.Neuron{UID: uid, Hotkey: testnet.Key(s.t, uint64(uid)).Hotkey()}, Bucket: store.ReadOnly(b)}
}

// honest is a peer whose gradient is there; size is the object's.
func (s *site) honest(uid protocol.UID) (p directory.Peer, size int) {
	s.t.Helper()
	p, b := s.peer(uid, s.url), s.encode(uid)
	must(s.t, s.server.CreateBucket(bucketOf(uid)))
	own, err := s.dialer.Dial(store.Location{Endpoint: s.url, Bucket: bucketOf(uid), AccessKey: s.key.AccessKey, Secret: s.key.Secret})
	must(s.t, err)
	_, err = own.Put(s.ctx, protocol.GradientKey(window, uid), bytes.NewReader(b), int64(len(b)), store.PutOptions{})
	must(s.t, err)
	return p, len(b)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stored is when the peers of a test stored what they did.
var stored = time.Now().UTC().Format(http.TimeFormat)

// header is what an S3 server says before a body.
func header(w http.ResponseWriter, size int64) {
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	w.Header().Set("Last-Modified", stored)
	w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
}

// untilGone waits until the client hangs up.
func untilGone(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func hangUp(w http.ResponseWriter, _ *http.Request) {
	if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
		c.Close()
	}
}

// drip sends a byte a second.
func drip(size int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		header(w, size)
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte{0}); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-time.After(time.Second):
			case <-r.Context().Done():
			}
		}
	}
}

// endless10GiB sends zeros for as long as somebody reads.
func endless10GiB(sent *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		header(w, 10<<30)
		for b := make([]byte, 64<<10); ; {
			n, err := w.Write(b)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
}

// cutShort announces more than it sends.
func cutShort(announced int64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		header(w, announced)
		io.WriteString(w, "not all of it")
	}
}

// overrun sends more than it announces.
func overrun(w http.ResponseWriter, _ *http.Request) {
	if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nLast-Modified: %s\r\nETag: \"0\"\r\n\r\nmore than four bytes", stored)
		c.Close()
	}
}

func html(dated bool) http.HandlerFunc {
	const page = "<!DOCTYPE html><title>Log in</title><p>Welcome to the network of this hotel."
	return func(w http.ResponseWriter, _ *http.Request) {
		if dated {
			header(w, int64(len(page)))
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, page)
	}
}

// faults lets requests fail by a fixed draw for each peer's n-th: 30 % of them.
type faults struct {
	mu     sync.Mutex
	draws  map[string]*rand.Rand
	failed int
	kinds  int // a bit each
	asked  int
}

func (f *faults) front(bucket string) http.HandlerFunc {
	const salt = "h "
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.draws[bucket] == nil {
		var seed [32]byte
		copy(seed[:], salt+bucket)
		f.draws[bucket] = rand.New(rand.NewChaCha8(seed))
	}
	kinds := []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) },
		hangUp, cutShort(900), untilGone,
	}
	f.asked++
	draw := f.draws[bucket].Float64() / 0.3
	if draw >= 1 {
		return nil
	}
	f.failed++
	f.kinds |= 1 << int(draw*float64(len(kinds)))
	return kinds[int(draw*float64(len(kinds)))]
}

// Over real HTTP, three requests in ten fail, and one peer each does its worst: all
// honest peers are in before the deadline, each other one has its verdict, and nothing
// is left behind. A busy machine may itself be too slow for the deadline: then with a later one.
func TestGatherUnderFaults(t *testing.T) {
	for total := 4 * time.Second; ; total *= 4 {
		err := gatherUnderFaults(t, total)
		if err == nil {
			return
		}
		if total > time.Minute {
			t.Fatal(err)
		}
		t.Logf("in %v: %v", total, err)
	}
}

func gatherUnderFaults(t *testing.T, total time.Duration) error {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	const honest = 12
	s := newSite(t, testnet.Params())
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer inner.Close()
	gone := httptest.NewServer(nil)
	gone.Close()

	var peers []directory.Peer
	var size int
	for uid := range protocol.UID(honest) {
		var p directory.Peer
		p, size = s.honest(uid)
		peers = append(peers, p)
	}
	var sent atomic.Int64
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inner.URL, http.StatusTemporaryRedirect)
	}
	hostile := []struct {
		name   string
		answer http.HandlerFunc
		want   protocol.Verdict
	}{
		{"dead", nil, protocol.VerdictUnreachable},
		{"silent", untilGone, protocol.VerdictUnreachable},
		{"drip", drip(int64(size)), protocol.VerdictUnreachable},
		{"10 GiB", endless10GiB(&sent), protocol.VerdictTooLarge},
		{"longer than announced", overrun, protocol.VerdictMalformed},
		{"shorter than announced", cutShort(int64(size)), protocol.VerdictUnreachable},
		{"redirect", redirect, protocol.VerdictUnreachable},
		{"web page", html(true), protocol.VerdictMalformed},
		{"web page without a date", html(false), protocol.VerdictUnreachable},
	}
	f := faults{draws: map[string]*rand.Rand{}}
	fronts := map[string]http.HandlerFunc{}
	for i, h := range hostile {
		uid, endpoint := protocol.UID(honest+i), s.url
		if h.answer == nil {
			endpoint = gone.URL
		}
		peers = append([]directory.Peer{s.peer(uid, endpoint)}, peers...) // the hostile ones first in line
		fronts[bucketOf(uid)] = h.answer
	}
	s.front = func(bucket string) http.HandlerFunc {
		if answer := fronts[bucket]; answer != nil {
			return answer
		}
		return f.front(bucket)
	}

	began := time.Now()
	bounds := protocol.Bounds{Min: began.Add(-time.Hour), Max: began.Add(time.Second)}
	got := s.x.Gather(t.Context(), window, peers, bounds, began.Add(total))
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if took := time.Since(began); took > total+total/4 {
		fault("took %v, the deadline was after %v", took, total)
	}
	for _, p := range got {
		uid, want, name := p.Peer.UID, protocol.VerdictOK, "honest"
		if uid >= honest {
			want, name = hostile[uid-honest].want, hostile[uid-honest].name
		}
		if p.Verdict != want {
			fault("uid %d, %s: %v, want %v", uid, name, p.Verdict, want)
		}
		if want.OK() && p.Duration > total {
			fault("uid %d came after %v", uid, p.Duration)
		}
		t.Logf("uid %2d %-24s %-12v %d attempts, %6d bytes, %v", uid, name, p.Verdict, p.Attempts, p.Bytes, p.Duration.Round(time.Millisecond))
	}
	t.Logf("%d of %d requests to honest peers failed", f.failed, f.asked)
	if f.kinds != 31 {
		fault("not all kinds of fault were drawn: %b", f.kinds)
	}
	if n := sent.Load(); n > 64<<20 {
		t.Errorf("%d bytes of a body that is too large were taken", n)
	}
	s.stopped()
	for end := time.Now().Add(time.Minute); s.conns.Load() > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d connections left", s.conns.Load())
		}
		<-time.After(10 * time.Millisecond)
	}
	return errors.Join(errs...)
}
