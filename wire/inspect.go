package wire

import (
	"math"
	"time"

	"templar/protocol"
)

// Report is what an object says about itself. Fields that its kind does not have are zero.
type Report struct {
	Kind    string          `json:"kind"`
	Bytes   int             `json:"bytes"`
	Run     protocol.Hash   `json:"run"`
	Window  protocol.Window `json:"window"`
	Hotkey  protocol.Hotkey `json:"hotkey"`
	Content protocol.Hash   `json:"content_hash"`

	// Gradients and Aggregates.
	Method string         `json:"method,omitempty"`
	Layout *protocol.Hash `json:"layout_hash,omitempty"`
	Body   int            `json:"body_bytes,omitempty"`
	Raw    []byte         `json:"-"` // the body, for the method to read

	// Gradients and samples.
	UID        *protocol.UID `json:"uid,omitempty"`
	GlobalStep *uint64       `json:"global_step,omitempty"`

	// Gradients. Sealed is true for one without its key behind it.
	Sealed     bool           `json:"sealed,omitempty"`
	KeyHash    *protocol.Hash `json:"key_hash,omitempty"` // and of keys
	Ciphertext *protocol.Hash `json:"ciphertext_hash,omitempty"`

	Tokens uint64   `json:"tokens,omitempty"`
	Pages  []uint64 `json:"pages,omitempty"`
	// Payload is the method's description of the body, set by a tool that has the run's method.
	Payload string `json:"payload,omitempty"`

	// Aggregates and samples.
	Term *protocol.Term `json:"term,omitempty"`

	// Aggregates.
	Origin       *protocol.Hash   `json:"origin,omitempty"`
	Start        *protocol.Window `json:"start_window,omitempty"`
	UploadFrom   *time.Time       `json:"upload_from,omitempty"`
	Delta        time.Duration    `json:"delta_ns,omitempty"`
	LearningRate float32          `json:"learning_rate,omitempty"`
	Previous     *protocol.Hash   `json:"previous,omitempty"`
	Closing      *protocol.Hash   `json:"closing,omitempty"` // and of keys
	Included     []Included       `json:"included,omitempty"`
	Skipped      []Skipped        `json:"skipped,omitempty"`

	// Samples.
	Aggregate *protocol.Hash `json:"aggregate,omitempty"`
	State     *protocol.Hash `json:"state_hash,omitempty"`
	Values    int            `json:"values,omitempty"`
}

// Inspect reports the contents of a message, and the verdict of a reader that expects its
// run, window, uid and hotkey. Without the run's Format (nil) any method is accepted. It is
// for tools: a node decodes what it expects.
func Inspect(b []byte, f *Format) (Report, protocol.Verdict) {
	h, v := Peek(b)
	if !v.OK() {
		return Report{Bytes: len(b)}, v
	}
	i := Report{Kind: h.Kind.String(), Bytes: len(b), Run: h.Run, Window: h.Window, Hotkey: h.Hotkey, Content: ContentHash(b)}
	message := b
	switch h.Kind {
	case KindAggregate, KindClosing:
		i.Content = AggregateHash(b)
	case KindGradient:
		i.Content, message = GradientHash(b), b[:min(len(b), GradientHeaderSize)]
	case KindSample, KindKey:
	default:
		return i, protocol.VerdictMalformed
	}
	_, body, v := open(message, h.Kind, func(Header) bool { return true })
	if !v.OK() {
		return i, v
	}
	r := &reader{b: body}
	switch h.Kind {
	case KindGradient:
		v = i.gradient(b, r, f)
	case KindClosing:
		v = i.closing(r)
	case KindKey:
		v = i.key(r)
	case KindAggregate:
		v = i.aggregate(r, f)
	case KindSample:
		v = i.sample(r)
	}
	return i, v
}

// gradient reports on the header of a sealed gradient, and on its content where the key follows it.
func (i *Report) gradient(b []byte, r *reader, f *Format) protocol.Verdict {
	uid := protocol.UID(r.uint16())
	i.UID = &uid
	want := Expect{i.Run, i.Window, uid, i.Hotkey}
	if h, v := DecodeGradientHeader(b, int64(len(b)), want); v.OK() {
		i.Sealed, i.KeyHash, i.Ciphertext = true, &h.Key, &h.Ciphertext
		_, v = DecodeSealed(b, want)
		return v
	}
	sealed, key, ok := SplitGradient(b)
	if !ok {
		return protocol.VerdictMalformed
	}
	h, v := DecodeSealed(sealed, want)
	if !v.OK() {
		return v
	}
	i.KeyHash, i.Ciphertext = &h.Key, &h.Ciphertext
	plain, v := unseal(sealed, key, h)
	if !v.OK() {
		return v
	}
	return i.opened(&reader{b: plain}, f)
}

func (i *Report) opened(r *reader, f *Format) protocol.Verdict {
	step := r.uint64()
	i.GlobalStep, i.Tokens = &step, r.uint64()
	i.Pages = make([]uint64, r.count(8))
	for k := range i.Pages {
		i.Pages[k] = r.uint64()
	}
	if r.short {
		return protocol.VerdictMalformed
	}
	return i.method(r, f, func(f *Format) int64 { return f.MaxPayload })
}

// method reads the method's part.
func (i *Report) method(r *reader, f *Format, limit func(*Format) int64) protocol.Verdict {
	before := *r
	got, v := named(r)
	if !v.OK() {
		return v
	}
	i.Method, i.Layout, i.Body, i.Raw = got.Method, &got.Layout, len(r.b), r.b
	if f != nil {
		_, v = f.read(&before, limit(f))
	}
	return v
}

func (i *Report) aggregate(r *reader, f *Format) protocol.Verdict {
	a := Aggregate{Window: i.Window}
	v := a.readFields(r)
	i.Term, i.Origin = &a.Term, &a.Origin
	i.Start, i.UploadFrom, i.Delta, i.LearningRate = &a.Start, &a.UploadFrom, a.Delta, a.LearningRate
	i.Previous, i.Closing, i.Included, i.Skipped = &a.Previous, &a.Closing, a.Included, a.Skipped
	if !v.OK() {
		i.LearningRate = 0 // perhaps not representable in JSON
		return v
	}
	if v = i.method(r, f, func(f *Format) int64 { return f.MaxUpdate }); !v.OK() {
		return v
	}
	return a.take(i.Raw)
}

func (i *Report) closing(r *reader) protocol.Verdict {
	c := Closing{}
	v := c.read(r)
	i.UploadFrom, i.Included = &c.UploadFrom, c.Listed
	return v
}

// key reports on a key object, and hides the key.
func (i *Report) key(r *reader) protocol.Verdict {
	uid := protocol.UID(r.uint16())
	k, v := readKeyFields(r)
	if !v.OK() {
		return v
	}
	hash := k.Key.Hash()
	i.UID, i.Closing, i.KeyHash = &uid, &k.Closing, &hash
	return v
}

func (i *Report) sample(r *reader) protocol.Verdict {
	uid := protocol.UID(r.uint16())
	step, issue, state := r.uint64(), r.issue(i.Window), r.hash()
	n := r.uint32()
	if r.short || uint64(len(r.b)) != 4*uint64(n) {
		return protocol.VerdictMalformed
	}
	i.UID, i.GlobalStep, i.Term, i.Aggregate, i.State, i.Values = &uid, &step, &issue.Term, &issue.Content, &state, int(n)
	for range n {
		if !finite(math.Float32frombits(r.uint32())) {
			return protocol.VerdictNonFinite
		}
	}
	return protocol.VerdictOK
}
