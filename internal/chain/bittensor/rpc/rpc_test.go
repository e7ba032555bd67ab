package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a transport that a test writes the other side of.
type script struct {
	in     chan string
	closed chan struct{}
	answer func(id uint64, method string) []string
}

func newScript(answer func(id uint64, method string) []string) *script {
	return &script{make(chan string, 8192), make(chan struct{}), answer}
}

func (s *script) Read(ctx context.Context) ([]byte, error) {
	select {
	case m := <-s.in:
		return []byte(m), nil
	case <-s.closed:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *script) Write(_ context.Context, b []byte) error {
	var q struct {
		ID     uint64
		Method string
	}
	if err := json.Unmarshal(b, &q); err != nil {
		return err
	}
	for _, m := range s.answer(q.ID, q.Method) {
		s.in <- m
	}
	return nil
}

func (s *script) Close() error {
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	return nil
}

func reply(id uint64, result string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":%s}`, id, result)
}

func note(sub, result string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"x","params":{"subscription":%s,"result":%s}}`, sub, result)
}

func TestCall(t *testing.T) {
	c := New(newScript(func(id uint64, method string) []string {
		switch method {
		case "fails":
			return []string{fmt.Sprintf(`{"id":%d,"error":{"code":1010,"message":"Invalid Transaction","data":"Custom error: 6"}}`, id)}
		case "batch":
			return []string{"[" + reply(999, "1") + "," + reply(id, `"of a batch"`) + "]"}
		case "stranger":
			return []string{reply(77777, "1"), `{"id":null,"result":2}`, reply(id, `"own"`)}
		}
		return []string{reply(id, `"`+method+`"`)}
	}))
	defer c.Close()
	for method, want := range map[string]string{"plain": "plain", "batch": "of a batch", "stranger": "own"} {
		var got string
		if err := c.Call(t.Context(), &got, method); err != nil || got != want {
			t.Errorf("%s: %q, %v", method, got, err)
		}
	}
	var e *Error
	if err := c.Call(t.Context(), nil, "fails"); !errors.As(err, &e) || e.Code != 1010 || !strings.Contains(err.Error(), "Custom error: 6") {
		t.Errorf("%v", err)
	}
	var n int
	if err := c.Call(t.Context(), &n, "plain"); err == nil {
		t.Error("text was read as a number")
	}
}

// Notifications before the reply that names their subscription are kept, in order.
func TestEarlyNotifications(t *testing.T) {
	c := New(newScript(func(id uint64, _ string) []string {
		return []string{note(`"other"`, "0"), note(`"s1"`, "1"), note(`"s1"`, "2"), reply(id, `"s1"`), note(`"s1"`, "3")}
	}))
	defer c.Close()
	s, err := c.Subscribe(t.Context(), "subscribe")
	if err != nil {
		t.Fatal(err)
	}
	for want := 1; want <= 3; want++ {
		if got := <-s.C; string(got) != fmt.Sprint(want) {
			t.Errorf("%s, want %d", got, want)
		}
	}
}

// Strays do not pile up, and do not push the newest out.
func TestStraysAreBounded(t *testing.T) {
	c := New(newScript(func(id uint64, _ string) []string {
		var all []string
		for i := range 3 * maxStray {
			all = append(all, note(fmt.Sprintf(`"gone%d"`, i), "0"))
		}
		return append(all, note(`"s"`, "7"), reply(id, `"s"`))
	}))
	defer c.Close()
	s, err := c.Subscribe(t.Context(), "subscribe")
	if err != nil {
		t.Fatal(err)
	}
	if got := <-s.C; string(got) != "7" {
		t.Errorf("%s", got)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.strays) > maxStray {
		t.Errorf("%d strays", len(c.mu.strays))
	}
}

// A batch is read message by message: it may have millions of the shortest.
func TestBatchesAreBounded(t *testing.T) {
	c := New(newScript(func(uint64, string) []string {
		return []string{"[" + strings.Repeat("{},", maxOutOfPlace+10) + "}{"}
	}))
	defer c.Close()
	if err := c.Call(t.Context(), nil, "any"); err == nil || !strings.Contains(err.Error(), "answers to nothing") {
		t.Errorf("error %v: the batch was read to its end first", err)
	}
}

// Everything that waits ends with the connection.
func TestEnd(t *testing.T) {
	for name, frame := range map[string]string{"junk": "}{", "not JSON-RPC": "7", "end": ""} {
		s := newScript(func(id uint64, method string) []string {
			if method == "subscribe" {
				return []string{reply(id, `"s"`)}
			}
			return nil
		})
		c := New(s)
		sub, err := c.Subscribe(t.Context(), "subscribe")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- c.Call(t.Context(), nil, "never") }()
		if frame == "" {
			s.Close()
		} else {
			s.in <- frame
		}
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := <-sub.C; ok {
			t.Errorf("%s: the subscription goes on", name)
		}
		if err := c.Call(t.Context(), nil, "later"); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
}

// A node that answers nothing, or floods, loses the connection, and holds nobody for ever.
func TestSilentAndLoud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(newScript(func(uint64, string) []string { return nil }))
		defer c.Close()
		began := time.Now()
		if err := c.Call(t.Context(), nil, "never"); !errors.Is(err, ErrClosed) || time.Since(began) != callTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
	side := newScript(func(id uint64, _ string) []string { return []string{reply(id, `"s"`)} })
	loud := New(side)
	defer loud.Close()
	if _, err := loud.Subscribe(t.Context(), "subscribe"); err != nil {
		t.Fatal(err)
	}
	for range maxQueue + 1 {
		side.in <- note(`"s"`, "1")
	}
	<-loud.Done()
	if !strings.Contains(loud.Err().Error(), "faster") {
		t.Error(loud.Err())
	}
}

func TestContext(t *testing.T) {
	c := New(newScript(func(uint64, string) []string { return nil }))
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.Call(ctx, nil, "never"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if c.Err() != nil {
		t.Errorf("a call that gave up ended the connection of the others: %v", c.Err())
	}
}

// What an endpoint sends is never believed: any bytes end in an error at most.
func FuzzFrames(f *testing.F) {
	f.Add(`{"jsonrpc":"2.0","id":1,"result":"x"}`)
	f.Add(`[{"id":1,"error":{}},{"method":"x","params":{"subscription":1,"result":{}}}]`)
	f.Add(`{"id":{},"params":[]}`)
	f.Fuzz(func(_ *testing.T, text string) {
		s := newScript(func(uint64, string) []string { return []string{text} })
		c := New(s)
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		_, _ = c.Subscribe(ctx, "x")
		c.Close()
	})
}
