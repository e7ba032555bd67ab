package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"templar/internal/data"
	"templar/internal/evaluation"
	"templar/internal/report"
	"templar/internal/store"
	"templar/method"
	"templar/protocol"
)

// rescore recomputes the reports of validators on the window.
func (a *auditor) rescore(ctx context.Context) error {
	if !a.Scores {
		return nil
	}
	validators := a.Validators
	if uid := a.Options.Validator; uid != nil {
		v, err := a.Records.Validator(*uid)
		if err != nil {
			return err
		}
		validators = []Party{v}
	}
	if len(a.Dataset) == 0 {
		return errors.New("scores are recomputed on the dataset: name its bucket in the configuration (buckets.dataset)")
	}
	set, err := data.Open(ctx, a.Dataset[0], a.Run.Params.DatasetHash, a.Dataset[1:]...)
	if err != nil {
		return err
	}
	bench := &evaluation.Bench{Params: a.Run.Params, Method: a.Run.Method, Engine: a.Engine, Data: set, Clock: a.Clock}
	for _, v := range validators {
		r, err := a.Report(ctx, v, a.Options.Window)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		name := fmt.Sprintf("report of validator uid %d", v.UID)
		if errors.Is(err, store.ErrNotFound) {
			a.add(name, Unknown, "there is none")
			continue
		}
		if errors.Is(err, errUnread) {
			a.add(name, Unknown, "%v", err)
			continue
		}
		if err != nil {
			a.judge(name, []string{err.Error()}, "it cannot be used")
			continue
		}
		c := &checker{auditor: a, report: r, party: v, bench: bench}
		if err := c.check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// checker recomputes one report.
type checker struct {
	*auditor
	report *report.Report
	party  Party
	bench  *evaluation.Bench

	gradients map[protocol.UID]method.Payload // of those that the report names
}

func (c *checker) check(ctx context.Context) error {
	for _, step := range []func(context.Context) error{c.context, c.drawn, c.losses, c.samples, c.copies, c.closed} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) plan() evaluation.Plan {
	return evaluation.Plan{Window: c.Options.Window, Step: c.Step, First: c.report.First, Seed: c.report.Seed}
}

func (c *checker) name(what string) string {
	return fmt.Sprintf("%s of validator uid %d", what, c.party.UID)
}

// closed recomputes the scores, and compares the standings before the window with the previous
// report.
func (c *checker) closed(ctx context.Context) error {
	differences, err := c.report.Rescore(c.Run.Params)
	if err != nil {
		c.judge(c.name("scores"), []string{err.Error()}, "they cannot be worked out")
		return nil
	}
	c.judge(c.name("scores"), texts(differences), "ratings, averages, penalties and weights of %d miners, to %g", len(c.report.Miners), report.Tolerance)
	return c.follows(ctx)
}

func (c *checker) follows(ctx context.Context) error {
	name := c.name("standings before")
	windows, err := c.Windows(ctx, c.party)
	if err != nil {
		return err
	}
	i, _ := slices.BinarySearch(windows, c.Options.Window)
	if i == 0 {
		c.add(name, Unknown, "there is no earlier report")
		return nil
	}
	earlier, err := c.Report(ctx, c.party, windows[i-1])
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, errUnread) {
		c.add(name, Unknown, "%v", err)
		return nil
	}
	if err != nil {
		c.judge(name, []string{err.Error()}, "the earlier report cannot be used")
		return nil
	}
	faults := texts(c.report.Follows(earlier))
	if windows[i-1]+1 < c.Options.Window && len(faults) > 0 {
		c.add(name, Unknown, "not as the report on window %d left them, and there is none on the next", windows[i-1])
		return nil
	}
	c.judge(name, faults, "as the report on window %d left them", windows[i-1])
	return nil
}

func texts(differences []report.Difference) (out []string) {
	for _, d := range differences {
		out = append(out, d.String())
	}
	return out
}
