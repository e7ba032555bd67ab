package rules

import (
	"errors"
	"math"
)

// Epochs is what decides in which block a subnet's epochs begin, read at one block.
type Epochs struct {
	Block     uint64 // where the state was read
	Tempo     uint64
	Last      uint64 // LastEpochBlock
	Pending   uint64 // PendingEpochAt, 0 for none
	Index     uint64 // SubnetEpochIndex
	SinceStep uint64 // BlocksSinceLastStep
	Stateful  bool   // the chain keeps epochs as state (runtimes from 423 on)
	NetUID    uint64
}

// maxTempo is the longest time without an epoch that the chain allows.
const maxTempo = 50400

// ErrNoEpochs: a subnet of tempo 0 has no epochs, and so reveals nothing.
var ErrNoEpochs = errors.New("the subnet's tempo is 0: it runs no epochs, and weights are never revealed")

// maxPeriod bounds how many epochs a reveal takes: the chain allows 100.
const maxPeriod = 128

var errEpochs = errors.New("the subnet's epochs do not come to the reveal: its state is not one that this build understands")

func (e *Epochs) runs(b uint64) bool {
	return e.Tempo > 0 && (e.Pending > 0 && b >= e.Pending || e.SinceStep > maxTempo || b >= e.Last && b-e.Last >= e.Tempo)
}

func (e *Epochs) epoch(b uint64) uint64 {
	if e.runs(b) {
		return e.Index + 1
	}
	return e.Index
}

func (e *Epochs) step(b uint64) {
	run := e.runs(b)
	e.SinceStep++
	if run {
		e.Last, e.Pending, e.SinceStep = b, 0, 0
		e.Index++
	}
}

// Reveal is when a commit of weights counts.
type Reveal struct {
	CommitEpoch uint64
	First       uint64 // the first block of the epoch in which they are revealed
	End         uint64 // the block after that epoch, as far as it can be foreseen
}

// At says when a commit that lands in the block after e.Block is revealed, if a reveal
// takes period epochs.
func (e Epochs) At(period uint64) (Reveal, error) {
	if e.Tempo == 0 {
		return Reveal{}, ErrNoEpochs
	}
	if period > maxPeriod || e.Tempo > 1<<16 || e.Block > 1<<40 {
		return Reveal{}, errEpochs
	}
	if !e.Stateful {
		length := e.Tempo + 1
		epoch := (e.Block + 1 + e.NetUID + 1) / length
		first := (epoch+period)*length - e.NetUID - 1
		return Reveal{epoch, first, first + length}, nil
	}
	commit := e.epoch(e.Block + 1)
	r := Reveal{CommitEpoch: commit}
	limit := e.Block + 2 + (period+2)*(maxTempo+2)
	for b := e.Block + 1; b < limit; b++ {
		switch e.epoch(b) {
		case commit + period:
			if r.First == 0 {
				r.First = b
			}
		case commit + period + 1:
			if r.First != 0 {
				r.End = b
				return r, nil
			}
		}
		e.step(b)
	}
	return r, errEpochs
}

// SecurityBlocks is how many blocks after the first block of the reveal the round comes
// out, so that weights are not readable before they count.
const SecurityBlocks = 3

// Round returns the drand round that is out blocks after now. blockTime is in seconds,
// now, genesis and period are the beacon's, in seconds.
func Round(now float64, blocks uint64, blockTime float64, genesis, period uint64) uint64 {
	at := now + float64(blocks)*blockTime - float64(genesis)
	if at < 0 {
		return 1
	}
	return uint64(math.Floor(at / float64(period)))
}
