package vectors

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"templar/codec"
	"templar/protocol"
	"templar/wire"
)

// reader is the context of a file of objects (testkit/wire/README.md).
type reader struct {
	Run     protocol.Hash   `json:"run"`
	Window  protocol.Window `json:"window"`
	UID     protocol.UID    `json:"uid"`
	Hotkey  protocol.Hotkey `json:"hotkey"`
	Tensors []struct {
		Name  string
		Shape []int
	} `json:"tensors"`
	TargetChunk int `json:"target_chunk"`
	TopK        int `json:"topk_compression"`
	Pages       int `json:"max_pages"`
	Peers       int `json:"max_peers"`
	Values      int `json:"sample_values"`
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
	c, err := file.Context.codec()
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
		got, err := file.Context.judge(c, v.Kind, object)
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

func (r *reader) codec() (*codec.Codec, error) {
	var layout protocol.Layout
	for _, t := range r.Tensors {
		if size, ok := sizeOf(t.Shape); !ok || size > maxValues/len(r.Tensors) {
			return nil, fmt.Errorf("tensor %s: shape %v", t.Name, t.Shape)
		}
		next := protocol.Tensor{Name: t.Name, Shape: t.Shape}
		if len(layout) > 0 {
			last := layout[len(layout)-1]
			next.Offset = last.Offset + last.Size()
		}
		layout = append(layout, next)
	}
	return codec.New(layout, codec.Spec{TargetChunk: r.TargetChunk, TopK: r.TopK})
}

func (r *reader) judge(c *codec.Codec, kind string, b []byte) (v protocol.Verdict, err error) {
	want := wire.Expect{Run: r.Run, Window: r.Window, UID: r.UID, Hotkey: r.Hotkey}
	var most int64
	var decode func()
	switch kind {
	case "gradient":
		most, decode = wire.MaxGradientSize(c, r.Pages), func() { _, v = wire.DecodeGradient(b, c, want) }
	case "aggregate":
		most, decode = wire.MaxAggregateSize(c, r.Peers), func() {
			_, _, v = wire.DecodeAggregate(b, c, r.Run, r.Window, []protocol.Hotkey{r.Hotkey})
		}
	case "sample":
		most, decode = wire.MaxSampleSize(r.Values), func() { _, v = wire.DecodeSample(b, want, r.Values) }
	default:
		return v, fmt.Errorf("unknown kind %q: have gradient, aggregate, sample", kind)
	}
	if int64(len(b)) > most {
		return protocol.VerdictTooLarge, nil
	}
	decode()
	return v, nil
}
