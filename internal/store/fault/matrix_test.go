package fault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/fault"
	"templar/internal/store/s3"
	"templar/internal/store/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Outcomes of an operation, as the matrix has them.
const (
	right    = "right"     // no error, and the truth
	wrong    = "WRONG"     // no error, and not the truth
	failed   = "fault"     // an error that is worth a retry
	late     = "deadline"  // the context's deadline, kept
	notFound = "not-found" // the errors that the port names
	denied   = "denied"
	tooLarge = "too-large"
	invalid  = "invalid"
)

func outcome(ctx context.Context, err error) string {
	if err != nil && ctx.Err() != nil {
		return late
	}
	for _, c := range []struct {
		err  error
		name string
	}{{store.ErrNotFound, notFound}, {store.ErrDenied, denied}, {store.ErrTooLarge, tooLarge}, {store.ErrInvalid, invalid}} {
		if errors.Is(err, c.err) {
			return c.name
		}
	}
	if err != nil {
		return failed
	}
	return right
}

const (
	bodySize = 256 << 10

	// Deadlines of a cell: a short one where its end is the outcome, and else one that a
	// busy machine keeps.
	soon, patience = time.Second, 2 * time.Minute
	slack          = 30 * time.Second // for the scheduler to notice
)

// bodyOf is the object that belongs under key.
func bodyOf(key string) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%-63s\n", key), bodySize/64)
}

var listed = []string{"old-1", "old-2", "old-3"}

// cell is one fault at one operation through one stack of decorators.
type cell struct {
	ctx    context.Context
	key    string       // of its own, to write
	bucket store.Bucket // the stack
	direct store.Bucket // past all faults
	again  int          // how often a reader asks again for a body that broke off
}

// matrixOps do one operation and say what came of it. Reads are held against the truth
// themselves; what writes left behind is looked at past all faults.
var matrixOps = []struct {
	name string
	run  func(cell) (string, error)
}{
	{"head", func(c cell) (string, error) {
		i, err := c.bucket.Head(c.ctx, listed[0])
		if err == nil && (i.Size != bodySize || i.Key != listed[0]) {
			return wrong, nil
		}
		return outcome(c.ctx, err), err
	}},
	{"get", func(c cell) (string, error) {
		return c.read(bodyOf(listed[0]), func() (io.ReadCloser, error) {
			r, _, err := c.bucket.Get(c.ctx, listed[0], 2*bodySize)
			return r, err
		})
	}},
	{"range", func(c cell) (string, error) {
		return c.read(bodyOf(listed[0])[1000:201000], func() (io.ReadCloser, error) {
			return c.bucket.GetRange(c.ctx, listed[0], 1000, 200000, "")
		})
	}},
	{"list", func(c cell) (string, error) {
		infos, err := c.bucket.List(c.ctx, "old-", "", 10)
		if err == nil && keys(infos) != strings.Join(listed, " ") {
			return wrong, fmt.Errorf("listed %q", keys(infos))
		}
		return outcome(c.ctx, err), err
	}},
	{"put", func(c cell) (string, error) { return c.put(store.PutOptions{}) }},
	{"create", func(c cell) (string, error) { return c.put(store.PutOptions{IfAbsent: true}) }},
	{"upload", func(c cell) (string, error) {
		return c.stores(func(body io.ReaderAt) error {
			u, err := c.bucket.CreateUpload(c.ctx, c.key)
			if err != nil {
				return err
			}
			p, err := c.bucket.PutPart(c.ctx, u, 1, body, bodySize)
			if err != nil {
				return err
			}
			_, err = c.bucket.CompleteUpload(c.ctx, u, []store.Part{p}, store.PutOptions{})
			return err
		})
	}},
	{"delete", func(c cell) (string, error) {
		key := c.key + "-gone"
		if _, err := c.direct.Put(context.WithoutCancel(c.ctx), key, strings.NewReader("x"), 1, store.PutOptions{}); err != nil {
			return wrong, err
		}
		err := c.bucket.Delete(c.ctx, key)
		if _, there := c.direct.Head(context.WithoutCancel(c.ctx), key); err == nil && !errors.Is(there, store.ErrNotFound) {
			return wrong, fmt.Errorf("deleted, and it is there: %v", there)
		}
		return outcome(c.ctx, err), err
	}},
}

// read holds a body against want. A body that breaks off is asked for again.
func (c cell) read(want []byte, open func() (io.ReadCloser, error)) (result string, err error) {
	for range c.again + 1 {
		var r io.ReadCloser
		if r, err = open(); err != nil {
			return outcome(c.ctx, err), err
		}
		var got []byte
		got, err = io.ReadAll(io.LimitReader(r, 2*bodySize))
		r.Close()
		if err == nil && !bytes.Equal(got, want) {
			return wrong, fmt.Errorf("%d bytes, want %d", len(got), len(want))
		}
		if result = outcome(c.ctx, err); result == right || result == late {
			break
		}
	}
	return result, err
}

func (c cell) put(o store.PutOptions) (string, error) {
	return c.stores(func(body io.ReaderAt) error {
		_, err := c.bucket.Put(c.ctx, c.key, body, bodySize, o)
		return err
	})
}

// stores looks at what is stored after put: all of the body if it succeeded, else all or nothing.
func (c cell) stores(put func(body io.ReaderAt) error) (string, error) {
	body := bodyOf(c.key)
	err := put(bytes.NewReader(body))
	stored, there := get(context.WithoutCancel(c.ctx), unlimited{c.direct}, c.key)
	switch {
	case there == nil && stored != string(body):
		return wrong, fmt.Errorf("stored %d bytes of %d", len(stored), bodySize)
	case there != nil && (err == nil || !errors.Is(there, store.ErrNotFound)):
		return wrong, fmt.Errorf("put: %v, get: %w", err, there)
	}
	return outcome(c.ctx, err), err
}

// unlimited reads whatever is there.
type unlimited struct{ store.Bucket }

func (u unlimited) Get(ctx context.Context, key string, _ int64) (io.ReadCloser, store.Info, error) {
	return u.Bucket.Get(ctx, key, -1)
}

// hit tells which of a cell's requests, connections or calls (from 1) meet the fault.
type hit func(n int) bool

// row is one fault, and what comes of it at each operation through a bare client.
// Operations not named end right. Where WRONG stands, no store can tell, and the
// layer named in caught must.
type row struct {
	name   string
	wire   *wireFault
	http   func(w http.ResponseWriter, r *http.Request, real http.Handler)
	call   *fault.Fault
	once   bool // a connection does it once, and then serves on
	silent bool // the client's own patience for an answer ends it
	want   map[string]string
	caught string
}

// all gives every operation the same outcome, and then some others; pairs of name and outcome.
func all(o string, but ...string) map[string]string {
	want := map[string]string{}
	for _, op := range matrixOps {
		want[op.name] = o
	}
	return only(want, but...)
}

func only(want map[string]string, pairs ...string) map[string]string {
	if want == nil {
		want = map[string]string{}
	}
	for i := 0; i < len(pairs); i += 2 {
		want[pairs[i]] = pairs[i+1]
	}
	return want
}

// matrixRig is the server behind all faults.
type matrixRig struct {
	t        *testing.T
	server   *server.Server
	address  string
	accepted atomic.Int64
	open     atomic.Int64
}

// countingListener knows how many of its connections are open.
type countingListener struct {
	net.Listener
	rig *matrixRig
}

type countedConn struct {
	net.Conn
	closed atomic.Bool
	rig    *matrixRig
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.rig.accepted.Add(1)
	l.rig.open.Add(1)
	return &countedConn{Conn: c, rig: l.rig}, nil
}

func (c *countedConn) Close() error {
	if !c.closed.Swap(true) {
		c.rig.open.Add(-1)
	}
	return c.Conn.Close()
}

var admin = store.Key{AccessKey: "admin", Secret: "matrix-secret", Admin: true}

func newMatrixRig(t *testing.T) *matrixRig {
	t.Helper()
	s, err := server.Open(server.Config{Dir: t.TempDir(), Keys: []server.Key{admin}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rig := &matrixRig{t: t, server: s, address: l.Addr().String()}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, countingListener{l, rig}) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return rig
}

// dial opens the bucket at an address, with a pool of connections of its own.
func (rig *matrixRig) dial(endpoint string, forHeader time.Duration) (store.Bucket, *s3.Dialer) {
	d := s3.NewDialer(s3.Options{HeaderTimeout: forHeader})
	b, err := d.Dial(store.Location{Endpoint: endpoint, Bucket: "bucket", AccessKey: admin.AccessKey, Secret: admin.Secret})
	if err != nil {
		rig.t.Fatal(err)
	}
	return b, d
}

// through opens the bucket so that its requests meet r's fault where h says so.
func (rig *matrixRig) through(r row, h hit) (b store.Bucket, closeAll func()) {
	forHeader := patience
	if r.silent {
		if forHeader = soon; h(1) != h(2) { // then an answer comes, from a busy machine
			forHeader = 10 * soon
		}
	}
	switch {
	case r.wire != nil:
		p := newProxy(rig.t, rig.address, func(n int) wireFault {
			if h(n) {
				return *r.wire
			}
			return wireFault{}
		})
		b, d := rig.dial(p.url(), forHeader)
		return b, func() { d.Close(); p.close() }
	case r.http != nil:
		var n atomic.Int64
		real := rig.server.Handler()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if h(int(n.Add(1))) {
				r.http(w, req, real)
			} else {
				real.ServeHTTP(w, req)
			}
		}))
		b, d := rig.dial(s.URL, forHeader)
		return b, func() { d.Close(); s.CloseClientConnections(); s.Close() }
	}
	b, d := rig.dial("http://"+rig.address, patience)
	return fault.Wrap(b, clock.Wall{}, func(op fault.Op) fault.Fault {
		if r.call != nil && h(op.N) {
			return *r.call
		}
		return fault.Fault{}
	}), func() { d.Close() }
}

// stacks of decorators.
var stacks = []struct {
	name  string
	lasts bool // the fault is there at each try, else at the first two
	again int
	wrap  func(store.Bucket) store.Bucket
}{
	{"bare", true, 0, func(b store.Bucket) store.Bucket { return b }},
	{"decorated", true, 0, decorate},
	{"decorated, passing", false, 2, decorate},
}

// decorate is the stack of a node. One slot: a fault that kept it would block the cell.
func decorate(b store.Bucket) store.Bucket {
	return store.Retry(store.Meter(store.Limit(b, 1), new(store.Counters)), store.RetryPolicy{Attempts: 3, Base: 5 * time.Millisecond}, clock.Wall{})
}

// TestMatrix crosses every fault with every operation, through a bare client and
// through decorators, against the embedded server: the outcome is the one that the
// table says, never a wrong or half object but where the table names the layer that
// finds it, never later than the deadline; afterwards the same bucket works, and no
// connection or goroutine is left.
func TestMatrix(t *testing.T) {
	rig := newMatrixRig(t)
	direct, d := rig.dial("http://"+rig.address, patience)
	for _, key := range listed {
		if _, err := direct.Put(t.Context(), key, bytes.NewReader(bodyOf(key)), bodySize, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	rows := slices.Concat(wireRows(), httpRows(t), callRows())
	shown := &scanner{secrets: []string{admin.Secret.Reveal()}}
	cells := len(rows) * len(stacks) * len(matrixOps)
	clock.Wall{}.Each(cells, 64, func(i int) {
		r, rest := rows[i%len(rows)], i/len(rows)
		s, op := stacks[rest%len(stacks)], matrixOps[rest/len(stacks)]
		r.silent = r.silent && r.want[op.name] != ""
		var over atomic.Bool
		b, closeAll := rig.through(r, func(n int) bool { return !over.Load() && (s.lasts || n <= 2 && !r.silent || n == 1) })
		defer closeAll()
		b = s.wrap(b)
		want := right
		if o, ok := r.want[op.name]; ok {
			want = o
		}
		if strings.HasPrefix(want, failed) && s.name != "bare" && (r.once || !s.lasts) {
			want = right // what is worth a retry ends well once the fault has passed
		}
		deadline := patience
		if want == late {
			deadline = soon
		}
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		start := time.Now()
		got, err := op.run(cell{ctx, fmt.Sprintf("new-%d", i), b, direct, s.again})
		if took := time.Since(start); took > deadline+slack {
			t.Errorf("%s / %s / %s: took %v", r.name, op.name, s.name, took)
		}
		if !slices.Contains(strings.Split(want, "|"), got) {
			t.Errorf("%s / %s / %s: %s (%v), want %s", r.name, op.name, s.name, got, err, want)
		}
		if err != nil {
			shown.value(r.name+" / "+op.name, err)
		}
		over.Store(true)
		if r.wire != nil {
			return // connections keep the fault that they began with
		}
		after, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if _, err := b.Head(after, listed[0]); err != nil {
			t.Errorf("%s / %s / %s: once the fault is over: %v", r.name, op.name, s.name, err)
		}
	})
	shown.report(t)
	d.Close()
	rig.wantNothingLeft()
	t.Logf("%d faults x %d operations x %d stacks = %d cells, %d connections", len(rows), len(matrixOps), len(stacks), cells, rig.accepted.Load())
}

// wantNothingLeft waits for the connections to be gone.
func (rig *matrixRig) wantNothingLeft() {
	rig.t.Helper()
	deadline := time.After(patience)
	for tick := time.Tick(5 * time.Millisecond); rig.open.Load() > 0; {
		select {
		case <-tick:
		case <-deadline:
			rig.t.Errorf("%d connections of %d are open still", rig.open.Load(), rig.accepted.Load())
			return
		}
	}
}
