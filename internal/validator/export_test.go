package validator

import (
	"context"

	"templar/internal/replica"
	"templar/internal/score"
	"templar/protocol"
)

// Settle is settle of a validator at its stop window that still owes a checkpoint.
func Settle(ctx context.Context, d Deps, m *replica.Replica) error {
	v := &Validator{Deps: d, model: m, owed: true, shelf: new(shelf)}
	return v.settle(ctx)
}

// Send is sendReports of a validator whose book stands before window next.
func Send(ctx context.Context, d Deps, next protocol.Window) {
	v := &Validator{Deps: d, book: score.Book{Next: next}}
	v.sendReports(ctx, d.Params.WindowTime())
}
