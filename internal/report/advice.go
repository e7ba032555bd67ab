package report

import (
	"fmt"

	"templar/protocol"
)

// advise returns what would raise the score.
func (n *narrator) advise() (out []string) {
	for _, of := range []func() string{n.onUpload, n.onModel, n.onPages, n.onRank} {
		if s := of(); s != "" {
			out = append(out, s)
		}
	}
	if out == nil {
		out = []string{"nothing is wrong: a higher rank on random pages, by more batches a window, raises the rating"}
		if n.work() {
			out = []string{"nothing is wrong: it is paid for all its work"}
		}
	}
	return out
}

func (n *narrator) onUpload() string {
	slack, delta := n.p.Slack(), n.p.Delta()
	switch {
	case n.Copy != nil:
		return "upload gradients of its own: copies are found and not paid"
	case n.Verdict == protocol.VerdictLate:
		return fmt.Sprintf("upload sooner: uploads count from %v before to %v after a window's end by the chain; train on fewer batches, or use a faster link or store", slack, delta)
	case n.Verdict == protocol.VerdictEarly:
		return fmt.Sprintf("upload later: uploads count from %v before to %v after a window's end by the chain; check the machine's clock", slack, delta)
	case n.Verdict == protocol.VerdictWithheld:
		return "keep the miner running until the window is closed, and its clock and store reachable: keys are revealed against the closing statement"
	case n.Verdict == protocol.VerdictUnlisted:
		return "upload sooner after the window's end: a window is closed when its peers are in"
	case n.Verdict != protocol.VerdictNone && !n.Verdict.OK():
		return fmt.Sprintf("fix the upload (%v): `templar store check` tests the bucket, `templar inspect` an object", n.Verdict)
	case !n.Active:
		return "upload a gradient in every window"
	}
	return ""
}

func (n *narrator) onModel() string {
	if s := n.Sync; s == nil || (n.After.SyncScore >= 0.9 && (s.Same || !s.Verdict.OK())) {
		return ""
	}
	return fmt.Sprintf("synchronise the model: a restarted miner restores the newest checkpoint and catches up (sync score %.2f of 1)", n.After.SyncScore)
}

func (n *narrator) onPages() string {
	switch a := &n.After; {
	case a.Evaluations == 0:
		return fmt.Sprintf("wait for the first evaluation: until then there is no score; %d of %d miners are drawn in a window", min(n.p.UIDsPerWindow, len(n.report.Miners)), len(n.report.Miners))
	case n.work():
		return n.onFit()
	case a.BinaryAverage <= 0:
		return fmt.Sprintf("train on the pages that are assigned to the uid for the window: the binary average is %.3f and must be positive for any score", a.BinaryAverage)
	case a.BinaryAverage < 0.5:
		return fmt.Sprintf("keep training on the assigned pages: each evaluation that shows it brings the binary average %.0f %% of the way from %.3f to 1", 100*n.p.BinaryScoreAlpha, a.BinaryAverage)
	}
	return ""
}

// onFit is onPages for the rule "work".
func (n *narrator) onFit() string {
	a := &n.After
	if chance := a.Chance(a.Paid(), n.p); a.BinaryAverage <= chance {
		return fmt.Sprintf("train on all pages that are assigned to the uid for the window: the binary average is %.3f, and there is pay above %.3f, which falls with each evaluation", a.BinaryAverage, chance)
	}
	if a.BinaryAverage < 0.5 {
		return fmt.Sprintf("train on all assigned pages: the binary average is %.3f, as if many were left out", a.BinaryAverage)
	}
	if g := a.RelativeGain(); g < 0.9 {
		return fmt.Sprintf("improve the gradient: on random pages it gains %.2f of what the typical miner's does", g)
	}
	return ""
}

func (n *narrator) onRank() string {
	if n.work() {
		return ""
	}
	if a := &n.After; a.Evaluations > 0 && a.Ordinal() <= 0 {
		return fmt.Sprintf("be better than the others evaluated, again and again: the rating %.2f must exceed three times its uncertainty %.2f", a.Mu, a.Sigma)
	}
	if r, of := n.rank(); n.Evaluated && r > max(1, of/2) {
		return fmt.Sprintf("gain more on random pages: more batches a window bring a better gradient (rank %d of %d)", r, of)
	}
	return ""
}
