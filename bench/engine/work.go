package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/model"
	"templar/protocol"
)

// work measures one job in this process.
func work(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	m, err := modelOf(j)
	if err != nil {
		return err
	}
	e, err := cpu.New(m, cpu.Options{Threads: j.Threads, BLAS: j.BLAS})
	if err != nil {
		return err
	}
	defer e.Close()
	params := model.Init(m, 1)
	momentum := make([]float32, len(params))
	copy(momentum, params) // touched, as a miner's is
	if err := e.Load(context.Background(), params); err != nil {
		return err
	}
	b := batch(j, m)
	best := time.Duration(1 << 62)
	for begin := time.Now(); time.Since(begin).Seconds() < j.Seconds || best == 1<<62; {
		once := time.Now()
		if _, err := e.Accumulate(context.Background(), b, 1); err != nil {
			return err
		}
		best = min(best, time.Since(once))
	}
	return json.NewEncoder(os.Stdout).Encode(result{
		Seconds: best.Seconds(), What: e.BLAS(), Peak: peak(), Needed: 4 * int64(3*len(params)+activations(j, m)),
	})
}

func modelOf(j job) (m protocol.Model, err error) {
	text, err := json.Marshal(j.Model)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	return m, err
}

func batch(j job, m protocol.Model) engine.Batch {
	rng := rand.New(rand.NewPCG(1, 2))
	b := engine.Batch{Rows: j.Rows, Cols: j.Cols}
	for range j.Rows * j.Cols {
		b.Inputs = append(b.Inputs, rng.Int32N(int32(m.VocabSize)))
	}
	b.Targets = b.Inputs
	return b
}

// activations is the number of forward values that backward needs (docs/engine.md).
func activations(j job, m protocol.Model) int {
	return j.Rows * j.Cols * m.Layers * (6*m.HiddenSize + 2*m.KVHeads*m.HeadDim() + 3*m.IntermediateSize + m.Heads + 2)
}

// peak is the peak memory of this process, 0 where the system does not report it.
func peak() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		var kib int64
		if text, ok := strings.CutPrefix(string(line), "VmHWM:"); ok {
			if _, err := fmt.Sscan(text, &kib); err == nil {
				return kib << 10
			}
		}
	}
	return 0
}
