package validator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"templar/internal/score"
	"templar/internal/store"
	"templar/internal/versioned"
)

// loadBook reads the scores of earlier runs of this validator. A damaged file is an error; it is
// never ignored.
func (v *Validator) loadBook(ctx context.Context) (score.Book, error) {
	body, _, err := v.Local.Get(ctx, score.BookFile.Name, -1)
	if errors.Is(err, store.ErrNotFound) {
		return score.Book{}, nil
	}
	if err != nil {
		return score.Book{}, err
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		return score.Book{}, err
	}
	book, err := score.DecodeBook(b)
	if versioned.Is(err) {
		return score.Book{}, err
	}
	if err != nil {
		return score.Book{}, fmt.Errorf("%s in the data directory cannot be read: %w; restore it from a backup, or move it away to begin with empty scores", score.BookFile.Name, err)
	}
	return book, nil
}

func (v *Validator) saveBook(ctx context.Context, b score.Book) error {
	raw, err := b.Encode()
	if err != nil {
		return err
	}
	if _, err := v.Local.Put(ctx, score.BookFile.Name, bytes.NewReader(raw), int64(len(raw)), store.PutOptions{}); err != nil {
		return fmt.Errorf("save scores: %w", err)
	}
	return nil
}
