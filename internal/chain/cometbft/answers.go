package cometbft

import (
	"context"
	"encoding/json"
	"sync"

	cmtjson "github.com/cometbft/cometbft/libs/json"
)

// maxAnswers bounds the memory for kept answers, in bytes.
const maxAnswers = 64 << 20

// answers keeps encoded answers until the next block, so that a crowd that asks the same costs
// one encoding a block. It is safe for concurrent use.
type answers struct {
	mu struct {
		sync.Mutex
		height int64
		size   int
		kept   map[string]*answer
	}
}

// answer is one on its way, until done is closed.
type answer struct {
	done chan struct{}
	raw  json.RawMessage
	err  error
}

// at returns the answer to a question at a height, and computes it if no caller did.
func (a *answers) at(ctx context.Context, height int64, question string, compute func() (any, error)) (json.RawMessage, error) {
	a.mu.Lock()
	if height != a.mu.height || a.mu.kept == nil {
		a.mu.height, a.mu.size, a.mu.kept = height, 0, map[string]*answer{}
	}
	one, ok := a.mu.kept[question]
	if !ok {
		one = &answer{done: make(chan struct{})}
		a.mu.kept[question] = one
	}
	a.mu.Unlock()
	if !ok {
		a.compute(one, height, question, compute)
	}
	select {
	case <-one.done:
		return one.raw, one.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (a *answers) compute(one *answer, height int64, question string, compute func() (any, error)) {
	defer close(one.done)
	v, err := compute()
	if err == nil {
		one.raw, err = encodeAnswer(v)
	}
	one.err = err
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.height != height {
		return
	}
	if a.mu.size += len(one.raw) + len(question); err != nil || a.mu.size > maxAnswers {
		a.mu.size -= len(one.raw) + len(question)
		delete(a.mu.kept, question)
	}
}

// encodeAnswer encodes as CometBFT does. What is encoded is left as it is.
func encodeAnswer(v any) (json.RawMessage, error) {
	if raw, ok := v.(json.RawMessage); ok {
		return raw, nil
	}
	return cmtjson.Marshal(v)
}
