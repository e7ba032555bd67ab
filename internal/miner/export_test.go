package miner

import (
	"time"

	"templar/internal/chain"
)

// Predicted is how long after block head the pace expects block last, when blocks that should
// take blockTime took interval.
func Predicted(blockTime, interval time.Duration, head, last uint64) time.Duration {
	var p pace
	at := time.Unix(1000, 0)
	for n := uint64(1); n <= head; n++ {
		p.sees(chain.Block{Number: n, Time: at.Add(time.Duration(n) * interval)}, last, blockTime)
	}
	return p.end.Sub(p.head.Time)
}
