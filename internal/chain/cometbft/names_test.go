package cometbft

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A name that appears is waited for, and one that does not is given up.
func TestAwaitNames(t *testing.T) {
	for name, c := range map[string]struct {
		appears time.Duration // of one of the names
		want    time.Duration
		warns   bool
	}{
		"at once": {0, 0, false},
		"late":    {4500 * time.Millisecond, 5 * time.Second, false},
		"never":   {time.Hour, resolveFor, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				lookup := func(_ context.Context, host string) error {
					if host == "late" && time.Since(began) < c.appears {
						return errors.New("no such host")
					}
					return nil
				}
				var log strings.Builder
				n := Network{Peers: []string{"a@here:1", "b@late:1"}}
				err := n.awaitNames(t.Context(), lookup, slog.New(slog.NewTextHandler(&log, nil)))
				if took := time.Since(began); err != nil || took != c.want || strings.Contains(log.String(), "peer=late") != c.warns {
					t.Errorf("took %v, want %v; %v; %s", took, c.want, err, &log)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		never := func(context.Context, string) error { return os.ErrNotExist }
		if err := (Network{Peers: []string{"a@b:1"}}).awaitNames(ctx, never, slog.New(slog.DiscardHandler)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with an ended context: %v", err)
		}
	})
}

// A host name may stand for another address each time; an address is the one to listen on.
func TestBindable(t *testing.T) {
	for in, want := range map[string]string{"chain-0:26656": "0.0.0.0:26656", "10.1.2.3:5": "10.1.2.3:5", "[::1]:5": "[::1]:5", "localhost:5": "localhost:5"} {
		if got := bindable(in); got != want {
			t.Errorf("%s is listened for at %s, want %s", in, got, want)
		}
	}
}
