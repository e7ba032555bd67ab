package audit

import (
	"context"
	"fmt"

	"templar/internal/directory"
	"templar/internal/mailbox"
	"templar/protocol"
	"templar/wire"
)

// closing checks that the Aggregate includes what the window's closing statement lists, and nothing else.
func (a *auditor) closing(ctx context.Context) error {
	const name = "closing statement"
	read, cancel := a.schedule().WithPatience(ctx)
	defer cancel()
	c, verdict := a.aggregates().ClosingNow(read, a.Options.Window)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case verdict == protocol.VerdictMissing || verdict == protocol.VerdictUnreachable:
		a.add(name, Unknown, "it is %v", verdict)
		return nil
	case !verdict.OK():
		a.judge(name, []string{fmt.Sprintf("the object is %v", verdict)}, "not signed by one of the run's aggregators, or damaged")
		return nil
	}
	var faults []string
	if c.Hash != a.aggregate.Closing {
		faults = append(faults, fmt.Sprintf("the aggregate names %s; in the bucket is %s, signed by aggregator %s: two statements of one window", a.aggregate.Closing.Short(), c.Hash.Short(), c.Aggregator))
		if kept := a.keptStatement(ctx); kept != nil {
			c = kept // the named one counts
		}
	}
	if !c.UploadFrom.Equal(a.aggregate.UploadFrom) {
		faults = append(faults, fmt.Sprintf("it gives the window's end as %v, the aggregate as %v", c.UploadFrom, a.aggregate.UploadFrom))
	}
	for _, in := range a.aggregate.Included {
		if !c.Lists(in) {
			faults = append(faults, fmt.Sprintf("uid %d: the aggregate includes a gradient that it does not list", in.UID))
		}
	}
	for _, s := range a.aggregate.Skipped {
		if s.Verdict == protocol.VerdictMissing {
			for _, in := range c.Listed {
				if in.UID == s.UID {
					faults = append(faults, fmt.Sprintf("uid %d: the aggregate skips it as missing, and it is listed", s.UID))
				}
			}
		}
	}
	faults = append(faults, a.otherStatements(ctx, c)...)
	a.judge(name, faults, "%s, signed by aggregator %s: %d gradients listed", c.Hash.Short(), c.Aggregator, len(c.Listed))
	return nil
}

// keptStatement returns the statement that the Aggregate names from a miner's bucket; nil for none.
func (a *auditor) keptStatement(ctx context.Context) *mailbox.Closed {
	miners := make([]directory.Peer, len(a.Miners))
	for i, m := range a.Miners {
		miners[i] = m.peer()
	}
	return a.aggregates().StatementKept(ctx, a.Options.Window, miners, a.aggregate.Closing)
}

// otherStatements looks in the miners' buckets for statements of the window that are not the one that counts.
func (a *auditor) otherStatements(ctx context.Context, c *mailbox.Closed) (faults []string) {
	const atOnce = 32
	kept := make([]*mailbox.Closed, len(a.Miners))
	a.Clock.Each(len(kept), atOnce, func(i int) {
		if a.Miners[i].Bucket == nil {
			return
		}
		look, cancel := a.schedule().WithPatience(ctx)
		defer cancel()
		from := a.aggregates()
		from.Bucket = a.Miners[i].Bucket
		kept[i], _ = from.ClosingNow(look, a.Options.Window)
	})
	for i, other := range kept {
		if other == nil || other.Hash == c.Hash {
			continue
		}
		proof := "the signatures of both prove it"
		if a.attested().Statements(a.aggregate.Term, wire.IssueOf(c.Raw), wire.IssueOf(other.Raw)) == nil {
			proof = "they count against no aggregator in this term"
		}
		faults = append(faults, fmt.Sprintf("uid %d was shown %s, signed by aggregator %s: two statements of one window; %s",
			a.Miners[i].UID, other.Hash.Short(), other.Aggregator, proof))
	}
	return faults
}
