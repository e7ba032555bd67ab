package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"templar/internal/chain"
	"templar/internal/checkpoint"
	"templar/internal/directory"
	"templar/internal/engine"
	"templar/internal/parts"
	"templar/internal/run"
	"templar/internal/score"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

type plant = func(*Node, *process, *parts.Parts)

func only(r telemetry.Role, f plant) plant {
	return func(n *Node, p *process, d *parts.Parts) {
		if n.Role == r {
			f(n, p, d)
		}
	}
}

func named(name string, f plant) plant {
	return func(n *Node, p *process, d *parts.Parts) {
		if n.Name == name {
			f(n, p, d)
		}
	}
}

// aggregate changes what an aggregator publishes, where anything is included.
func aggregate(change func(*Node, *run.Aggregate)) plant {
	return only(telemetry.Aggregator, func(n *Node, _ *process, d *parts.Parts) {
		d.Aggregator = hooked{Bucket: d.Aggregator, put: func(ctx context.Context, o object, next putter) error {
			if w, ok := protocol.KeyWindow(o.key); ok && strings.HasPrefix(o.key, "aggregator-") {
				o.raw = n.falsify(o.raw, protocol.Key{Kind: protocol.KindAggregate, Window: w}, func(a *run.Aggregate) {
					if len(a.Included) > 1 {
						change(n, a)
					}
				})
			}
			return next(ctx, o)
		}}
	})
}

// payloads are the gradients that an Aggregate names.
func payloads(n *Node, a *run.Aggregate) (all []method.Payload) {
	for _, in := range a.Included {
		u := n.net.watch.uploads[upload{n.net.index(a.Window), in.UID}]
		raw := slices.Concat(u.raw, u.key)
		g, _ := n.net.run.Gradient(raw, wire.Expect{Run: a.Run, Window: a.Window, UID: in.UID, Hotkey: in.Hotkey})
		all = append(all, g.Payload)
	}
	return all
}

// peers wraps the buckets of the others as an aggregator sees them.
func peers(wrap func(*Node, store.Bucket) store.Bucket) plant {
	return only(telemetry.Aggregator, others(wrap))
}

// others is peers for every role.
func others(wrap func(*Node, store.Bucket) store.Bucket) plant {
	return func(n *Node, p *process, d *parts.Parts) {
		d.Directory = directory.New(d.Run.Params, d.Chain, wrapping{n.net.store, func(l store.Location, b store.Bucket) store.Bucket { return wrap(n, n.remote(p)(l, b)) }})
	}
}

// agreeing finds that all updates are the same.
type agreeing struct{ method.Comparer }

func (agreeing) Differ(_, _ method.Update) (count, first int) { return 0, -1 }

// gathered changes the gradients that an aggregator reads.
func gathered(change func(n *Node, key string, raw []byte, info store.Info) ([]byte, store.Info)) plant {
	return peers(func(n *Node, b store.Bucket) store.Bucket {
		return hooked{Bucket: b, got: func(key string, raw []byte, info store.Info) ([]byte, store.Info) {
			if strings.HasPrefix(key, "gradient-") {
				return change(n, key, raw, info)
			}
			return raw, info
		}}
	})
}

// resigned changes a sealed gradient and signs its header anew, as one that was changed on the way would be taken if
// nobody looked at its signature.
func resigned(n *Node, key string, raw []byte) []byte {
	const hashAt, digestAt, signatureAt = 122, 154, 186 // spec/wire, "Gradient"
	w, _ := protocol.KeyWindow(key)
	for _, owner := range n.net.nodes {
		want := wire.Expect{Run: n.net.run.Hash, Window: w, UID: owner.UID, Hotkey: owner.signer.Hotkey()}
		if _, verdict := wire.DecodeSealed(raw, want); !verdict.OK() {
			continue
		}
		b := bytes.Clone(raw)
		b[len(b)-1] ^= 1
		sum := sha256.Sum256(b[wire.GradientHeaderSize:])
		copy(b[hashAt:], sum[:])
		digest := sha256.Sum256(b[:digestAt])
		copy(b[digestAt:], digest[:])
		signature, err := owner.signer.Sign(append([]byte("templar/v2/gradient\x00"), digest[:]...))
		if err != nil {
			panic(err)
		}
		copy(b[signatureAt:], signature[:])
		return b
	}
	return raw
}

func overwrites(n *Node, _ *process, d *parts.Parts) {
	if n.Role != telemetry.Aggregator {
		return
	}
	d.Aggregator = hooked{Bucket: d.Aggregator, put: func(ctx context.Context, o object, next putter) error {
		o.options.IfAbsent = false
		return next(ctx, o)
	}}
}

func equivocates(n *Node, _ *process, d *parts.Parts) {
	if n.Name != "miner-1" {
		return
	}
	d.Relays = nil // no part of it is relayed
	d.Aggregator = hooked{Bucket: d.Aggregator, got: func(key string, raw []byte, info store.Info) ([]byte, store.Info) {
		w, ok := protocol.KeyWindow(key)
		if !ok || n.net.index(w) < 3 || !strings.HasPrefix(key, "aggregator-") {
			return raw, info
		}
		liar := n.net.nodes[len(n.net.nodes)-1]
		return liar.falsify(raw, protocol.Key{Kind: protocol.KindAggregate, Window: w}, func(a *run.Aggregate) { a.GatherTime++ }), info
	}}
}

func losesWork(n *Node, _ *process, d *parts.Parts) {
	m, err := n.net.config.Methods.New(d.Run.Params, loses())
	if err != nil {
		panic(err)
	}
	d.Run.Method = m
}

// spied is an engine that remembers which parameters were loaded.
type spied struct {
	engine.Engine
	last *[]float32
}

func (e spied) Load(ctx context.Context, params []float32) error {
	*e.last = params
	return e.Engine.Load(ctx, params)
}

func samplesProvisional(n *Node, _ *process, d *parts.Parts) {
	var working []float32
	d.Engine = spied{d.Engine, &working}
	run := d.Run
	d.Own = hooked{Bucket: d.Own, put: func(ctx context.Context, o object, next putter) error {
		w, ok := protocol.KeyWindow(o.key)
		if !ok || working == nil || !strings.HasPrefix(o.key, "debug-") {
			return next(ctx, o)
		}
		values := min(run.Params.SampleValues, run.Space.Size())
		s, verdict := wire.DecodeSample(o.raw, wire.Expect{Run: run.Hash, Window: w, UID: n.UID, Hotkey: n.signer.Hotkey()}, values)
		end, err := d.Schedule().EndOf(ctx, w)
		if verdict.OK() && err == nil {
			s.Values = d.Samples().Of(working, end, n.signer.Hotkey())
			o.raw, _ = wire.EncodeSample(s, n.signer)
		}
		return next(ctx, o)
	}}
}

// resampled changes the sync samples that a node signs.
func resampled(change func(n *Node, s *wire.Sample)) plant {
	return func(n *Node, _ *process, d *parts.Parts) {
		run := d.Run
		d.Own = hooked{Bucket: d.Own, put: func(ctx context.Context, o object, next putter) error {
			if w, ok := protocol.KeyWindow(o.key); ok && strings.HasPrefix(o.key, "debug-") {
				s, verdict := wire.DecodeSample(o.raw, wire.Expect{Run: run.Hash, Window: w, UID: n.UID, Hotkey: n.signer.Hotkey()}, d.Samples().Size())
				if verdict.OK() {
					change(n, s)
					o.raw, _ = wire.EncodeSample(s, n.signer)
				}
			}
			return next(ctx, o)
		}}
	}
}

// staleHash is the state hash of the window before.
func staleHash(n *Node, s *wire.Sample) {
	s.State, _ = n.net.watch.state(s.Window)
}

func savesProvisional(n *Node, _ *process, d *parts.Parts) {
	var working []float32
	d.Engine = spied{d.Engine, &working}
	run := d.Run
	d.Local = hooked{Bucket: d.Local, put: func(ctx context.Context, o object, next putter) error {
		var m checkpoint.Manifest
		if strings.HasSuffix(o.key, "/manifest.json") && working != nil && payload(o.raw, &m) == nil {
			m.StateHash = run.Space.Hash(working)
			o.raw, _ = wire.Seal(checkpoint.Domain, m, n.signer)
		}
		return next(ctx, o)
	}}
}

func manifestFirst(_ *Node, _ *process, d *parts.Parts) {
	var kept []object
	d.Own = hooked{Bucket: d.Own, put: func(ctx context.Context, o object, next putter) error {
		switch {
		case !strings.HasPrefix(o.key, "checkpoint-"):
			return next(ctx, o)
		case !strings.HasSuffix(o.key, "/manifest.json"):
			kept = append(kept, o)
			return nil
		}
		for _, o := range append([]object{o}, kept...) {
			if err := next(ctx, o); err != nil {
				return err
			}
		}
		kept = nil
		return nil
	}}
}

// forgetful loses what was written in the last seconds before a crash.
func forgetful() plant {
	type write struct {
		key string
		old []byte // nil: there was none
		at  time.Time
	}
	log := make(map[string][]write)
	return func(n *Node, p *process, d *parts.Parts) {
		id := n.net.config.Seed
		name := n.Name + "/" + string(rune('a'+id))
		chance := rand.New(rand.NewPCG(id, hash64(0, n.Name)))
		ctx := detached(p.ctx)
		for _, w := range slices.Backward(log[name]) {
			if n.net.s.time().Sub(w.at) > 40*time.Second || chance.IntN(4) == 0 {
				continue
			}
			if w.old == nil {
				_ = n.files.Delete(ctx, w.key)
			} else {
				_ = put(ctx, n.files, w.key, w.old)
			}
		}
		log[name] = nil
		d.Local = hooked{Bucket: d.Local, put: func(ctx context.Context, o object, next putter) error {
			log[name] = append(log[name], write{o.key, content(detached(ctx), n.files, o.key), n.net.s.time()})
			return next(ctx, o)
		}}
	}
}

func content(ctx context.Context, r store.Reader, key string) []byte {
	body, _, err := r.Get(ctx, key, -1)
	if err != nil {
		return nil
	}
	defer body.Close()
	raw, _ := io.ReadAll(body)
	return raw
}

func shiftedScores(_ *Node, _ *process, d *parts.Parts) {
	d.Local = hooked{Bucket: d.Local, got: func(key string, raw []byte, info store.Info) ([]byte, store.Info) {
		if key != "scores.json" {
			return raw, info
		}
		b, err := score.DecodeBook(raw)
		if err != nil || len(b.Records) < 2 {
			return raw, info
		}
		first := b.Records[0].Hotkey
		for i := range len(b.Records) - 1 {
			b.Records[i].Hotkey = b.Records[i+1].Hotkey
		}
		b.Records[len(b.Records)-1].Hotkey = first
		shifted, _ := b.Encode()
		info.Size = int64(len(shifted))
		return shifted, info
	}}
}

// lateScores keeps each write of the scores until the next one.
func lateScores() plant {
	return func(_ *Node, _ *process, d *parts.Parts) {
		var waiting *object
		d.Local = hooked{Bucket: d.Local, put: func(ctx context.Context, o object, next putter) error {
			if o.key != "scores.json" {
				return next(ctx, o)
			}
			last := waiting
			waiting = &o
			if last == nil {
				return nil
			}
			return next(ctx, *last)
		}}
	}
}

// lateChain takes a block's time from the block after it.
type lateChain struct{ chain.Chain }

func (c lateChain) Wait(ctx context.Context, number uint64) (chain.Block, error) {
	b, err := c.Chain.Wait(ctx, number)
	if err != nil {
		return b, err
	}
	next, err := c.Chain.Wait(ctx, number+1)
	b.Time = next.Time
	return b, err
}

// object is what is about to be stored.
type object struct {
	key     string
	raw     []byte
	options store.PutOptions
}

type putter func(context.Context, object) error

// hooked is a bucket with something in the way.
type hooked struct {
	store.Bucket
	put    func(ctx context.Context, o object, next putter) error
	got    func(key string, raw []byte, info store.Info) ([]byte, store.Info)
	rename func(string) string
	blind  string // a prefix whose objects it does not list
}

func (h hooked) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (info store.Info, err error) {
	raw, err := readBody(body, size)
	if err != nil {
		return store.Info{}, err
	}
	next := func(ctx context.Context, o object) error {
		info, err = h.Bucket.Put(ctx, o.key, bytes.NewReader(o.raw), int64(len(o.raw)), o.options)
		return err
	}
	if h.put == nil {
		return info, next(ctx, object{key, raw, o})
	}
	return info, h.put(ctx, object{key, raw, o}, next)
}

func (h hooked) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, store.Info, error) {
	if h.rename != nil {
		key = h.rename(key)
	}
	body, info, err := h.Bucket.Get(ctx, key, limit)
	if err != nil || h.got == nil {
		return body, info, err
	}
	defer body.Close()
	raw, err := io.ReadAll(body)
	raw, info = h.got(key, bytes.Clone(raw), info)
	return io.NopCloser(bytes.NewReader(raw)), info, err
}

func (h hooked) List(ctx context.Context, prefix, after string, max int) ([]store.Info, error) {
	if h.blind != "" && strings.HasPrefix(prefix, h.blind) {
		return nil, ctx.Err()
	}
	return h.Bucket.List(ctx, prefix, after, max)
}

// without is a bucket that keeps nothing whose key begins with prefix.
func without(prefix string, b store.Bucket) store.Bucket {
	return hooked{Bucket: b, put: func(ctx context.Context, o object, next putter) error {
		if strings.HasPrefix(o.key, prefix) {
			return nil
		}
		return next(ctx, o)
	}}
}

// wrapping is a dialer with something around its buckets.
type wrapping struct {
	store.Dialer
	wrap func(store.Location, store.Bucket) store.Bucket
}

func (w wrapping) Dial(l store.Location) (store.Bucket, error) {
	b, err := w.Dialer.Dial(l)
	if err != nil {
		return nil, err
	}
	return w.wrap(l, b), nil
}

// put is a Put of bytes.
func put(ctx context.Context, b store.Bucket, key string, raw []byte) error {
	_, err := b.Put(ctx, key, bytes.NewReader(raw), int64(len(raw)), store.PutOptions{})
	return err
}
