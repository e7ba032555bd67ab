package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"templar/codec"
	"templar/internal/copies"
	"templar/internal/data"
	"templar/internal/evaluation"
	"templar/internal/report"
	"templar/internal/score"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
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
	set, err := data.Open(ctx, a.Dataset, a.Params.DatasetHash)
	if err != nil {
		return err
	}
	bench := &evaluation.Bench{Params: a.Params, Codec: a.Codec, Engine: a.Engine, Data: set, Clock: a.Clock}
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

	gradients map[protocol.UID]*codec.Gradient // of those that the report names
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

// context checks what the report says of the run, the state and the chain's blocks.
func (c *checker) context(ctx context.Context) error {
	var faults []string
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	r := c.report
	fault(r.Start != c.start.StartWindow, "it says that the run starts at window %d; announced was %d", r.Start, c.start.StartWindow)
	fault(!r.Aggregate.IsZero() && r.Aggregate != c.hash, "it went by the aggregate %s; the window's is %s", r.Aggregate.Short(), c.hash.Short())
	fault(r.Previous != c.aggregate.Previous, "it follows the aggregate %s; the window's follows %s", r.Previous.Short(), c.aggregate.Previous.Short())
	fault(!c.before.IsZero() && r.State != c.before, "it measured from the state %s; before the window stands %s", r.State.Short(), c.before.Short())
	for i := range r.Miners {
		m := &r.Miners[i]
		included := r.Aggregate == c.hash && slices.ContainsFunc(c.aggregate.Included, func(in wire.Included) bool {
			return in.UID == m.UID() && in.Content == m.Content
		})
		fault(m.Included != included, "uid %d: that the aggregate was made from the gradient judged is %v in the report, and comes out as %v", m.UID(), m.Included, included)
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
	first, err := c.Chain.Block(ctx, c.Params.FirstBlock(w))
	if err != nil {
		return nil, err
	}
	end, err := c.Chain.Block(ctx, c.Params.FirstBlock(w+1))
	if err != nil {
		return nil, err
	}
	seed, err := c.EvaluationSeed(ctx, end)
	if err != nil {
		return nil, err
	}
	for _, b := range []struct {
		what         string
		theirs, ours protocol.Hash
	}{
		{"the window's first block", c.report.First, first.Hash}, {"the first block after the window", c.report.End, end.Hash},
		{"the first block after the upload deadline", c.report.Seed, seed},
	} {
		if b.theirs != b.ours {
			faults = append(faults, fmt.Sprintf("%s has the hash %s on the chain, %s in the report", b.what, b.ours.Short(), b.theirs.Short()))
		}
	}
	return faults, nil
}

// drawn draws pages and evaluations again.
func (c *checker) drawn(context.Context) error {
	faults := texts(c.report.Draw(c.Params))
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
		if !slices.Equal(m.OwnPages, c.bench.OwnPages(c.plan(), m.UID())) {
			faults = append(faults, fmt.Sprintf("uid %d was measured on other pages than assigned to it", m.UID()))
		}
	}
	c.judge(c.name("draws"), faults, "%d miners evaluated, on the pages that the block hashes give", evaluated)
	return nil
}

// losses measures every evaluated miner again.
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
		g := c.gradients[m.UID()]
		switch {
		case m.Losses == nil:
		case g == nil:
			missing = append(missing, fmt.Sprint(m.UID()))
		default:
			subjects = append(subjects, evaluation.Subject{UID: m.UID(), Gradient: g})
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
		c.add(name, Unknown, "%d miners measured again, to %g; the gradients of uids %v are not to be had any more", len(measured), report.Tolerance, missing)
		return nil
	}
	c.judge(name, faults, "%d miners measured again, to %g", len(measured), report.Tolerance)
	return nil
}

func (c *checker) compareLosses(uid protocol.UID, e score.Evaluation) (faults []string) {
	l := c.miner(uid).Losses
	for _, n := range []struct {
		what         string
		theirs, ours float64
	}{
		{"own pages before", float64(l.OwnBefore), e.OwnBefore}, {"own pages after", float64(l.OwnAfter), e.OwnAfter},
		{"random pages before", float64(l.RandomBefore), e.RandomBefore}, {"random pages after", float64(l.RandomAfter), e.RandomAfter},
	} {
		if !report.Near(n.theirs, n.ours) {
			faults = append(faults, fmt.Sprintf("uid %d: the loss on %s is %.9g in the report, and comes out as %.9g", uid, n.what, n.theirs, n.ours))
		}
	}
	return faults
}

func (c *checker) miner(uid protocol.UID) *report.Miner {
	i := slices.IndexFunc(c.report.Miners, func(m report.Miner) bool { return m.UID() == uid })
	return &c.report.Miners[i]
}

// collect fetches the gradients that the report names: from the archive, else from their
// miners' buckets.
func (c *checker) collect(ctx context.Context) error {
	c.gradients = make(map[protocol.UID]*codec.Gradient)
	for i := range c.report.Miners {
		m := &c.report.Miners[i]
		if m.Content.IsZero() {
			continue
		}
		c.Progress("fetching the gradient of uid %d", m.UID())
		if g := c.gradient(ctx, m); g != nil {
			c.gradients[m.UID()] = g.Body
		}
	}
	return ctx.Err()
}

func (c *checker) gradient(ctx context.Context, m *report.Miner) *wire.Gradient {
	if m.Included {
		g, verdict := c.Archived(ctx, c.Options.Window, wire.Included{UID: m.UID(), Hotkey: m.Hotkey(), Content: m.Content})
		if verdict.OK() {
			return g
		}
	}
	for _, p := range c.Miners {
		if p.Hotkey != m.Hotkey() {
			continue
		}
		b, err := read(ctx, p.Bucket, protocol.GradientKey(c.Options.Window, m.UID()), wire.MaxGradientSize(c.Codec, c.Params.PagesPerWindow))
		if err != nil || wire.ContentHash(b) != m.Content {
			return nil
		}
		g, _ := wire.DecodeGradient(b, c.Codec, wire.Expect{Run: c.Hash, Window: c.Options.Window, UID: m.UID(), Hotkey: m.Hotkey()})
		return g
	}
	return nil
}

// samples measures again how far miners' sync samples of the window before are from the
// parameters.
func (c *checker) samples(ctx context.Context) error {
	if c.model == nil || c.Step == 0 {
		return nil
	}
	var faults []string
	compared := 0
	end, err := c.end(ctx, c.Options.Window-1)
	if err != nil || end.Hash.IsZero() {
		return err
	}
	lr := c.Params.LearningRateAt(c.Step - 1)
	for _, p := range c.Miners {
		i := slices.IndexFunc(c.report.Miners, func(m report.Miner) bool { return m.Hotkey() == p.Hotkey && m.Sync != nil })
		if i < 0 || !c.report.Miners[i].Sync.Verdict.OK() {
			continue
		}
		s, verdict := c.sample(ctx, p, c.Options.Window-1)
		if !verdict.OK() {
			continue
		}
		compared++
		theirs, ours := float64(c.report.Miners[i].Sync.Steps), score.MeanSteps(c.SampleOf(c.model.Params(), end, p.Hotkey), s.Values, lr)
		if !report.Near(theirs, ours) {
			faults = append(faults, fmt.Sprintf("uid %d is %.6g steps from our parameters; in the report %.6g", p.UID, ours, theirs))
		}
	}
	c.judge(c.name("sync scores"), faults, "%d samples compared again", compared)
	return ctx.Err()
}

// copies looks for copies again, when all gradients are there.
func (c *checker) copies(context.Context) error {
	name := c.name("copies")
	var uploads []copies.Upload
	for i := range c.report.Miners {
		m := &c.report.Miners[i]
		if m.Content.IsZero() {
			continue
		}
		if c.gradients[m.UID()] == nil {
			c.add(name, Unknown, "the gradient of uid %d is not to be had any more", m.UID())
			return nil
		}
		uploads = append(uploads, copies.Upload{UID: m.UID(), Registered: m.Registered, Stored: m.StoredAt(), Gradient: c.gradients[m.UID()]})
	}
	found := make(map[protocol.UID]copies.Copy)
	for _, f := range copies.Find(c.Codec, uploads, c.report.Seed, c.Params) {
		found[f.UID] = f
	}
	var faults []string
	for i := range c.report.Miners {
		m := &c.report.Miners[i]
		f, is := found[m.UID()]
		switch {
		case is != (m.Copy != nil):
			faults = append(faults, fmt.Sprintf("uid %d: a copy is %v in the report, and comes out as %v", m.UID(), m.Copy != nil, is))
		case is && (f.Of != m.Copy.Of || f.Blamed != (m.Verdict == protocol.VerdictCopied)):
			faults = append(faults, fmt.Sprintf("uid %d: the report blames it otherwise for copying uid %d", m.UID(), f.Of))
		}
	}
	c.judge(name, faults, "%d gradients compared, %d copies", len(uploads), len(found))
	return nil
}

// closed works the scores out again, and holds the standings before the window against
// the report before.
func (c *checker) closed(ctx context.Context) error {
	differences, err := c.report.Rescore(c.Params)
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
