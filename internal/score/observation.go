package score

import (
	"fmt"

	"templar/protocol"
)

// Observation is what a validator observed of one registered miner in one window. A nil
// pointer and VerdictNone mean that it did not look, which has no effect on the score.
//
// An Observation and what it holds are the only form of these measurements: reports,
// events and the dashboard embed them.
type Observation struct {
	UID     protocol.UID     `json:"uid"`
	Hotkey  protocol.Hotkey  `json:"hotkey"`
	Drawn   bool             `json:"drawn"`            // was drawn for evaluation
	Active  bool             `json:"active"`           // uploaded within the recent windows
	Verdict protocol.Verdict `json:"verdict"`          // of the window's gradient
	Copy    *Copy            `json:"copy,omitempty"`   // the gradient is another's
	Sync    *Sync            `json:"sync,omitempty"`   // of the window before
	Losses  *Losses          `json:"losses,omitempty"` // count only when Verdict is OK
}

// Losses are mean losses in nats a token, before and after a step along one miner's
// gradient alone, on the miner's own pages and on the shared random ones.
type Losses struct {
	OwnBefore    Number `json:"own_before"`
	OwnAfter     Number `json:"own_after"`
	RandomBefore Number `json:"random_before"`
	RandomAfter  Number `json:"random_after"`
	// Control is the miner whose gradient was measured on this one's pages too, for comparison;
	// nil when there was no other.
	Control *protocol.UID `json:"control,omitempty"`
	// Batches are the measured batches of the own pages, in order.
	Batches []BatchLosses `json:"own_batches,omitempty"`
}

// BatchLosses are the losses of one batch of a miner's own pages: before a step, after a step
// along its gradient, and after one along the control's (meaningless without a control).
type BatchLosses struct {
	Before  Number `json:"before"`
	After   Number `json:"after"`
	Control Number `json:"control"`
}

// Sync is the result of comparing a miner's sync sample with the validator's parameters.
// The distance counts only when Verdict is OK.
type Sync struct {
	Verdict protocol.Verdict `json:"verdict"`
	Distance
	// Same reports that the miner signed the validator's own state hash. No score depends
	// on it: a hash can be copied.
	Same bool `json:"same_state"`
}

// Distance is how far apart two nodes' models are, by values of the same parameters. Scores
// depend on StepsBehind alone.
type Distance struct {
	L2          Number `json:"l2"`           // square root of the sum of squared differences
	MeanAbs     Number `json:"mean_abs"`     // mean absolute difference
	StepsBehind Number `json:"steps_behind"` // MeanAbs / learning rate: updates behind, if all went one way
}

// Copy is what a gradient shares with another miner's of the same window. Who made it is not known:
// neither miner is penalised, and only one of them is rated (makers).
type Copy struct {
	Of      protocol.UID `json:"of"`
	Indices Number       `json:"shared_indices"` // share in [0, 1]
	Values  Number       `json:"shared_values"`  // likewise
}

func (c *Copy) String() string {
	return fmt.Sprintf("%.0f %% of its coefficients are there too, %.0f %% with the same values", 100*c.Indices, 100*c.Values)
}
