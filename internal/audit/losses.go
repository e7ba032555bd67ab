package audit

import (
	"context"
	"fmt"
	"slices"

	"templar/internal/engine"
	"templar/internal/evaluation"
	"templar/internal/mailbox"
	"templar/internal/report"
	"templar/internal/run"
	"templar/internal/score"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

// losses recomputes the losses of every evaluated miner.
func (c *checker) losses(ctx context.Context) error {
	name := c.name("losses")
	if c.model == nil {
		c.add(name, Unknown, "the parameters before the window cannot be computed")
		return nil
	}
	if err := c.collect(ctx); err != nil {
		return err
	}
	var subjects []evaluation.Subject
	var missing, faults []string
	for i := range c.report.Miners {
		m := &c.report.Miners[i]
		if m.Losses == nil {
			continue
		}
		subjects = append(subjects, evaluation.Subject{UID: m.UID, Payload: c.gradients[m.UID]})
		if c.gradients[m.UID] == nil {
			missing = append(missing, fmt.Sprint(m.UID))
		}
	}
	measured, err := c.bench.Measure(ctx, c.plan(), c.model.Params(), subjects, func(i int) {
		c.Progress("measuring uid %d, %d of %d", subjects[i].UID, i+1, len(subjects))
	})
	if err != nil {
		return err
	}
	tolerance := report.LossTolerance(c.report.Engine, engine.Kind(c.Engine))
	for i, e := range measured {
		if subjects[i].Payload != nil {
			faults = append(faults, c.compareLosses(subjects[i].UID, e, missing, tolerance)...)
		}
	}
	how := fmt.Sprintf("%d miners measured again, to %g", len(subjects)-len(missing), tolerance)
	if c.report.Engine != "" {
		how += fmt.Sprintf(" (the validator's engine is %s, this one %s)", c.report.Engine, engine.Kind(c.Engine))
	}
	if len(missing) > 0 && faults == nil {
		c.add(name, Unknown, "%s; the gradients of uids %v are no longer available", how, missing)
		return nil
	}
	c.judge(name, faults, "%s", how)
	return nil
}

// compareLosses compares the losses in the report with those that were measured again. Without the gradient
// of its control, a miner's are compared as far as they were measured.
func (c *checker) compareLosses(uid protocol.UID, e *score.Losses, missing []string, tolerance float64) (faults []string) {
	l := c.miner(uid).Losses
	compare := func(what string, theirs, ours score.Number) {
		if !report.Within(float64(theirs), float64(ours), tolerance) {
			faults = append(faults, fmt.Sprintf("uid %d: the loss on %s is %.9g in the report, recomputed as %.9g", uid, what, theirs, ours))
		}
	}
	compare("own pages before", l.OwnBefore, e.OwnBefore)
	compare("own pages after", l.OwnAfter, e.OwnAfter)
	compare("random pages before", l.RandomBefore, e.RandomBefore)
	compare("random pages after", l.RandomAfter, e.RandomAfter)
	if len(l.Batches) != len(e.Batches) {
		return append(faults, fmt.Sprintf("uid %d: %d batches of own pages in the report, recomputed as %d", uid, len(l.Batches), len(e.Batches)))
	}
	controlled := e.Control != nil || l.Control == nil || !slices.Contains(missing, fmt.Sprint(*l.Control))
	if controlled && !equal(l.Control, e.Control) {
		return append(faults, fmt.Sprintf("uid %d: its control is %s in the report, recomputed as %s", uid, control(l.Control), control(e.Control)))
	}
	for i, b := range l.Batches {
		compare(fmt.Sprintf("own batch %d before", i), b.Before, e.Batches[i].Before)
		compare(fmt.Sprintf("own batch %d after", i), b.After, e.Batches[i].After)
		if controlled {
			compare(fmt.Sprintf("own batch %d after its control's step", i), b.Control, e.Batches[i].Control)
		}
	}
	return faults
}

func equal(a, b *protocol.UID) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

func control(uid *protocol.UID) string {
	if uid == nil {
		return "none"
	}
	return fmt.Sprintf("uid %d", *uid)
}

func (c *checker) miner(uid protocol.UID) *report.Miner {
	i := slices.IndexFunc(c.report.Miners, func(m report.Miner) bool { return m.UID == uid })
	return &c.report.Miners[i]
}

// collect fetches the gradients that the report names, from the archive or else from their
// miners' buckets.
func (c *checker) collect(ctx context.Context) error {
	c.gradients = make(map[protocol.UID]method.Payload)
	for i := range c.report.Miners {
		m := &c.report.Miners[i]
		if m.Content.IsZero() {
			continue
		}
		c.Progress("fetching the gradient of uid %d", m.UID)
		if g := c.gradient(ctx, m); g != nil {
			c.gradients[m.UID] = g.Payload
		}
	}
	return ctx.Err()
}

func (c *checker) gradient(ctx context.Context, m *report.Miner) *run.Gradient {
	if m.Included {
		g, verdict := c.aggregates().Archived(ctx, c.Options.Window, wire.Included{UID: m.UID, Hotkey: m.Hotkey, Content: m.Content})
		if verdict.OK() {
			return g
		}
	}
	for _, p := range c.Miners {
		if p.Hotkey != m.Hotkey {
			continue
		}
		g, _, _ := mailbox.Opened(ctx, c.Run, p.Bucket, c.Options.Window, wire.Included{UID: m.UID, Hotkey: m.Hotkey, Content: m.Content})
		return g
	}
	return nil
}
