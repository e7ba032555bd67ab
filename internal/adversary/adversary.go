// Package adversary implements dishonest miners: attacks that try to be paid for a miner's work
// without doing it, or to harm the model. A validator must distinguish them from honest work.
//
// A cheater is the real miner with modified parts (its bucket, its engine). No role contains
// code for it, and its uploads are real objects in the real store, signed with its own key where
// the attack needs a valid signature:
//
//	p = adversary.Member{Kind: adversary.Copycat}.Corrupt(p)
//	err := miner.New(cfg, p.ForMiner()).Run(ctx)
package adversary

import (
	"context"
	"io"
	"slices"

	"templar/internal/engine"
	"templar/internal/parts"
	"templar/internal/run"
	"templar/method"
	"templar/wire"
)

// Kind names a way to cheat.
type Kind string

// The kinds of cheaters; Doc describes them.
const (
	Lazy             Kind = "lazy"
	HonestThenLazy   Kind = "honest-then-lazy"
	Noise            Kind = "noise"
	Copycat          Kind = "copycat"
	CopycatPermuted  Kind = "copycat-permuted"
	CopycatPerturbed Kind = "copycat-perturbed"
	CopycatEvasive   Kind = "copycat-evasive"
	Sybil            Kind = "sybil"
	Stale            Kind = "stale"
	Flipped          Kind = "flipped"
	Huge             Kind = "huge"
	WrongPages       Kind = "wrong-pages"
	Desync           Kind = "desync"
	NaN              Kind = "nan"
	Inf              Kind = "inf"
	Early            Kind = "early"
	Late             Kind = "late"
	Oversized        Kind = "oversized"
	Truncated        Kind = "truncated"
	WrongSignature   Kind = "wrong-signature"
	Impostor         Kind = "impostor"
	Junk             Kind = "junk"
	ZeroKey          Kind = "zero-key"
	Blend            Kind = "blend"
	BlendOwn         Kind = "blend-own"
	Frame            Kind = "frame"
	Collude          Kind = "collude"
	Withhold         Kind = "withhold"
)

// attack is the implementation of a kind. Fields that are nil leave the honest behaviour.
type attack struct {
	kind Kind
	doc  string
	// gradient returns the object that is stored in place of g's, under the key of g, which it
	// may change; nil stores nothing.
	gradient func(context.Context, *cheater, *run.Gradient) ([]byte, error)
	engine   func(*cheater) engine.Engine
	sample   func(context.Context, *cheater, *wire.Sample) error
	// withholds reports that the key of the gradient is not revealed.
	withholds bool
}

// attacks lists all kinds: first those that only statistics can detect, then those that fail a
// check.
var attacks = []attack{
	{kind: Noise, doc: "sends random values in a valid form", gradient: noise, engine: idle},
	{kind: Copycat, doc: "copies the best paid miner's newest gradient that it can open, of the window before, and signs it as its own", gradient: copycat, engine: idle},
	{kind: CopycatPermuted, doc: "copies, and mixes the values up among the coefficients of each chunk", gradient: copycatPermuted, engine: idle},
	{kind: CopycatPerturbed, doc: "copies, scales every value by up to 30 % and leaves a tenth out", gradient: copycatPerturbed, engine: idle},
	{kind: CopycatEvasive, doc: "copies, and changes enough to pass for its own", gradient: copycatEvasive, engine: idle},
	{kind: Sybil, doc: "several uids: the first trains, the others send its gradient as theirs", gradient: sybil, engine: sybilEngine},
	{kind: Blend, doc: "sends the mean of the others' newest gradients that it can open, without training", gradient: blend, engine: idle},
	{kind: BlendOwn, doc: "trains on half of its batches, and mixes its gradient with the mean of the others' newest", gradient: blendOwn, engine: halfPages},
	{kind: Frame, doc: "repeats the training of the miner with the lowest uid on that miner's pages, to make it look like a copier", engine: victimsPages},
	{kind: Collude, doc: "several uids: each trains, they exchange their gradients before the deadline, and each sends the mean", gradient: collude},
	{kind: Withhold, doc: "uploads in time and never reveals its key", engine: idle, withholds: true},
	{kind: Stale, doc: "sends the gradient of the window before", gradient: stale},
	{kind: Flipped, doc: "sends its gradient with the opposite sign", gradient: flipped},
	{kind: Huge, doc: "sends its gradient times a million", gradient: huge},
	{kind: WrongPages, doc: "trains on other pages than those assigned to it", engine: otherPages},
	{kind: Desync, doc: "trains on another model than the network's, five steps off", engine: desynced, sample: desyncedSample},
	{kind: Lazy, doc: "sends nothing", gradient: nothing, engine: idle},
	{kind: HonestThenLazy, doc: "works until it is paid, then sends nothing", gradient: nothingOncePaid},
	{kind: NaN, doc: "sends a value that is not a number", gradient: notANumber, engine: idle},
	{kind: Inf, doc: "sends an infinite value", gradient: infinite, engine: idle},
	{kind: Early, doc: "uploads a window's gradient before the window has begun", gradient: early},
	{kind: Late, doc: "uploads after the deadline", gradient: late},
	{kind: Oversized, doc: "uploads more bytes than a gradient can have", gradient: oversized, engine: idle},
	{kind: Truncated, doc: "uploads the first half of its gradient", gradient: truncated, engine: idle},
	{kind: WrongSignature, doc: "uploads a gradient whose signature is false", gradient: wrongSignature, engine: idle},
	{kind: Impostor, doc: "uploads in another miner's name, signed with its own key", gradient: impostor, engine: idle},
	{kind: Junk, doc: "uploads random bytes, as idle hotkeys that want to be drawn for evaluation do", gradient: junk, engine: idle},
	{kind: ZeroKey, doc: "registers the all-zero hotkey, whose signatures any node can make, and uploads in its name", gradient: zeroKey, engine: idle},
}

// Kinds lists all kinds.
func Kinds() []Kind {
	out := make([]Kind, len(attacks))
	for i, a := range attacks {
		out[i] = a.kind
	}
	return out
}

// Doc describes a kind in one line; it is empty for an unknown kind.
func (k Kind) Doc() string { return k.attack().doc }

func (k Kind) attack() attack {
	if i := slices.IndexFunc(attacks, func(a attack) bool { return a.kind == k }); i >= 0 {
		return attacks[i]
	}
	return attack{}
}

// Corrupt returns the parts of an honest miner with the attack's modifications. The uids of a
// sybil's members must be consecutive in the order of their Index.
func (m Member) Corrupt(d parts.Parts) parts.Parts {
	a := m.Kind.attack()
	c := &cheater{Parts: d, index: m.Index}
	c.key = &recorder{Reader: d.Random}
	d.Random = c.key
	d.Own = &bucket{Bucket: d.Own, cheater: c, attack: a}
	if a.engine != nil {
		d.Engine = a.engine(c)
	}
	if _, idle := d.Engine.(idler); idle {
		d.Events.Sink = withoutTraining(d.Events.Sink)
	}
	return d
}

// cheater is the state of an attack: the honest parts and what it keeps between windows.
type cheater struct {
	parts.Parts
	index int // among those of its kind
	key   *recorder

	last  method.Payload // of the window before
	paid  bool           // at some time
	shift []float32      // from the network's parameters to its own
	tried bool           // to register the all-zero hotkey
}

// recorder remembers the key that was drawn last, with which the honest miner has sealed its gradient. What is stored
// instead is sealed with it too, so that the miner reveals it.
type recorder struct {
	io.Reader
	last wire.GradientKey
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	copy(r.last[:], b[:n])
	return n, err
}

// sign returns g as a sealed object in the cheater's own name.
func (c *cheater) sign(g *run.Gradient) ([]byte, error) {
	opened, err := wire.EncodeGradient(&g.Gradient, c.Run.Format(), c.key.last, c.Signer)
	sealed, _, _ := wire.SplitGradient(opened)
	return sealed, err
}

// carry replaces the gradient's payload.
func carry(g *run.Gradient, p method.Payload) {
	g.Payload, g.Body = p, p.Bytes()
}
