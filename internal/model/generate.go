package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Logits scores the token that follows a sequence, with parameters that it holds.
type Logits interface {
	Logits(ctx context.Context, tokens []int32) ([]float32, error)
}

// Sampling says how Generate chooses tokens.
type Sampling struct {
	Temperature float64 // 0 takes the likeliest token
	TopK        int     // only the likeliest TopK are drawn; 0 means all
	Context     int     // tokens that the model sees: at most its max_position_embeddings
	Seed        uint64
}

// Generate continues prompt by n tokens and hands each to emit, whose error ends it.
// The same seed gives the same tokens.
func Generate(ctx context.Context, l Logits, prompt []int32, n int, s Sampling, emit func(token int32) error) error {
	if len(prompt) == 0 {
		return errors.New("generate: the prompt is empty")
	}
	if !(s.Temperature >= 0) || math.IsInf(s.Temperature, 0) || s.TopK < 0 || s.Context < 1 {
		return fmt.Errorf("generate: temperature %v and top-k %d must not be negative, context %d must be positive", s.Temperature, s.TopK, s.Context)
	}
	rng := rand.New(rand.NewPCG(s.Seed, 0))
	tokens := slices.Clone(prompt)
	for range n {
		logits, err := l.Logits(ctx, tokens[max(len(tokens)-s.Context, 0):])
		if err != nil {
			return fmt.Errorf("generate: %w", err)
		}
		id := s.choose(logits, rng)
		if err := emit(id); err != nil {
			return err
		}
		tokens = append(tokens, id)
	}
	return nil
}

// choose draws from softmax(logits / temperature) over the likeliest TopK.
func (s Sampling) choose(logits []float32, rng *rand.Rand) int32 {
	ids := make([]int32, len(logits))
	for i := range ids {
		ids[i] = int32(i)
	}
	slices.SortStableFunc(ids, func(a, b int32) int { return cmp.Compare(logits[b], logits[a]) })
	if s.Temperature == 0 {
		return ids[0]
	}
	if s.TopK > 0 && s.TopK < len(ids) {
		ids = ids[:s.TopK]
	}
	weights, sum := make([]float64, len(ids)), 0.0
	for i, id := range ids {
		weights[i] = math.Exp(float64(logits[id]-logits[ids[0]]) / s.Temperature)
		sum += weights[i]
	}
	at := rng.Float64() * sum
	for i, w := range weights {
		if at -= w; at < 0 {
			return ids[i]
		}
	}
	return ids[len(ids)-1]
}
