package audit

import (
	"context"
	"fmt"
	"slices"

	"templar/internal/evaluation"
	"templar/internal/report"
	"templar/internal/run"
	"templar/internal/score"
	"templar/internal/store"
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
		g := c.gradients[m.UID]
		switch {
		case m.Losses == nil:
		case g == nil:
			missing = append(missing, fmt.Sprint(m.UID))
		default:
			subjects = append(subjects, evaluation.Subject{UID: m.UID, Payload: g})
		}
	}
	measured, err := c.bench.Measure(ctx, c.plan(), c.model.Params(), subjects, func(i int) {
		c.Progress("measuring uid %d, %d of %d", subjects[i].UID, i+1, len(subjects))
	})
	if err != nil {
		return err
	}
	for i, e := range measured {
		faults = append(faults, c.compareLosses(subjects[i].UID, e)...)
	}
	if len(missing) > 0 && faults == nil {
		c.add(name, Unknown, "%d miners measured again, to %g; the gradients of uids %v are no longer available", len(measured), report.Tolerance, missing)
		return nil
	}
	c.judge(name, faults, "%d miners measured again, to %g", len(measured), report.Tolerance)
	return nil
}

func (c *checker) compareLosses(uid protocol.UID, e score.Losses) (faults []string) {
	l := c.miner(uid).Losses
	for _, n := range []struct {
		what         string
		theirs, ours score.Number
	}{
		{"own pages before", l.OwnBefore, e.OwnBefore}, {"own pages after", l.OwnAfter, e.OwnAfter},
		{"random pages before", l.RandomBefore, e.RandomBefore}, {"random pages after", l.RandomAfter, e.RandomAfter},
	} {
		if !report.Near(float64(n.theirs), float64(n.ours)) {
			faults = append(faults, fmt.Sprintf("uid %d: the loss on %s is %.9g in the report, recomputed as %.9g", uid, n.what, n.theirs, n.ours))
		}
	}
	return faults
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
		b, _, err := store.ReadAll(ctx, p.Bucket, protocol.GradientKey(c.Options.Window, m.UID), c.Run.MaxGradient())
		if err != nil || wire.ContentHash(b) != m.Content {
			return nil
		}
		g, _ := c.Run.Gradient(b, wire.Expect{Run: c.Run.Hash, Window: c.Options.Window, UID: m.UID, Hotkey: m.Hotkey})
		return g
	}
	return nil
}
