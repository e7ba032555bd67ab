package tui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"templar/internal/clock"
	"templar/internal/dashboard/collect/collecttest"
)

// screenBuffer is a terminal that only listens.
type screenBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screenBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *screenBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// liveRun starts a Live whose keys come from the returned writer.
func liveRun(t *testing.T, ctx context.Context, cancel func()) (keys io.Writer, out *screenBuffer, done <-chan error) {
	in, keys := io.Pipe()
	t.Cleanup(func() { in.Close() })
	out = &screenBuffer{}
	l := &Live{
		Collector: collecttest.Played(3), Clock: clock.Wall{}, In: in, Out: out, Cancel: cancel,
		Environ: []string{"TERM=xterm-256color"},
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	return keys, out, ended
}

const (
	enterAltScreen = "\x1b[?1049h"
	leaveAltScreen = "\x1b[?1049l"
	showCursor     = "\x1b[?25h"
)

func wait(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(2 * time.Minute):
		t.Fatal("the live view did not end")
		return nil
	}
}

func TestLiveRestoresTheTerminalWhenTheRunEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	_, out, done := liveRun(t, ctx, nil)
	for deadline := time.Now().Add(time.Minute); !strings.Contains(out.String(), enterAltScreen) && time.Now().Before(deadline); {
		<-time.After(5 * time.Millisecond)
	}
	stop()
	if err := wait(t, done); err != nil {
		t.Errorf("error %v", err)
	}
	text := out.String()
	if strings.Count(text, enterAltScreen) != 1 || !strings.Contains(text[strings.LastIndex(text, enterAltScreen):], leaveAltScreen) {
		t.Error("the alternate screen was not left")
	}
	if !strings.Contains(text, showCursor) {
		t.Error("the cursor stays hidden")
	}
}

func TestLiveCtrlC(t *testing.T) {
	cancelled := make(chan struct{}, 2)
	keys, _, done := liveRun(t, t.Context(), func() { cancelled <- struct{}{} })
	press := func() {
		if _, err := keys.Write([]byte{3}); err != nil {
			t.Fatal(err)
		}
	}
	press()
	select {
	case <-cancelled:
	case err := <-done:
		t.Fatalf("the first Ctrl-C ended the view: %v", err)
	case <-time.After(2 * time.Minute):
		t.Fatal("the first Ctrl-C did not cancel the run")
	}
	press()
	if err := wait(t, done); !errors.Is(err, ErrInterrupted) {
		t.Errorf("second Ctrl-C: error %v", err)
	}
	if len(cancelled) != 0 {
		t.Error("cancelled twice")
	}
}

func TestScreenDrawsAtItsSize(t *testing.T) {
	s := &screen{live: &Live{Collector: collecttest.Played(3), Clock: clock.Wall{}}}
	s.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	if view := s.View(); !view.AltScreen || !strings.Contains(view.Content, "aggregator-0") {
		t.Errorf("view:\n%s", view.Content)
	}
	s.Update(tea.WindowSizeMsg{Width: 10, Height: 2})
	fits(t, s.View().Content, 10, 2)
}
