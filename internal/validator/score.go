package validator

import (
	"context"
	"fmt"

	"templar/internal/telemetry"
	"templar/protocol"
)

// score judges window w and closes the books on it. The scores are durable before they
// are published.
func (v *Validator) score(ctx context.Context, w protocol.Window) (*session, error) {
	s, err := v.gather(ctx, w)
	if err != nil {
		return nil, err
	}
	v.compare(ctx, s)
	if err := v.evaluate(ctx, s); err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	v.Events.Phase(w, "scoring")
	book, lines, err := v.book.Close(w, s.seen, v.Params)
	if err != nil {
		return nil, err
	}
	v.keepReport(ctx, v.newReport(s, v.book, lines, book))
	if err := v.saveBook(ctx, book); err != nil {
		return nil, err
	}
	v.book = book
	v.Events.Emit(w, telemetry.Scored{Miners: lines})
	return s, nil
}
