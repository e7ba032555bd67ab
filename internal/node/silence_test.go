package node

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/chain"
)

// slowChain makes each block on request.
type slowChain struct {
	chain.Chain
	made chan struct{}
}

func (c slowChain) Head(context.Context) (chain.Block, error) { return chain.Block{Number: 5}, nil }

func (c slowChain) Wait(ctx context.Context, n uint64) (chain.Block, error) {
	select {
	case <-c.made:
		return chain.Block{Number: n}, nil
	case <-ctx.Done():
		return chain.Block{}, ctx.Err()
	}
}

// TestSilentChainIsNoticed: a block in time is not logged; an overdue one is logged once,
// and so is the chain's return.
func TestSilentChainIsNoticed(t *testing.T) {
	const blockTime = 10 * time.Second
	for late, want := range map[time.Duration]string{
		blockTime:     "",
		3 * blockTime: "msg=\"the chain is silent: is its node running?\"\nmsg=\"the chain is back\"\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			made := make(chan struct{})
			c := &watched{Chain: slowChain{made: made}, blockTime: blockTime, log: slog.New(messages(&out))}
			if _, err := c.Head(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(late, func() { close(made) })
			if b, err := c.Wait(t.Context(), 6); err != nil || b.Number != 6 {
				t.Fatal(b, err)
			}
			if out.String() != want {
				t.Errorf("after %v it said %q, want %q", late, out.String(), want)
			}
		})
	}
}

// messages keeps the messages alone.
func messages(out io.Writer) slog.Handler {
	return slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key != slog.MessageKey {
			return slog.Attr{}
		}
		return a
	}})
}
