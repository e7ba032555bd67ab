package resume

import (
	"context"
	"fmt"
	"time"

	"templar/internal/checkpoint"
	"templar/internal/replica"
	"templar/internal/store"
	"templar/protocol"
)

// saveRate bounds what a node writes to its own disk on average, in bytes a second, and saveEvery how
// often: a small model is saved every few seconds, one of 1.2 billion parameters every ten minutes.
// A crash loses the private state, such as momentum, since the last save; parameters are restored
// from Aggregates.
const (
	saveRate  = 16 << 20
	saveEvery = 5 * time.Second
)

// SavePause is the least time between two saves of so many values.
func SavePause(values int) time.Duration {
	return max(saveEvery, time.Duration(4*float64(values)/saveRate*float64(time.Second)))
}

// Finals makes the list of final states durable in a node's own directory, so that the next start needs no
// other node to know that one of its checkpoints is final. A final state is a checkpoint and the Aggregates after
// it, so that no second copy of the parameters is in memory.
type Finals struct {
	Run   protocol.Hash
	Local store.Bucket

	kept replica.Mark // the newest that is durable
}

// Keep saves what has become final.
func (f *Finals) Keep(ctx context.Context, r *replica.Replica) error {
	if r.Final() == f.kept || len(r.Finals()) == 0 {
		return nil
	}
	if err := store.SaveFile(ctx, f.Local, checkpoint.FinalsFile, checkpoint.Finals{Run: f.Run, Finals: r.Finals()}); err != nil {
		return fmt.Errorf("save final states: %w", err)
	}
	f.kept = r.Final()
	return nil
}
