package vectors

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"templar/internal/run"
	"templar/internal/workers"
	"templar/method/dctsign"
	"templar/protocol"
	"templar/wire"
)

// reader is the context of a file of objects (testkit/wire/README.md).
type reader struct {
	Run     protocol.Hash   `json:"run"`
	Window  protocol.Window `json:"window"`
	Term    protocol.Term   `json:"term"`
	UID     protocol.UID    `json:"uid"`
	Hotkey  protocol.Hotkey `json:"hotkey"`
	Tensors []struct {
		Name  string
		Shape []int
	} `json:"tensors"`
	Method      string `json:"method"`
	TargetChunk int    `json:"target_chunk"`
	TopK        int    `json:"topk_compression"`
	Pages       int    `json:"max_pages"`
	Peers       int    `json:"max_peers"`
	Values      int    `json:"sample_values"`
}

func verifyWire(b []byte) ([]Case, error) {
	var file struct {
		Context reader
		Cases   []struct {
			Name, Kind, Hex string
			Verdict         protocol.Verdict
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, err
	}
	r, err := file.Context.run()
	if err != nil {
		return nil, err
	}
	var cases []Case
	for _, v := range file.Cases {
		name := fmt.Sprintf("%s: %s", v.Kind, v.Name)
		object, err := hex.DecodeString(v.Hex)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		got, err := file.Context.judge(r, v.Kind, object)
		if err != nil {
			return nil, err
		}
		outcome := equal(name, []protocol.Verdict{got}, []protocol.Verdict{v.Verdict})
		if !outcome.OK {
			outcome.Fault = fmt.Sprintf("%v, want %v", got, v.Verdict)
		}
		cases = append(cases, outcome)
	}
	return cases, nil
}

// run is what a reader of the file's objects has set up.
func (r *reader) run() (out run.Run, err error) {
	if r.Method != dctsign.Name {
		return out, fmt.Errorf("method %q: the vectors are of %s", r.Method, dctsign.Name)
	}
	var layout protocol.Layout
	for _, t := range r.Tensors {
		if size, ok := sizeOf(t.Shape); !ok || size > maxValues/len(r.Tensors) {
			return out, fmt.Errorf("tensor %s: shape %v", t.Name, t.Shape)
		}
		next := protocol.Tensor{Name: t.Name, Shape: t.Shape}
		if len(layout) > 0 {
			last := layout[len(layout)-1]
			next.Offset = last.Offset + last.Size()
		}
		layout = append(layout, next)
	}
	out.Params = &protocol.Params{Aggregators: []protocol.Hotkey{r.Hotkey}, PagesPerWindow: r.Pages}
	out.Hash = r.Run
	out.Method, err = dctsign.Of(layout, dctsign.Params{
		TargetChunk: r.TargetChunk, TopK: r.TopK, LearningRate: 1, TMax: 1, EvalLRFactor: 1, // of no effect on bodies
	}, workers.Pool{})
	return out, err
}

func (r *reader) judge(run run.Run, kind string, b []byte) (v protocol.Verdict, err error) {
	want := wire.Expect{Run: r.Run, Window: r.Window, UID: r.UID, Hotkey: r.Hotkey}
	var most int64
	var decode func()
	switch kind {
	case "gradient":
		most, decode = run.MaxOpened(), func() { _, v = run.Gradient(b, want) }
	case "aggregate":
		most, decode = wire.MaxAggregateSize(run.Format(), r.Peers), func() { _, _, v = run.Aggregate(b, r.Window, r.Term) }
	case "closing":
		most, decode = wire.MaxClosingSize(r.Peers), func() { _, _, v = run.Closing(b, r.Window) }
	case "key":
		most, decode = int64(wire.KeySize), func() { _, v = wire.DecodeKey(b, want) }
	case "sample":
		most, decode = wire.MaxSampleSize(r.Values), func() { _, v = wire.DecodeSample(b, want, r.Values) }
	default:
		return v, fmt.Errorf("unknown kind %q: have gradient, aggregate, sample, closing, key", kind)
	}
	if int64(len(b)) > most {
		return protocol.VerdictTooLarge, nil
	}
	decode()
	return v, nil
}
