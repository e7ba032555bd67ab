package push

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"templar/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newQueue(log *slog.Logger) *Queue {
	return New("lines", func(ctx context.Context, batch [][]byte) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://x", bytes.NewReader(bytes.Join(batch, nil)))
		req.Header.Set("Authorization", "Token hunter2")
		return req, err
	}, clock.Wall{}, log)
}

// answers is a server in memory that answers with each status in turn, and then takes all.
type answers struct {
	mu       sync.Mutex
	statuses []int
	taken    []string // bodies
	requests []*http.Request
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a.requests = append(a.requests, r)
	status := http.StatusNoContent
	if len(a.statuses) > 0 {
		status, a.statuses = a.statuses[0], a.statuses[1:]
	}
	if status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	if status == http.StatusNoContent {
		a.taken = append(a.taken, string(b))
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("you sent " + r.Header.Get("Authorization")))}, nil
}

// A server that is away, or that an operator has to let in, costs nothing but time, and one
// that refuses a batch only that one.
func TestFailuresAreTriedAgain(t *testing.T) {
	all, rest := []string{"1\n2\n3\n4\n"}, []string{"2\n3\n4\n"}
	for name, c := range map[string]struct {
		statuses []int
		taken    []string
		failed   bool
		lost     bool // the first line
	}{
		"away":          {[]int{0, 503, 429, 408}, all, true, false},
		"wrong token":   {[]int{401, 403}, all, true, false},
		"wrong address": {[]int{404, 405, 307, 301}, all, true, false},
		"malformed":     {[]int{400}, rest, true, true},
		"too large":     {[]int{413}, rest, true, true},
		"unwanted":      {[]int{422}, rest, true, true},
		"always serves": {nil, append([]string{"1\n"}, rest...), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, said := &answers{statuses: c.statuses}, &bytes.Buffer{}
				q := newQueue(slog.New(slog.NewTextHandler(said, nil)))
				q.client.Transport = server
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { q.Run(ctx); close(done) }()
				q.Add([]byte("1\n"))
				synctest.Wait()
				time.Sleep(interval + time.Second)
				for i := 2; i <= 4; i++ {
					q.Add(fmt.Appendf(nil, "%d\n", i))
				}
				time.Sleep(5 * interval)
				stop()
				<-done
				if !slices.Equal(server.taken, c.taken) {
					t.Errorf("taken %q, want %q", server.taken, c.taken)
				}
				for line, want := range map[string]bool{
					`level=WARN msg="not delivered" what=lines`: c.failed, `level=INFO msg="delivered again" what=lines`: c.failed,
					`level=WARN msg="dropped undelivered" what=lines lines=1`: c.lost, `msg="dropped undelivered"`: c.lost,
				} {
					if n := strings.Count(said.String(), line); n > 1 || (n == 1) != want {
						t.Errorf("%s %d times in\n%s", line, n, said)
					}
				}
				if strings.Contains(said.String(), "hunter2") {
					t.Errorf("the log holds the token: %s", said)
				}
			})
		})
	}
}

// What is left goes out when the node stops, and a server that hangs does not keep it.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &answers{}
		q := newQueue(slog.New(slog.DiscardHandler))
		q.client.Transport = server
		ctx, stop := context.WithCancel(t.Context())
		stop()
		q.Add([]byte("1\n"))
		if q.Run(ctx); !slices.Equal(server.taken, []string{"1\n"}) {
			t.Errorf("taken %q", server.taken)
		}
		q.client.Transport = hanging{}
		q.Add([]byte("2\n"))
		began := time.Now()
		if q.Run(ctx); time.Since(began) != farewell {
			t.Errorf("stopped after %v", time.Since(began))
		}
	})
}

type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// The queue holds so much and no more, and drops the oldest.
func TestQueueIsBounded(t *testing.T) {
	q := newQueue(slog.New(slog.DiscardHandler))
	line := func(i int) []byte { return fmt.Appendf(nil, "%0100000d", i) }
	const n = 200
	for i := range n {
		q.Add(line(i))
	}
	first := q.take()
	if len(first) != maxBatch/100000 || !bytes.Equal(first[0], line(n-maxQueued/100000)) || q.mu.dropped != n-maxQueued/100000 {
		t.Errorf("%d lines from %.20s on, %d dropped", len(first), first[0], q.mu.dropped)
	}
	q.giveBack(first)
	again := q.take()
	if !bytes.Equal(again[0], first[0]) || q.mu.bytes != (maxQueued/100000-len(again))*100000 {
		t.Errorf("given back, the next are %d from %.20s on", len(again), again[0])
	}
	for i := range len(again) - 1 { // so that there is room for one of them
		q.Add(line(n + i))
	}
	if q.giveBack(again); q.mu.bytes > maxQueued || !bytes.Equal(q.take()[0], again[len(again)-1]) {
		t.Errorf("given back to a full queue, it holds %d bytes", q.mu.bytes)
	}
}

// Dropped lines are logged once, also when the server accepts all that is sent.
func TestOverflowIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := &bytes.Buffer{}
		q := newQueue(slog.New(slog.NewTextHandler(said, nil)))
		q.client.Transport = &answers{}
		for range maxQueued/maxBatch + 3 {
			q.Add(make([]byte, maxBatch))
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		q.Run(ctx)
		if s := said.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, `level=WARN msg="dropped undelivered" what=lines lines=3`) {
			t.Errorf("said %s", s)
		}
	})
}
