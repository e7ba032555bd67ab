package validator

import (
	"context"

	"templar/internal/replica"
	"templar/internal/role"
)

// Settle is settle of a validator at its stop window that still owes a checkpoint.
func Settle(ctx context.Context, d role.Deps, m *replica.Replica) error {
	v := &Validator{Deps: d, model: m, owed: true}
	return v.settle(ctx)
}
