package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/chain"
	"templar/internal/store"
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

// downStore fails every request.
type downStore struct{ store.Bucket }

func (downStore) Dial(store.Location) (store.Bucket, error) { return downStore{}, nil }
func (downStore) Close() error                              { return nil }
func (downStore) Head(context.Context, string) (store.Info, error) {
	return store.Info{}, errors.New("connection refused")
}

// A store of the configuration that fails is named in the log; one of other peers is not.
func TestStoresOfTheConfigurationAreWatched(t *testing.T) {
	ours, theirs := store.Location{Endpoint: "http://ours:9000", Bucket: "b"}, store.Location{Endpoint: "http://theirs:9000", Bucket: "b"}
	for l, want := range map[store.Location]string{ours: "msg=\"no request to the object store succeeds\" node=miner-0 store=http://ours:9000 since=10s err=\"connection refused\"\n", theirs: ""} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
					return slog.Attr{}
				}
				return a
			}}))
			d := watchStores(&Buckets{stores: map[string]StoreConn{"http": downStore{}}}, []store.Location{ours, {}, {Endpoint: "file:///tmp"}}, log, "miner-0")
			read, err := d.Dial(l)
			if err != nil {
				t.Fatal(err)
			}
			own, release, err := d.DialOwn(l)
			if err != nil {
				t.Fatal(err)
			}
			defer release()
			for range 8 { // a store's patience covers all its buckets
				read.Head(t.Context(), "key")
				own.Head(t.Context(), "key")
				time.Sleep(2 * time.Second)
			}
			if out.String() != want {
				t.Errorf("%s: it said %q, want %q", l.Endpoint, out.String(), want)
			}
		})
	}
}
