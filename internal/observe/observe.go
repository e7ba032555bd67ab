// Package observe shows a running network from outside: by the chain, and by what its nodes have published in their
// buckets. It has no identity and writes nothing.
//
// Of an Aggregate only the head is read, without its signature, so that a look at a large run costs kilobytes;
// package audit is for proof.
package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"templar/internal/attest"
	"templar/internal/audit"
	"templar/internal/bulletin"
	"templar/internal/chain"
	"templar/internal/directory"
	"templar/internal/mailbox"
	"templar/internal/report"
	"templar/internal/schedule"
	"templar/internal/score"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// Observer looks at a network.
type Observer struct {
	*audit.Records
	// Neurons and Board are the chain's; nil where there is none to ask: then incentives are unknown, and peer lists those
	// of a validator's report.
	Neurons chain.Neurons
	Board   *bulletin.Board
	Windows int // how many of the newest Aggregates are read: 1 or more
}

// Network is what can be seen. What is not published, or cannot be read, is left out; Unread says what.
type Network struct {
	Run   string        `json:"run"`
	Hash  protocol.Hash `json:"hash"`
	Time  time.Time     `json:"time"`            // of the newest block, or of the look
	Block uint64        `json:"block,omitempty"` // 0: there is no chain to ask

	Window protocol.Window `json:"window,omitempty"` // the chain's, which miners train in
	Phase  string          `json:"phase"`
	Start  *Start          `json:"start,omitempty"` // nil: not announced
	Final  *Final          `json:"final,omitempty"` // nil: no state is known to be

	Windows []Window `json:"windows"` // the newest, ascending
	Peers   *Peers   `json:"peers,omitempty"`
	// Loss is what a validator measured before the newest window that it has judged, on pages drawn for it. HeldOut is that on
	// held-out text: evaluators publish none in buckets.
	Loss    *Loss    `json:"loss,omitempty"`
	HeldOut *float64 `json:"held_out_loss"`

	Miners     []Miner     `json:"miners"`     // ascending by uid
	Validators []Validator `json:"validators"` // highest stake first
	Unread     []string    `json:"unread,omitempty"`

	scored []score.Line // of Loss's report
}

// Start is the announcement that counts.
type Start struct {
	Window protocol.Window `json:"window"`
	Theta0 protocol.Hash   `json:"theta_0"`
}

// Final is the newest state that validators with more than half of the stake have signed.
type Final struct {
	Window protocol.Window `json:"window"` // after it
	State  protocol.Hash   `json:"state_hash"`
	Stake  uint64          `json:"stake"`
	Of     uint64          `json:"of"`
}

// Window is the head of an Aggregate.
type Window struct {
	Window       protocol.Window                   `json:"window"`
	Term         protocol.Term                     `json:"term,omitempty"`
	Step         uint64                            `json:"step"`
	Aggregator   protocol.Hotkey                   `json:"aggregator"`
	Included     []protocol.UID                    `json:"included"`
	Skipped      map[protocol.UID]protocol.Verdict `json:"skipped"`
	LearningRate float32                           `json:"learning_rate"`
	Bytes        int64                             `json:"bytes"`
	Published    float64                           `json:"published_seconds"` // after the window's end, by the store's clock
	Gather       float64                           `json:"gather_seconds"`
	Aggregate    float64                           `json:"aggregate_seconds"`
}

// Peers is a peer list.
type Peers struct {
	From     protocol.Window `json:"from,omitempty"` // 0: the bootstrap list, or that of a report
	Selected []protocol.UID  `json:"selected"`
	Reserves []protocol.UID  `json:"reserves,omitempty"` // in order of preference
}

// Loss is a validator's measurement.
type Loss struct {
	Validator protocol.UID    `json:"validator"`
	Window    protocol.Window `json:"window"`
	Nats      float64         `json:"nats"`   // a token
	Miners    int             `json:"miners"` // that were measured in the window
}

// Miner is a miner with a readable bucket.
type Miner struct {
	UID      protocol.UID    `json:"uid"`
	Hotkey   protocol.Hotkey `json:"hotkey"`
	Selected bool            `json:"selected"`
	In       int             `json:"included"` // of Network.Windows
	Verdict  string          `json:"last"`     // of the newest Aggregate: ok, or why it was left out; empty: it does not name the miner
	// Final and Weight are those of Loss's validator; Incentive is the chain's share of pay.
	Final     *float64 `json:"final,omitempty"`
	Weight    *float64 `json:"weight,omitempty"`
	Incentive *float64 `json:"incentive,omitempty"`
	// Utilisation is the share of the time in which the engine computes. Miners publish it in their own metrics only, so that it
	// is unknown from outside.
	Utilisation *float64 `json:"utilisation"`
}

// Validator is a validator with a readable bucket.
type Validator struct {
	UID    protocol.UID    `json:"uid"`
	Hotkey protocol.Hotkey `json:"hotkey"`
	Stake  uint64          `json:"stake"`
	Signed protocol.Window `json:"signed,omitempty"` // the newest window of which it has signed the state, of those looked at
	State  protocol.Hash   `json:"state_hash,omitzero"`
}

// behind is how many windows before the newest Aggregate are searched for signatures and reports.
func (o *Observer) behind() protocol.Window {
	return protocol.Window(o.Run.Params.LeastPayloadWindows())
}

func (o *Observer) schedule() schedule.Schedule {
	return schedule.Schedule{Params: o.Run.Params, Blocks: o.Chain, Clock: o.Clock}
}

// Look reads what is there now. The error is the chain's, or of the run's announcement when it is another run's.
func (o *Observer) Look(ctx context.Context) (*Network, error) {
	n := &Network{Run: o.Run.Params.Run, Hash: o.Run.Hash, Time: o.Clock.Now(), Windows: []Window{}, Miners: []Miner{}, Validators: []Validator{}}
	var end *chain.Block
	if o.Chain != nil {
		head, err := o.Chain.Head(ctx)
		if err != nil {
			return nil, fmt.Errorf("chain: %w", err)
		}
		n.Time, n.Block, n.Window = head.Time, head.Number, o.Run.Params.WindowOf(head.Number)
		if n.Window > 0 {
			end = o.schedule().EndIfKnown(ctx, n.Window-1)
		}
	}
	for _, v := range o.Validators {
		n.Validators = append(n.Validators, Validator{UID: v.UID, Hotkey: v.Hotkey, Stake: v.Stake})
	}
	for _, m := range o.Miners {
		n.Miners = append(n.Miners, Miner{UID: m.UID, Hotkey: m.Hotkey})
	}
	s, err := o.Start(ctx)
	switch {
	case errors.Is(err, bulletin.ErrOtherRun):
		return nil, err
	case err != nil:
		n.Phase = "not announced"
		if !errors.Is(err, bulletin.ErrNotAnnounced) || len(o.Validators) == 0 {
			n.unread("the announcement", err)
		}
		return n, ctx.Err()
	}
	n.Start = &Start{s.StartWindow, s.StateHash}
	if err := o.aggregates(ctx, n); err != nil {
		n.unread("the aggregator bucket", err)
	}
	n.Phase = o.phase(ctx, n, end)
	o.signatures(ctx, n)
	o.report(ctx, n)
	o.peers(ctx, n)
	o.pay(ctx, n)
	return n, ctx.Err()
}

func (n *Network) unread(what string, err error) {
	n.Unread = append(n.Unread, fmt.Sprintf("%s: %v", what, err))
}

// aggregates reads the heads of the newest Aggregates.
func (o *Observer) aggregates(ctx context.Context, n *Network) error {
	docket := &attest.Docket{Samples: attest.Samples{Run: o.Run, Schedule: o.schedule()}, Directory: o.Electorate()}
	docket.Refresh(ctx, nil)
	terms := docket.Terms()
	var all []protocol.Window
	err := store.EachKey(ctx, o.Aggregator, protocol.KindAggregate.Prefix(), func(_ string, k protocol.Key) {
		if k.Kind == protocol.KindAggregate && k.Window >= n.Start.Window && terms.Of(k.Window) == k.Term {
			all = append(all, k.Window)
		}
	})
	if err != nil {
		return err
	}
	slices.Sort(all)
	all = all[max(0, len(all)-o.Windows):]
	heads := make([]*mailbox.Head, len(all))
	errs := make([]error, len(all))
	source := mailbox.Aggregates{Run: o.Run, Schedule: o.schedule(), Bucket: o.Aggregator}
	o.Clock.Each(len(all), 8, func(i int) { heads[i], errs[i] = source.Head(ctx, all[i], terms.Of(all[i])) })
	for _, h := range heads {
		if h != nil {
			n.Windows = append(n.Windows, o.window(h, n.Start.Window))
		}
	}
	return errors.Join(errs...)
}

func (o *Observer) window(h *mailbox.Head, start protocol.Window) Window {
	a := h.Aggregate
	w := Window{
		Window: a.Window, Term: a.Term, Step: o.Run.Params.Step(start, a.Window), Aggregator: a.Aggregator, LearningRate: a.LearningRate,
		Included: []protocol.UID{}, Skipped: make(map[protocol.UID]protocol.Verdict, len(a.Skipped)), Bytes: h.Size,
		Published: h.Stored.Sub(a.UploadFrom).Seconds(), Gather: a.GatherTime.Seconds(), Aggregate: a.AggregateTime.Seconds(),
	}
	for _, in := range a.Included {
		w.Included = append(w.Included, in.UID)
	}
	for _, s := range a.Skipped {
		w.Skipped[s.UID] = s.Verdict
	}
	return w
}

// newest is the last window with an Aggregate; ok is false when there is none.
func (n *Network) newest() (w protocol.Window, ok bool) {
	if len(n.Windows) == 0 {
		return 0, false
	}
	return n.Windows[len(n.Windows)-1].Window, true
}

// phase says what the network does. end is the first block of the present window.
func (o *Observer) phase(ctx context.Context, n *Network, end *chain.Block) string {
	newest, any := n.newest()
	p := o.Run.Params
	switch {
	case o.Chain == nil && !any:
		return "no window is aggregated"
	case o.Chain == nil:
		return fmt.Sprintf("window %d was the last", newest)
	case n.Window < n.Start.Window:
		return fmt.Sprintf("begins in %v", time.Duration(float64(p.FirstBlock(n.Start.Window)-n.Block)*float64(p.BlockTime())).Round(time.Second))
	case n.Window == n.Start.Window, any && newest+1 >= n.Window:
		return "training"
	}
	last := n.Window - 1
	if any && newest+1 < last || !any && n.Start.Window < last {
		from := n.Start.Window
		if any {
			from = newest + 1
		}
		return fmt.Sprintf("waiting for the aggregates of windows %d to %d", from, last)
	}
	source := mailbox.Aggregates{Run: o.Run, Schedule: o.schedule(), Bucket: o.Aggregator}
	if _, verdict := source.ClosingNow(ctx, last); verdict.OK() {
		return fmt.Sprintf("training, window %d is being aggregated", last)
	}
	switch since := n.Time.Sub(endTime(end, n.Time)); {
	case since <= p.Delta():
		return fmt.Sprintf("training, uploads of window %d are awaited", last)
	case n.Time.Before(p.AggregateDue(endTime(end, n.Time))):
		return fmt.Sprintf("training, window %d is being gathered", last)
	}
	return fmt.Sprintf("training, the aggregate of window %d is late", last)
}

func endTime(end *chain.Block, now time.Time) time.Time {
	if end == nil {
		return now
	}
	return end.Time
}

// signatures finds the newest final state, going back from the newest Aggregate.
func (o *Observer) signatures(ctx context.Context, n *Network) {
	newest, any := n.newest()
	if !any {
		return
	}
	samples := attest.Samples{Run: o.Run, Schedule: o.schedule()}
	voters := o.Electorate().Validators()
	total := directory.Stake(voters)
	for w := newest; w >= n.Start.Window && w+o.behind() > newest && ctx.Err() == nil; w-- {
		got := make([]*wire.Sample, len(voters))
		o.Clock.Each(len(voters), len(voters), func(i int) { got[i], _ = samples.Fetch(ctx, voters[i], w) })
		stake := make(map[protocol.Hash]uint64)
		for i, s := range got {
			if s == nil {
				continue
			}
			stake[s.State] += voters[i].Stake
			if v := &n.Validators[i]; v.Signed == 0 {
				v.Signed, v.State = w, s.State
			}
		}
		for state, has := range stake {
			if has > total/2 {
				n.Final = &Final{w, state, has, total}
				return
			}
		}
		if w == 0 {
			return
		}
	}
}

// report reads the newest report of the validator with the highest stake that has one.
func (o *Observer) report(ctx context.Context, n *Network) {
	newest, any := n.newest()
	if !any {
		return
	}
	var r *report.Report
	for _, v := range o.Validators {
		for w := newest; w >= n.Start.Window && w+o.behind() > newest && ctx.Err() == nil; w-- {
			found, err := o.Report(ctx, v, w)
			if err == nil {
				r = found
				break
			}
			if !errors.Is(err, store.ErrNotFound) {
				n.unread("a report", err)
				break
			}
			if w == 0 {
				break
			}
		}
		if r != nil {
			break
		}
	}
	if r == nil {
		return
	}
	measured := 0
	for i := range r.Miners {
		line := &r.Miners[i]
		n.scored = append(n.scored, line.Line)
		if line.Losses != nil {
			measured++
		}
		m := n.miner(line.UID)
		if m == nil || m.Hotkey != line.Hotkey {
			continue
		}
		final, weight := line.After.Final, line.Weight
		m.Selected, m.Final, m.Weight = line.Selected, &final, &weight
	}
	n.Loss = &Loss{Validator: r.UID, Window: r.Window, Miners: measured}
	if mean, ok := score.MeanLosses(n.scored); ok {
		n.Loss.Nats = float64(mean.RandomBefore)
	} else {
		n.Loss = nil
	}
}

func (n *Network) miner(uid protocol.UID) *Miner {
	i, ok := slices.BinarySearchFunc(n.Miners, uid, func(m Miner, uid protocol.UID) int { return cmp.Compare(m.UID, uid) })
	if !ok {
		return nil
	}
	return &n.Miners[i]
}

// peers reads the peer list in force, and what became of its miners in the newest windows.
func (o *Observer) peers(ctx context.Context, n *Network) {
	if o.Board != nil {
		line, err := o.Board.Lineup(ctx, n.Window, false, nil)
		if err != nil {
			n.unread("the peer list", err)
		}
		n.Peers = &Peers{Selected: uids(line.Peers), Reserves: uids(line.Reserves)}
		if l, err := o.Board.FetchPeers(ctx, n.Window); err == nil {
			n.Peers.From = l.EffectiveFrom
		}
	} else if n.scored != nil {
		n.Peers = &Peers{Selected: []protocol.UID{}}
		for i := range n.Miners {
			if n.Miners[i].Selected {
				n.Peers.Selected = append(n.Peers.Selected, n.Miners[i].UID)
			}
		}
	}
	for i := range n.Miners {
		m := &n.Miners[i]
		if n.Peers != nil {
			m.Selected = slices.Contains(n.Peers.Selected, m.UID)
		}
		for k, w := range n.Windows {
			in := slices.Contains(w.Included, m.UID)
			if in {
				m.In++
			}
			if why, skipped := w.Skipped[m.UID]; k == len(n.Windows)-1 && in {
				m.Verdict = protocol.VerdictOK.String()
			} else if k == len(n.Windows)-1 && skipped {
				m.Verdict = why.String()
			}
		}
	}
}

func uids(peers []directory.Peer) []protocol.UID {
	out := make([]protocol.UID, len(peers))
	for i, p := range peers {
		out[i] = p.UID
	}
	return out
}

// pay reads the incentives.
func (o *Observer) pay(ctx context.Context, n *Network) {
	if o.Neurons == nil {
		return
	}
	graph, err := o.Neurons.Metagraph(ctx)
	if err != nil {
		n.unread("the metagraph", err)
		return
	}
	for _, neuron := range graph.Neurons {
		if m := n.miner(neuron.UID); m != nil && m.Hotkey == neuron.Hotkey {
			share := float64(neuron.Incentive) / 65535
			m.Incentive = &share
		}
	}
}

// LeftOut lists why peers were left out of a window, by uid.
func (w *Window) LeftOut() []string {
	var out []string
	for _, uid := range slices.Sorted(maps.Keys(w.Skipped)) {
		out = append(out, fmt.Sprintf("%d %v", uid, w.Skipped[uid]))
	}
	return out
}
