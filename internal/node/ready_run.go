package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"templar/internal/bulletin"
	"templar/internal/checkpoint"
	"templar/internal/config"
	"templar/internal/directory"
	"templar/internal/plan"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/internal/store/check"
	"templar/internal/telemetry"
)

// ReadyRun checks a run against the stores and the chain that a configuration of one of its nodes names: first what Ready
// checks of the node, then theta_0, the validators and whether they have announced the run, and the rates of this
// machine's link against the plan. planned returns the plan on given machines, of which assumed are those that
// it assumes; it is called when the run's file can be read.
func ReadyRun(ctx context.Context, c config.Node, role telemetry.Role, env Env, assumed plan.Machines, planned func(run.Run, plan.Machines) (*plan.Plan, error), report func(check.Result)) (ok bool) {
	r := &readiness{ctx: ctx, c: c, role: role, env: env, report: report, ok: true}
	r.node()
	if r.loaded != nil && ctx.Err() == nil {
		r.theta0()
		r.validators()
		r.plan(assumed, planned)
	}
	return r.ok && ctx.Err() == nil
}

// theta0 finds out whether nodes can get the parameters that the run begins with.
func (r *readiness) theta0() {
	p := r.loaded.Params
	folder := r.c.Options.Theta0
	switch {
	case p.Theta0.IsZero() && folder != "":
		r.result("theta_0", check.Fail, "make the run parameters with \"templar run init --theta-0\", or leave the folder out", "the run draws it from its seed, and %s would be ignored", folder)
	case p.Theta0.IsZero():
		r.result("theta_0", check.OK, "", "drawn from seed %d by every node", p.Seed)
	case folder == "":
		r.result("theta_0", check.Warn, "name the model's folder with --theta-0 here and where a validator starts", "%s is an imported model, which a validator must serve", p.Theta0)
	default:
		if _, err := checkpoint.LoadTheta0(*r.loaded, folder); err != nil {
			r.result("theta_0", check.Fail, "name the folder of the model that the run begins with", "%v", err)
			return
		}
		r.result("theta_0", check.OK, "", "%s is %s", folder, p.Theta0)
	}
}

// validators lists the validators that nodes will read announcements from, and what they have announced.
func (r *readiness) validators() {
	if !r.answers {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, answerTime)
	defer cancel()
	client, err := r.env.Chain(ctx, r.c.Chain, r.env.Clock, slog.New(slog.DiscardHandler))
	if err != nil {
		return // reported
	}
	defer client.Close()
	d := r.env.Buckets()
	defer d.Close()
	dir := directory.New(r.loaded.Params, client, d)
	if err := dir.Refresh(ctx); err != nil {
		r.result("validators", check.Fail, "", "%v", err)
		return
	}
	all := dir.Validators()
	if len(all) == 0 {
		r.result("validators", check.Warn, "start a validator with \"templar run start\": it needs a permit of the chain, and commits its bucket", "none has committed a bucket at one of the run's stores")
		return
	}
	board := bulletin.Board{Run: *r.loaded, Schedule: schedule.Schedule{Params: r.loaded.Params, Blocks: client, Clock: r.env.Clock}, Directory: dir}
	found := board.Announcements(ctx)
	away := 0
	for _, a := range found {
		if a.Err != nil && !errors.Is(a.Err, store.ErrNotFound) {
			away++
		}
	}
	if away > 0 {
		r.result("validators", check.Warn, "ask their operators", "the buckets of %d of %d cannot be read", away, len(all))
	} else {
		r.result("validators", check.OK, "", "%d with a stake of %d in all", len(all), directory.Stake(all))
	}
	s, err := board.Start(ctx)
	switch {
	case errors.Is(err, bulletin.ErrOtherRun):
		r.result("start", check.Fail, "take the run parameters that they announce, or other validators", "%v", err)
	case err != nil:
		r.result("start", check.OK, "", "not announced yet")
	default:
		r.result("start", check.OK, "", "window %d", s.StartWindow)
	}
}

// plan compares the link that was measured with the plan's, and reports what does not fit.
func (r *readiness) plan(m plan.Machines, planned func(run.Run, plan.Machines) (*plan.Plan, error)) {
	link := &m.Node
	if r.role == telemetry.Aggregator {
		link = &m.Server
	}
	if r.up > 0 {
		assumed := *link
		*link = plan.Link{Up: 8 * r.up, Down: 8 * r.down}
		text := fmt.Sprintf("measured %s, the plan assumes %s", *link, assumed)
		if link.Up < assumed.Up || link.Down < assumed.Down {
			r.result("link", check.Warn, "", "%s", text)
		} else {
			r.result("link", check.OK, "", "%s", text)
		}
	}
	p, err := planned(*r.loaded, m)
	if err != nil {
		r.result("plan", check.Fail, "", "%v", err)
		return
	}
	for _, f := range p.Faults {
		fault, fix, _ := strings.Cut(f, ": ")
		r.result("plan", check.Fail, fix, "%s", fault)
	}
	if len(p.Faults) == 0 {
		r.result("plan", check.OK, "", "every phase fits; at %.0f tokens a second a miner trains %.0f %% of the time", m.TokensPerSecond, 100*p.Utilisation)
	}
}
