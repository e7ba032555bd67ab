// Package run holds what all objects of a run share: the run parameters, their hash, and the
// method and the state space that they describe. It decodes objects together with the method's
// bodies.
package run

import (
	"slices"

	"templar/internal/clock"
	"templar/internal/workers"
	"templar/method"
	"templar/protocol"
	"templar/state"
	"templar/wire"
)

// Run holds what all objects of a run share.
type Run struct {
	Params *protocol.Params
	Hash   protocol.Hash
	Method *method.Method
	Space  *state.Space // the states that the model can be in
}

// New checks the run parameters and sets up the method that they name, which must be one of
// methods.
func New(p protocol.Params, methods method.Factories) (Run, error) {
	return NewWith(p, methods, workers.Pool{Workers: workers.Cores(), Each: atOnce})
}

// NewWith is New with the workers that compute.
func NewWith(p protocol.Params, methods method.Factories, pool workers.Pool) (Run, error) {
	if err := p.Validate(); err != nil {
		return Run{}, err
	}
	space, err := state.New(p.Model.Layout())
	if err != nil {
		return Run{}, err
	}
	m, err := methods.New(&p, pool)
	if err != nil {
		return Run{}, err
	}
	return Run{Params: &p, Hash: p.Hash(), Method: m, Space: space.Parallel(pool.Workers, pool.Each)}, nil
}

// atOnce shares work among goroutines: pure computing, so that no clock but the machine's
// needs to know.
func atOnce(n int, f func(i int)) { clock.Wall{}.Each(n, n, f) }

// Format is what stands in the bodies of the run's objects.
func (r Run) Format() wire.Format {
	m := r.Method
	return wire.Format{Method: m.Name, Layout: m.LayoutHash, MaxPayload: m.MaxPayload, MaxUpdate: m.MaxUpdate}
}

// Gradient is a gradient object with its payload.
type Gradient struct {
	wire.Gradient
	Payload method.Payload // what the method reads in Body
}

// Gradient reads an opened gradient, and its payload: a sealed one with its key behind it.
func (r Run) Gradient(b []byte, want wire.Expect) (*Gradient, protocol.Verdict) {
	g, v := wire.DecodeGradient(b, r.Format(), want)
	return r.payload(g, v)
}

// Open reads a sealed gradient with its key, and its payload.
func (r Run) Open(sealed []byte, key wire.GradientKey, want wire.Expect) (*Gradient, protocol.Verdict) {
	g, v := wire.OpenGradient(sealed, key, r.Format(), want)
	return r.payload(g, v)
}

func (r Run) payload(g *wire.Gradient, v protocol.Verdict) (*Gradient, protocol.Verdict) {
	if !v.OK() {
		return nil, v
	}
	p, v := r.Method.Read(g.Body)
	if !v.OK() {
		return nil, v
	}
	return &Gradient{*g, p}, v
}

// MaxGradient bounds a sealed gradient of the run: the limit for a download from its miner's bucket.
func (r Run) MaxGradient() int64 { return wire.MaxGradientSize(r.Format(), r.Params.PagesPerWindow) }

// MaxOpened bounds an opened gradient of the run: the limit for a download from the archive.
func (r Run) MaxOpened() int64 { return r.MaxGradient() + int64(len(wire.GradientKey{})) }

// Closing reads the closing statement of window w, which one of the run's aggregators must have signed, and its
// content hash.
func (r Run) Closing(b []byte, w protocol.Window) (*wire.Closing, protocol.Hash, protocol.Verdict) {
	return wire.DecodeClosing(b, r.Hash, w, func(h protocol.Hotkey) bool { return slices.Contains(r.Params.Aggregators, h) })
}

// Aggregate is an Aggregate with its update.
type Aggregate struct {
	wire.Aggregate
	Update method.Update // what the method reads in Body; nil when nothing is included
	Issue  wire.Issue    // the aggregator's signature; zero for one that is being made
}

// Aggregate reads the Aggregate of window w and term t, which an aggregator that may issue the term
// must have signed, its update, and its content hash. The Aggregate keeps b.
func (r Run) Aggregate(b []byte, w protocol.Window, t protocol.Term) (*Aggregate, protocol.Hash, protocol.Verdict) {
	a, hash, v := wire.DecodeAggregate(b, r.Format(), r.Hash, w, t, r.Params.MayIssue)
	if !v.OK() {
		return nil, protocol.Hash{}, v
	}
	out := &Aggregate{Aggregate: *a, Issue: wire.IssueOf(b)}
	if a.Body != nil {
		if out.Update, v = r.Method.ReadUpdate(a.Body); !v.OK() {
			return nil, protocol.Hash{}, v
		}
	}
	return out, hash, v
}

// Set sets the update, and its bytes as the body. A nil update requires that no gradients are
// included.
func (a *Aggregate) Set(u method.Update) {
	a.Update, a.Body = u, nil
	if u != nil {
		a.Body = u.Bytes()
	}
}
