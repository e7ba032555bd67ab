package audit

import (
	"context"
	"fmt"
	"slices"

	"templar/protocol"
	"templar/wire"
)

// context checks the report's statements about the run, the state and the chain's blocks.
func (c *checker) context(ctx context.Context) error {
	var faults []string
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	r := c.report
	fault(r.Start != c.start.StartWindow, "it states that the run starts at window %d; announced was %d", r.Start, c.start.StartWindow)
	fault(!r.Aggregate.IsZero() && r.Aggregate != c.hash, "it went by the aggregate %s; the window's is %s", r.Aggregate.Short(), c.hash.Short())
	fault(r.Previous != c.aggregate.Previous, "it follows the aggregate %s; the window's follows %s", r.Previous.Short(), c.aggregate.Previous.Short())
	fault(!c.before.IsZero() && r.State != c.before, "it measured from the state %s; before the window stands %s", r.State.Short(), c.before.Short())
	for i := range r.Miners {
		m := &r.Miners[i]
		included := r.Aggregate == c.hash && slices.ContainsFunc(c.aggregate.Included, func(in wire.Included) bool {
			return in.UID == m.UID && in.Content == m.Content
		})
		fault(m.Included != included, "uid %d: inclusion of the judged gradient in the aggregate is %v in the report, recomputed as %v", m.UID, m.Included, included)
	}
	blocks := "block hashes are the report's word: no chain was asked"
	if c.Chain != nil {
		blocks = "block hashes are the chain's"
		bad, err := c.blocks(ctx)
		if err != nil {
			return err
		}
		faults = append(faults, bad...)
	}
	c.judge(c.name("report"), faults, "signed; %d miners; %s", len(r.Miners), blocks)
	return nil
}

func (c *checker) blocks(ctx context.Context) (faults []string, err error) {
	w := c.Options.Window
	end, err := c.Chain.Block(ctx, c.Run.Params.FirstBlock(w+1))
	if err != nil {
		return nil, err
	}
	pages, err := c.schedule().PageSeed(ctx, w)
	if err != nil {
		return nil, err
	}
	seed, err := c.schedule().EvaluationSeed(ctx, end)
	if err != nil {
		return nil, err
	}
	for _, b := range []struct {
		what         string
		theirs, ours protocol.Hash
	}{
		{"the seed of page assignments", c.report.First, pages}, {"the first block after the window", c.report.End, end.Hash},
		{"the seed of the evaluation", c.report.Seed, seed},
	} {
		if b.theirs != b.ours {
			faults = append(faults, fmt.Sprintf("%s is %s by the chain, %s in the report", b.what, b.ours.Short(), b.theirs.Short()))
		}
	}
	return faults, nil
}

// drawn repeats the draws of pages and evaluations.
func (c *checker) drawn(context.Context) error {
	faults := texts(c.report.Draw(c.Run.Params))
	if !slices.Equal(c.report.CommonPages, c.bench.CommonPages(c.plan())) {
		faults = append(faults, "the common pages are not those that the seed gives")
	}
	evaluated := 0
	for i := range c.report.Miners {
		m := &c.report.Miners[i]
		if m.Losses == nil {
			continue
		}
		evaluated++
		if !slices.Equal(m.OwnPages, c.bench.OwnPages(c.plan(), m.UID)) {
			faults = append(faults, fmt.Sprintf("uid %d was measured on other pages than assigned to it", m.UID))
		}
	}
	c.judge(c.name("draws"), faults, "%d miners evaluated, on the pages that the block hashes give", evaluated)
	return nil
}
