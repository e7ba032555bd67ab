package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"templar/internal/copies"
	"templar/internal/report"
	"templar/internal/score"
	"templar/protocol"
)

// samples recomputes the distances of miners' sync samples of the window before from the
// parameters. A difference is not a fault: the report does not identify the sample, and its miner
// may have replaced it after it was judged.
func (c *checker) samples(ctx context.Context) error {
	if c.model == nil || c.Step == 0 {
		return nil
	}
	var others []string
	compared := 0
	end, err := c.end(ctx, c.Options.Window-1)
	if err != nil || end.Hash.IsZero() {
		return err
	}
	unit := c.Run.Method.StepSize(c.Step - 1)
	for _, p := range c.Miners {
		i := slices.IndexFunc(c.report.Miners, func(m report.Miner) bool { return m.Hotkey == p.Hotkey && m.Sync != nil })
		if i < 0 || !c.report.Miners[i].Sync.Verdict.OK() {
			continue
		}
		s, verdict := c.attested().Fetch(ctx, p.peer(), c.Options.Window-1)
		if !verdict.OK() {
			continue
		}
		compared++
		theirs, ours := float64(c.report.Miners[i].Sync.StepsBehind), float64(score.Compare(c.attested().Of(c.model.Params(), end, p.Hotkey), s.Values, unit).StepsBehind)
		if !report.Near(theirs, ours) {
			others = append(others, fmt.Sprintf("uid %d is %.6g steps from our parameters; in the report %.6g", p.UID, ours, theirs))
		}
		if same := s.State == c.before; same != c.report.Miners[i].Sync.Same {
			others = append(others, fmt.Sprintf("uid %d signed our state hash: %v in the report, recomputed as %v", p.UID, !same, same))
		}
	}
	if len(others) > 0 {
		c.add(c.name("sync scores"), Unknown, "%d samples compared again; not as in the report, but they may have been put again since: %s", compared, strings.Join(others, "; "))
	} else {
		c.add(c.name("sync scores"), OK, "%d samples compared again", compared)
	}
	return ctx.Err()
}

// copies repeats the search for copies, if all gradients are available.
func (c *checker) copies(context.Context) error {
	name := c.name("copies")
	var uploads []copies.Upload
	for i := range c.report.Miners {
		m := &c.report.Miners[i]
		if m.Content.IsZero() || !m.Verdict.OK() { // the statement lists unusable gradients too; none is compared
			continue
		}
		if c.gradients[m.UID] == nil {
			c.add(name, Unknown, "the gradient of uid %d is no longer available", m.UID)
			return nil
		}
		uploads = append(uploads, copies.Upload{UID: m.UID, Registered: m.Registered, Payload: c.gradients[m.UID]})
	}
	found := make(map[protocol.UID]copies.Copy)
	for _, f := range copies.Find(c.Run.Method, uploads, c.report.Seed, c.Run.Params) {
		found[f.UID] = f
	}
	var faults []string
	for i := range c.report.Miners {
		m := &c.report.Miners[i]
		f, is := found[m.UID]
		switch {
		case is != (m.Copy != nil):
			faults = append(faults, fmt.Sprintf("uid %d: a copy is %v in the report, recomputed as %v", m.UID, m.Copy != nil, is))
		case is && f.Of != m.Copy.Of:
			faults = append(faults, fmt.Sprintf("uid %d: the report blames it otherwise for copying uid %d", m.UID, f.Of))
		}
	}
	c.judge(name, faults, "%d gradients compared, %d copies", len(uploads), len(found))
	return nil
}
