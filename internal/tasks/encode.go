package tasks

import (
	"fmt"
	"strings"

	"templar/internal/data"
	"templar/internal/engine"
)

// Encoder turns requests into tokens as a model expects them.
type Encoder struct {
	tokenizer  data.Tokenizer
	before     []int32 // what the model expects before a text
	prefix     int32   // stands for an empty context; none: -1
	vocabulary int
	window     int // tokens that the model sees
}

// NewEncoder returns an Encoder for a model with a vocabulary, which sees so many tokens at once.
func NewEncoder(t data.Tokenizer, vocabulary, window int) *Encoder {
	e := &Encoder{tokenizer: t, prefix: -1, vocabulary: vocabulary, window: window}
	if t, ok := t.(interface {
		Around() (before, after []int32)
	}); ok {
		e.before, _ = t.Around()
	}
	if t, ok := t.(interface{ End(string) (int32, bool) }); ok {
		for _, key := range []string{"eos_token", "bos_token"} { // the latter, where there is one
			if id, ok := t.End(key); ok {
				e.prefix = id
			}
		}
	}
	if e.prefix < 0 && len(e.before) > 0 {
		e.prefix = e.before[0]
	}
	return e
}

// sequence is a request in tokens: the model sees inputs, and the last ones of them are to predict
// the continuation.
type sequence struct {
	inputs       []int32
	continuation []int32
}

// sequence encodes a request. Context and continuation are encoded together, since a token may begin with the
// space between them, and white space at the context's end belongs to the continuation. A context too long loses
// its beginning.
func (e *Encoder) sequence(r Request) (sequence, error) {
	var context, continuation []int32
	if r.Context == "" {
		continuation = e.tokenizer.Encode(nil, []byte(r.Continuation))
		switch {
		case e.prefix >= 0 && (len(continuation) == 0 || continuation[0] != e.prefix):
			context = []int32{e.prefix}
		case len(continuation) > 0: // its first token stands for the context
			context, continuation = continuation[:1:1], continuation[1:]
		}
	} else {
		head := strings.TrimRightFunc(r.Context, isSpace)
		context = e.encode(head)
		whole := e.encode(r.Context + r.Continuation)
		continuation = whole[min(len(context), len(whole)):]
		if len(context) == 0 && e.prefix >= 0 {
			context = []int32{e.prefix}
		}
	}
	switch {
	case len(continuation) == 0 || len(context) == 0:
		return sequence{}, fmt.Errorf("the answer %.40q has no token of its own", r.Continuation)
	case len(continuation) > e.window:
		return sequence{}, fmt.Errorf("the answer %.40q has %d tokens: the model sees %d", r.Continuation, len(continuation), e.window)
	}
	all := append(context[:len(context):len(context)], continuation...)
	for _, id := range all {
		if int(id) >= e.vocabulary {
			return sequence{}, fmt.Errorf("the token %q, id %d: the model has embeddings for %d only", e.tokenizer.Decode([]int32{id}), id, e.vocabulary)
		}
	}
	all = all[max(0, len(all)-e.window-1):]
	return sequence{all[:len(all)-1], continuation}, nil
}

// encode is the text behind what the model expects, unless it begins with that.
func (e *Encoder) encode(text string) []int32 {
	n := len(e.before)
	ids := e.tokenizer.Encode(append(make([]int32, 0, n+len(text)/3), e.before...), []byte(text))
	if n > 0 && len(ids) > n && ids[n] == e.before[0] {
		return ids[n:]
	}
	return ids
}

// fill writes a sequence to a row of a batch.
func (s sequence) fill(b engine.Batch, row int) {
	inputs, targets := b.Inputs[row*b.Cols:][:b.Cols], b.Targets[row*b.Cols:][:b.Cols]
	for i := range targets {
		targets[i] = engine.Ignore
	}
	clear(inputs[copy(inputs, s.inputs):])
	copy(targets[len(s.inputs)-len(s.continuation):], s.continuation)
}
