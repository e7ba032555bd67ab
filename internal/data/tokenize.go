package data

import (
	"context"
	"iter"

	"golang.org/x/sync/errgroup"
)

// parcel is a document on its way through the tokenizer.
type parcel struct {
	document
	file, record int
	tokens       []int32
	ready        chan struct{} // closed when tokens are there
}

// pending yields the documents that are not done yet.
func (b *fileBuild) pending() iter.Seq2[*parcel, error] {
	from, skip := b.File, b.Record // the writer moves on while this reads ahead
	return func(yield func(*parcel, error) bool) {
		for file := from; file < len(b.inputs); file++ {
			record := 0
			for d, err := range b.inputs[file].documents() {
				if err == nil && record < skip {
					record++
					continue
				}
				if !yield(&parcel{document: d, file: file, record: record, ready: make(chan struct{})}, err) || err != nil {
					return
				}
				record++
			}
			skip = 0
		}
	}
}

// tokenize encodes documents in several goroutines and hands them to done in order,
// from one more.
func tokenize(ctx context.Context, documents iter.Seq2[*parcel, error], t Tokenizer, workers int, done func(*parcel) error) error {
	g, ctx := errgroup.WithContext(ctx)
	work, order := make(chan *parcel, 4*workers), make(chan *parcel, 8*workers)
	g.Go(func() error {
		defer close(work)
		defer close(order)
		for p, err := range documents {
			if err != nil {
				return err
			}
			for _, to := range []chan<- *parcel{work, order} {
				select {
				case to <- p:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		return nil
	})
	for range workers {
		g.Go(func() error {
			for p := range work {
				if p.skip == "" {
					p.tokens = t.Encode(nil, p.text)
				}
				close(p.ready)
			}
			return nil
		})
	}
	g.Go(func() error {
		for p := range order {
			select {
			case <-p.ready:
			case <-ctx.Done():
				return ctx.Err()
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := done(p); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}
