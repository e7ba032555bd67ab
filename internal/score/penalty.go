package score

import "templar/protocol"

// penalise applies all penalties that follow from a miner's observation.
func penalise(lines []Line, p *protocol.Params) {
	gradients, samples := blackout(lines, gradientVerdict), blackout(lines, syncVerdict)
	for i := range lines {
		l := &lines[i]
		l.refusal()
		l.inactivity(p)
		l.gradient(gradients, p)
		l.desync(samples, p)
	}
}

// refusal counts invalid uploads. From the first on a miner is inactive, until an upload of its is valid.
func (l *Line) refusal() {
	switch r := &l.After; {
	case l.Verdict.Invalid():
		r.Refused++
	case l.Verdict.OK():
		r.Refused = 0
	}
}

func (l *Line) inactivity(p *protocol.Params) {
	r := &l.After
	if l.Active {
		r.InactiveWindows = 0
		return
	}
	r.InactiveWindows++
	if r.InactiveWindows <= p.ResetInactivityWindows {
		l.penalise(KindInactive, p.InactivityPenalty, "window %d of inactivity", r.InactiveWindows)
		return
	}
	reset := newRecord(r.Hotkey, r.UID)
	reset.Waiting, reset.InactiveWindows, reset.Refused = r.Waiting, r.InactiveWindows, r.Refused
	if p.ScoreRule == protocol.ScoreWork && r.worse() {
		reset.Evaluations, reset.LastEvaluated, reset.GradientScore = r.Evaluations, r.LastEvaluated, r.GradientScore
		reset.BinaryAverage, reset.Batches, reset.Gain, reset.TypicalGain = r.BinaryAverage, r.Batches, r.Gain, r.TypicalGain
	}
	*r = reset
	l.Reasons = append(l.Reasons, Reason{KindReset, 0, "inactive for too many windows: begins anew when it returns"})
}

// worse reports whether the measurements in a record speak against its miner, so that one who idles until it is forgotten would
// be better off than before: first in line for evaluation, and in the peer list again.
func (r *Record) worse() bool {
	return r.Evaluations > 0 && (r.BinaryAverage <= 0 || r.RelativeGain() == 0)
}

func (l *Line) gradient(blackout bool, p *protocol.Params) {
	switch v := l.Verdict; {
	case v.OK() && l.Copy != nil:
		l.note(KindShared, "like the gradient of uid %d: %v; only one of them is rated", l.Copy.Of, l.Copy)
	case v == protocol.VerdictNone || v.OK():
	case v.Invalid():
		l.penalise(KindInvalid, 0, "gradient is %v", v)
	case v == protocol.VerdictUnlisted:
		l.note(KindUnlisted, "in time, and not listed by the aggregator's closing statement: it counts for nothing and costs nothing")
	case v == protocol.VerdictUnreachable && blackout:
		l.note(KindBlackout, "no miner's gradient could be reached")
	default:
		l.penalise(KindMissing, p.MissingGradientPenalty, "gradient is %v", v)
	}
}

func (l *Line) desync(blackout bool, p *protocol.Params) {
	switch s := l.Sync; {
	case s == nil || s.Verdict == protocol.VerdictNone:
	case s.Verdict == protocol.VerdictUnreachable && blackout:
		l.note(KindBlackout, "no miner's sync sample could be reached")
	case !s.Verdict.OK():
		l.penalise(KindNoSample, p.SyncPenalty, "sync sample is %v", s.Verdict)
	case !(s.StepsBehind >= 0 && float64(s.StepsBehind) <= p.SyncMaxStepsBehind): // NaN is out of sync too
		l.penalise(KindSync, p.SyncPenalty, "%.3g steps from our parameters, at most %g allowed", s.StepsBehind, p.SyncMaxStepsBehind)
	}
}

func gradientVerdict(o *Observation) protocol.Verdict { return o.Verdict }

func syncVerdict(o *Observation) protocol.Verdict {
	if o.Sync == nil {
		return protocol.VerdictNone
	}
	return o.Sync.Verdict
}

// blackout reports whether several miners were observed and none of their stores answered. The
// likely cause is our own link, and honest miners must not be penalised for it.
func blackout(lines []Line, verdict func(*Observation) protocol.Verdict) bool {
	unreachable := 0
	for i := range lines {
		switch verdict(&lines[i].Observation) {
		case protocol.VerdictNone:
		case protocol.VerdictUnreachable:
			unreachable++
		default:
			return false
		}
	}
	return unreachable > 1
}
