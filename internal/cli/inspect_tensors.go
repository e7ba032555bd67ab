package cli

import (
	"io"
	"math"

	"templar/internal/safetensors"
	"templar/protocol"
)

// tensors is what a safetensors file holds.
type tensors struct {
	Kind       string            `json:"kind"`
	Parameters int               `json:"parameters"`
	Tensors    []tensorLine      `json:"tensors"`
	Metadata   map[string]string `json:"metadata,omitempty"`
}

type tensorLine struct {
	Name    string            `json:"name"`
	DType   safetensors.DType `json:"dtype"`
	Shape   []int             `json:"shape"`
	Largest float32           `json:"largest"` // magnitude
}

func inspectTensors(file string, r io.Reader, size int64) inspected {
	i := inspected{File: file, Verdict: protocol.VerdictMalformed}
	reader, err := safetensors.NewReader(r, size)
	if err != nil {
		i.Reason = err.Error()
		return i
	}
	h := reader.Header()
	holds := tensors{Kind: "safetensors", Metadata: h.Metadata}
	i.Verdict = protocol.VerdictOK
	for _, t := range h.Tensors {
		values := make([]float32, t.Size()) // the header's sizes have been held against the file's
		if err := reader.Next(values); err != nil {
			i.Verdict, i.Reason = protocol.VerdictMalformed, err.Error()
			return i
		}
		line := tensorLine{Name: t.Name, DType: t.DType, Shape: t.Shape}
		for _, v := range values {
			if m := math.Abs(float64(v)); math.IsNaN(m) || math.IsInf(m, 0) {
				i.Verdict, i.Reason = protocol.VerdictNonFinite, "tensor "+t.Name
			} else {
				line.Largest = max(line.Largest, float32(m))
			}
		}
		holds.Parameters += len(values)
		holds.Tensors = append(holds.Tensors, line)
	}
	i.Holds = holds
	return i
}
