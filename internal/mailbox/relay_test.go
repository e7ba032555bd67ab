package mailbox_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/harness"
	"templar/internal/harness/testnet"
	"templar/internal/mailbox"
	"templar/internal/model"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/internal/store/fault"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

// reads counts the bytes that are read from the aggregator bucket.
type reads struct {
	store.Reader
	whole, parts int64
}

func (r *reads) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	body, info, err := r.Reader.Get(ctx, key, limit)
	if k, _ := protocol.ParseKey(key); err == nil && k.Kind == protocol.KindAggregate {
		r.whole += info.Size
	}
	return body, info, err
}

func (r *reads) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	r.parts += n
	return r.Reader.GetRange(ctx, key, offset, n, etag)
}

// relayed is a network of four miners in which Aggregates have four parts.
func relayed(t *testing.T, f func(*testnet.Network)) {
	t.Helper()
	params := func(p *protocol.Params) { p.RelayBytes = 64 }
	testnet.Test(t, testnet.Config{Miners: 4, Validators: 1, Params: params}, func(net *testnet.Network) {
		net.CommitAll()
		f(net)
	})
}

// publishes stores an Aggregate of all miners, and the list of its parts.
func publishes(t *testing.T, net *testnet.Network, w protocol.Window) (raw []byte, list *wire.Parts) {
	t.Helper()
	s := net.Node("aggregator-0").Signer
	a := run.Aggregate{Aggregate: wire.Aggregate{
		Run: net.Run.Hash, Window: w, Start: 1, UploadFrom: time.Now(), Delta: time.Second, LearningRate: 1, Aggregator: s.Hotkey(),
	}}
	for _, name := range []string{"miner-0", "miner-1", "miner-2", "miner-3"} {
		a.Included = append(a.Included, wire.Included{UID: net.Node(name).UID, Hotkey: net.Node(name).Signer.Hotkey()})
	}
	payload, err := net.Run.Method.Encode(model.Init(net.Run.Params.Model, uint64(w)))
	if err != nil {
		t.Fatal(err)
	}
	a.Set(net.Run.Method.Reduce([]method.Payload{payload}))
	if raw, err = wire.EncodeAggregate(&a.Aggregate, net.Run.Format(), s); err != nil {
		t.Fatal(err)
	}
	if list = mailbox.ListParts(net.Run.Params, w, a.Included, raw); list == nil || len(list.Of) != 4 {
		t.Fatalf("parts: %+v", list)
	}
	net.Upload("aggregator", protocol.PartsKey(w, 0), wire.EncodeParts(list))
	net.Upload("aggregator", protocol.AggregateKey(w, 0), raw)
	return raw, list
}

// relay stores the part of one miner, after change has had its way with it.
func relay(net *testnet.Network, name string, w protocol.Window, raw []byte, list *wire.Parts, change func([]byte) []byte) {
	for i, of := range list.Of {
		if of.UID == net.Node(name).UID {
			offset, size := list.At(i)
			part := bytes.Clone(raw[offset:][:size])
			if change != nil {
				part = change(part)
			}
			net.Upload(name, protocol.PartKey(w, 0, of.UID), part)
		}
	}
}

// slowly is the fault of a store that answers after a while.
func slowly(by time.Duration) testnet.Fault {
	return func(ctx context.Context) error { return clock.Wall{}.Sleep(ctx, by) }
}

// What one relay does, out of three that miner-0 asks: it gets the Aggregate in any case, after a bounded time, and asks a relay
// that has failed for nothing in the next windows.
func TestRelays(t *testing.T) {
	const odd, patience = "miner-2", 2 * time.Second / 3
	same := func(b []byte) []byte { return b }
	for name, c := range map[string]struct {
		part   func([]byte) []byte // nil: it relays nothing
		broken testnet.Fault
		takes  time.Duration
		fails  bool
		slow   bool          // and not asked again in the next window
		late   time.Duration // it relays after that
	}{
		"relays":        {part: same},
		"lies":          {part: func(b []byte) []byte { b[0] ^= 1; return b }, fails: true},
		"is lazy":       {takes: patience, fails: true},
		"cuts short":    {part: func(b []byte) []byte { return b[1:] }, fails: true},
		"sends more":    {part: func(b []byte) []byte { return append(b, 0) }, fails: true},
		"hangs":         {part: same, broken: testnet.Hanging, takes: patience, fails: true},
		"is slow":       {part: same, broken: slowly(patience * 9 / 10), takes: patience * 9 / 10, slow: true},
		"is late":       {late: patience / 2, takes: patience / 2, slow: true},
		"denies":        {part: same, broken: testnet.Denied, fails: true},
		"does not know": {part: same, broken: testnet.Unauthenticated, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			relayed(t, func(net *testnet.Network) {
				x := net.Refreshed("miner-0")
				from := x.Aggregates()
				for w := window; w < window+2; w++ {
					raw, list := publishes(t, net, w)
					relay(net, "miner-1", w, raw, list, nil)
					relay(net, "miner-3", w, raw, list, nil)
					if c.part != nil {
						relay(net, odd, w, raw, list, c.part)
					}
					net.Break(odd, c.broken)
					if c.late > 0 {
						go func() {
							if (clock.Wall{}).Sleep(net.Context(), c.late) == nil {
								relay(net, odd, w, raw, list, nil)
							}
						}()
					}
					bucket := &reads{Reader: x.Aggregator}
					from.Bucket = bucket
					began := time.Now()
					_, hash, size, verdict := from.Fetch(net.Context(), w, 0, began.Add(10*time.Second))
					if !verdict.OK() || hash != wire.AggregateHash(raw) || size != int64(len(raw)) {
						t.Fatalf("window %d: %v, %d bytes", w, verdict, size)
					}
					takes := c.takes
					if w > window {
						takes = 0
					}
					if took := time.Since(began); took < takes || took > takes+150*time.Millisecond {
						t.Errorf("window %d took %v, want %v", w, took, takes)
					}
					_, part := list.At(0)
					want := part
					if c.fails || c.slow && w > window {
						want = 2 * part
					}
					if bucket.whole != 0 || bucket.parts > want || bucket.parts < want-4 {
						t.Errorf("window %d: %d bytes from the aggregator bucket in parts, %d as a whole; want %d", w, bucket.parts, bucket.whole, want)
					}
					own := net.Object("miner-0", protocol.PartKey(w, 0, net.Node("miner-0").UID))
					for i, of := range list.Of {
						if offset, size := list.At(i); of.UID == x.UID && !bytes.Equal(own, raw[offset:][:size]) {
							t.Errorf("window %d: it relays other bytes", w)
						}
					}
					net.Heal(odd)
					net.Wait(c.late)
				}
			})
		})
	}
}

// late is the aggregator bucket of a store whose link is busy: each part takes a while.
type late struct {
	store.Reader
	clock clock.Clock
	by    time.Duration
}

func (l late) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	if err := l.clock.Sleep(ctx, l.by); err != nil {
		return nil, err
	}
	return l.Reader.GetRange(ctx, key, offset, n, etag)
}

// Relays that hang cost a reader one window, even if it then has no time left for the Aggregate: it asks none of them in the next one. One that
// the reader itself breaks off is asked again.
func TestRelaysThatHangCostOneWindow(t *testing.T) {
	const patience, part = 2 * time.Second / 3, 300 * time.Millisecond
	for name, c := range map[string]struct {
		first time.Duration // that the reader has for the first window
		again bool          // relays are asked again in the second
	}{
		"time is up after it":  {part + patience + part/2, false},
		"time is up before it": {part + patience/2, true},
	} {
		t.Run(name, func(t *testing.T) {
			relayed(t, func(net *testnet.Network) {
				from := net.Refreshed("miner-0").Aggregates()
				from.Bucket = late{from.Bucket, from.Schedule.Clock, part}
				for _, name := range []string{"miner-1", "miner-2", "miner-3"} {
					net.Break(name, testnet.Hanging)
				}
				publishes(t, net, window)
				if _, _, _, verdict := from.Fetch(net.Context(), window, 0, time.Now().Add(c.first)); verdict.OK() {
					t.Error("there was time for the first")
				}
				raw, _ := publishes(t, net, window+1)
				began := time.Now()
				_, hash, _, verdict := from.Fetch(net.Context(), window+1, 0, began.Add(10*time.Second))
				if took := time.Since(began); hash != wire.AggregateHash(raw) || took > patience+2*part+patience/2 || (took > patience) != c.again {
					t.Errorf("%v after %v", verdict, took)
				}
			})
		})
	}
}

// No miner relays: the Aggregate comes from the aggregator bucket in parts, after the patience with all relays at the same time.
func TestNoRelays(t *testing.T) {
	relayed(t, func(net *testnet.Network) {
		for _, name := range []string{"miner-0", "validator-0"} {
			raw, _ := publishes(t, net, window)
			x := net.Refreshed(name)
			began := time.Now()
			_, hash, _, verdict := x.Aggregates().Fetch(net.Context(), window, 0, began.Add(10*time.Second))
			if took := time.Since(began); !verdict.OK() || hash != wire.AggregateHash(raw) || took > time.Second {
				t.Errorf("%s: %v after %v", name, verdict, took)
			}
		}
		if got := keys(t, net, "validator-0"); len(got) != 0 {
			t.Errorf("a validator relays %v", got)
		}
	})
}

// A list of parts that is wrong, or is not there, costs no Aggregate.
func TestPartsAtFault(t *testing.T) {
	edit := func(change func(*wire.Parts)) func(*wire.Parts) []byte {
		return func(p *wire.Parts) []byte { change(p); return wire.EncodeParts(p) }
	}
	for name, list := range map[string]func(*wire.Parts) []byte{
		"none":         nil,
		"empty":        func(*wire.Parts) []byte { return nil },
		"cut short":    func(p *wire.Parts) []byte { b := wire.EncodeParts(p); return b[:len(b)-1] },
		"too long":     func(p *wire.Parts) []byte { return append(wire.EncodeParts(p), 0) },
		"another size": edit(func(p *wire.Parts) { p.Size++ }),
		"a huge size":  edit(func(p *wire.Parts) { p.Size = 1 << 62 }),
		"false hashes": edit(func(p *wire.Parts) {
			p.Of[0].Content[0]++
			p.Of[1].Content[0]++
			p.Of[2].Content[0]++
			p.Of[3].Content[0]++
		}),
		"one relay":        edit(func(p *wire.Parts) { p.Of = p.Of[:1] }),
		"one relay, twice": edit(func(p *wire.Parts) { p.Of[0] = p.Of[1] }),
		"strangers":        edit(func(p *wire.Parts) { p.Of[0].Hotkey[0]++; p.Of[1].UID = 1000 }),
	} {
		t.Run(name, func(t *testing.T) {
			relayed(t, func(net *testnet.Network) {
				raw, parts := publishes(t, net, window)
				if list == nil {
					if err := net.Bucket("aggregator").Delete(net.Context(), protocol.PartsKey(window, 0)); err != nil {
						t.Fatal(err)
					}
				} else {
					net.Upload("aggregator", protocol.PartsKey(window, 0), list(parts))
				}
				began := time.Now()
				_, hash, _, verdict := net.Refreshed("miner-0").Aggregates().Fetch(net.Context(), window, 0, began.Add(10*time.Second))
				if took := time.Since(began); !verdict.OK() || hash != wire.AggregateHash(raw) || took > time.Second {
					t.Errorf("%v after %v", verdict, took)
				}
			})
		})
	}
}

// Which Aggregates have parts, and who begins.
func TestListParts(t *testing.T) {
	included := []wire.Included{{UID: 1, Hotkey: protocol.Hotkey{1}}, {UID: 5, Hotkey: protocol.Hotkey{5}}, {UID: 9, Hotkey: protocol.Hotkey{9}}}
	p := testnet.Params()
	for _, c := range []struct {
		least    int64
		size     int
		included int
		want     []protocol.UID
	}{
		{0, 1000, 3, nil}, {1000, 1999, 3, nil}, {1000, 2000, 1, nil}, {1000, 2000, 0, nil},
		{1000, 2000, 3, []protocol.UID{5, 9}}, {10, 2000, 3, []protocol.UID{5, 9, 1}},
	} {
		p.RelayBytes = c.least
		list := mailbox.ListParts(&p, window, included[:c.included], make([]byte, c.size))
		var got []protocol.UID
		if list != nil {
			for _, of := range list.Of {
				got = append(got, of.UID)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// Parts are deleted when no node reads them any more.
func TestPrunePartsEarly(t *testing.T) {
	relayed(t, func(net *testnet.Network) {
		x := net.Node("miner-0").Parts()
		next := schedule.Retention(x.Run.Params) + 10
		old, young := next-schedule.PartRetention(x.Run.Params)-1, next-schedule.PartRetention(x.Run.Params)
		for _, w := range []protocol.Window{old, young} {
			net.Upload("miner-0", protocol.PartKey(w, 2, x.UID), []byte("x"))
			net.Upload("aggregator", protocol.PartsKey(w, 2), []byte("x"))
		}
		shelf := &mailbox.Shelf{Schedule: x.Schedule(), Bucket: net.Bucket("aggregator")}
		if err := errors.Join(x.Outbox().Prune(net.Context(), next), shelf.Prune(net.Context(), next)); err != nil {
			t.Fatal(err)
		}
		if got := slices.Concat(keys(t, net, "miner-0"), keys(t, net, "aggregator")); !slices.Equal(got, []string{protocol.PartKey(young, 2, x.UID), protocol.PartsKey(young, 2)}) {
			t.Errorf("left are %v", got)
		}
	})
}

// An Aggregate that is read as a whole is fetched on from where its body breaks off: each byte comes once.
func TestWholeGoesOn(t *testing.T) {
	relayed(t, func(net *testnet.Network) {
		raw, _ := publishes(t, net, window)
		a, counters := net.Refreshed("validator-0").Aggregates(), new(store.Counters)
		a.Relays = nil
		a.Bucket = store.Meter(fault.Wrap(net.Bucket(harness.AggregatorBucket), clock.Wall{}, func(op fault.Op) fault.Fault {
			if op.N > 3 {
				return fault.Fault{}
			}
			return fault.Fault{Damage: fault.Truncate, At: int64(len(raw) / 5)}
		}), counters)
		_, hash, _, verdict := a.Fetch(net.Context(), window, 0, time.Now().Add(time.Minute))
		if got := counters.Snapshot(); !verdict.OK() || hash != wire.AggregateHash(raw) || got.BytesDown != int64(len(raw)) {
			t.Errorf("%s: %+v for %d bytes", verdict, got, len(raw))
		}
	})
}
