package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"templar/internal/bulletin"
	"templar/internal/checkpoint"
	"templar/internal/config"
	"templar/internal/parts"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// Started is the announcement of a run, and who stands behind it.
type Started struct {
	wire.StartWindow
	Name     string    `json:"name"`
	Earlier  bool      `json:"announced_before"` // by more than half of the stake, or by the run parameters
	Block    uint64    `json:"first_block"`
	Begins   time.Time `json:"begins"`               // about
	Stake    uint64    `json:"stake"`                // of the validators that have announced it
	All      uint64    `json:"all_stake"`            // of those whose buckets are on the chain: only they count
	Silent   uint64    `json:"stake_without_bucket"` // of those with a permit and no bucket
	Accepted bool      `json:"accepted"`             // by more than half of the stake
}

// Announce announces a run as the validator of a configuration does when it starts, and ends: it commits the bucket to the chain,
// stores an imported theta_0 there, and posts the start window. Other validators, running or started later, follow an announcement
// that is ahead. The window is the one asked for, else the first that begins after delay, else what others have
// announced, else the next. say reports progress.
func Announce(ctx context.Context, c config.Node, env Env, window protocol.Window, delay time.Duration, say func(string)) (out Started, err error) {
	n, err := Open(ctx, c, telemetry.Validator, parts.Needs{Member: true}, env)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	graph, err := n.Chain.Metagraph(ctx)
	if err != nil {
		return out, err
	}
	if me, _ := graph.ByHotkey(n.Signer.Hotkey()); !me.Permit {
		return out, fmt.Errorf("%v has no validator permit on the chain: nodes would not read its announcement", n.Signer.Hotkey())
	}
	say("committing the bucket")
	if err := n.Entry().Enter(ctx); err != nil {
		return out, err
	}
	if err := n.Directory.Refresh(ctx); err != nil {
		return out, err
	}
	board := n.Board()
	out.Name = n.Run.Params.Run
	out.StartWindow, err = board.Start(ctx)
	switch {
	case err == nil && window > 0 && window != out.StartWindow.StartWindow:
		return out, fmt.Errorf("the run was announced for window %d, and that stands", out.StartWindow.StartWindow)
	case err == nil:
		out.Earlier = true
	case errors.Is(err, bulletin.ErrOtherRun):
		return out, err
	default:
		if out.StartWindow, err = n.propose(ctx, board, c.Options.Theta0, window, delay, say); err != nil {
			return out, err
		}
	}
	for _, a := range board.Announcements(ctx) {
		if out.All += a.By.Stake; a.Err == nil && a.StartWindow == out.StartWindow {
			out.Stake += a.By.Stake
		}
	}
	for _, neuron := range graph.Neurons {
		if neuron.Permit {
			out.Silent += neuron.Stake
		}
	}
	out.Silent -= min(out.Silent, out.All)
	out.Accepted = out.Earlier || out.Stake > out.All/2
	head, err := n.Chain.Head(ctx)
	if err != nil {
		return out, err
	}
	p := n.Run.Params
	out.Block = p.FirstBlock(out.StartWindow.StartWindow)
	out.Begins = head.Time.Add(time.Duration(float64(int64(out.Block-head.Number)) * float64(p.BlockTime()))).Round(time.Second)
	return out, nil
}

// propose posts an announcement, when theta_0 is there.
func (n *Node) propose(ctx context.Context, board *bulletin.Board, folder string, window protocol.Window, delay time.Duration, say func(string)) (s wire.StartWindow, err error) {
	p := n.Run.Params
	if folder != "" {
		if err := n.Saver().ServeTheta0(ctx, n.Own, folder, func() { say("uploading theta_0") }); err != nil {
			return s, err
		}
	}
	if !p.Theta0.IsZero() {
		have, err := checkpoint.Windows(ctx, n.Own)
		if err != nil {
			return s, err
		}
		if !slices.Contains(have, checkpoint.Imported) {
			return s, fmt.Errorf("theta_0 %s is an imported model, and this validator's bucket does not have it: name its folder with --theta-0", p.Theta0.Short())
		}
	}
	say("computing theta_0")
	theta0 := checkpoint.HashOfTheta0(n.Run)
	schedule := n.Schedule()
	next, err := schedule.Upcoming(ctx)
	if err != nil {
		return s, err
	}
	found := board.Proposals(board.Announcements(ctx), next-1, theta0)
	switch {
	case found.Rank < 0:
		return s, fmt.Errorf("%v is none of the run's validators by its bucket on the chain: try again after a block", n.Signer.Hotkey())
	case window > 0 && window < next:
		return s, fmt.Errorf("window %d begins too soon for all nodes to learn of it: the next that does not is %d", window, next)
	case window == 0 && delay > 0:
		window = next + protocol.Window(delay/p.WindowTime())
	case window == 0 && found.Best.StartWindow > 0:
		window = found.Best.StartWindow
	case window == 0:
		window = next
	}
	if mine := found.Mine.StartWindow; mine > 0 && mine != window {
		return s, fmt.Errorf("this validator has announced window %d: that stands until the window has begun without more than half of the stake", mine)
	}
	s = wire.StartWindow{Run: n.Run.Hash, StartWindow: window, StateHash: theta0}
	say("announcing")
	return s, board.PostStart(ctx, s)
}
