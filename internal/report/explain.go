package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"templar/internal/score"
	"templar/protocol"
)

// Explanation explains a miner's score in plain words.
type Explanation struct {
	UID       protocol.UID    `json:"uid"`
	Hotkey    protocol.Hotkey `json:"hotkey"`
	Validator protocol.UID    `json:"validator"`
	Engine    string          `json:"engine,omitempty"` // that measured the newest window's losses
	Windows   []Story         `json:"windows"`          // newest first
	// Advice lists what would raise the score, as of the newest window.
	Advice []string `json:"advice"`
}

// Story is the effect of one window on the miner.
type Story struct {
	Window protocol.Window `json:"window"`
	Final  float64         `json:"final"`
	Weight float64         `json:"weight"` // share
	Lines  []Line          `json:"lines"`
	Miner  *Miner          `json:"seen"`
}

// Line is one sentence on one topic.
type Line struct {
	About string `json:"about"`
	Says  string `json:"says"`
}

// Explain collects what reports, newest first, contain about the hotkey that uid has in the
// newest of them. ok is false when the newest report does not contain the uid.
func Explain(reports []*Report, uid protocol.UID, p *protocol.Params) (e Explanation, ok bool) {
	if len(reports) == 0 {
		return e, false
	}
	newest, ok := reports[0].miner(uid)
	if !ok {
		return e, false
	}
	e = Explanation{UID: uid, Hotkey: newest.Hotkey, Validator: reports[0].UID, Engine: reports[0].Engine}
	for _, r := range reports {
		i := slices.IndexFunc(r.Miners, func(m Miner) bool { return m.Hotkey == e.Hotkey })
		if i < 0 {
			continue
		}
		n := narrator{Miner: &r.Miners[i], report: r, p: p}
		e.Windows = append(e.Windows, Story{
			Window: r.Window, Final: n.After.Final, Weight: n.Weight, Lines: n.lines(), Miner: n.Miner,
		})
	}
	n := narrator{Miner: newest, report: reports[0], p: p}
	e.Advice = n.advise()
	return e, true
}

func (r *Report) miner(uid protocol.UID) (*Miner, bool) {
	i := slices.IndexFunc(r.Miners, func(m Miner) bool { return m.UID == uid })
	if i < 0 {
		return nil, false
	}
	return &r.Miners[i], true
}

// narrator describes one miner in one report.
type narrator struct {
	*Miner
	report *Report
	p      *protocol.Params
}

func (n *narrator) lines() []Line {
	return slices.Concat(n.gradient(), n.evaluation(), n.sync(), n.penalties(), n.final())
}

func (n *narrator) gradient() []Line {
	list := "not in the peer list"
	if n.Selected {
		list = "in the peer list"
	}
	var says string
	switch v := n.Verdict; {
	case v == protocol.VerdictNone:
		says = "not looked at: not in the peer list, and not drawn for evaluation"
	case v.OK() && n.Included:
		says = fmt.Sprintf("ok, %s, and part of the window's update", list)
	case v.OK() && n.report.Aggregate.IsZero():
		says = fmt.Sprintf("ok, %s; the window's update was not out when it was judged", list)
	case v.OK():
		says = fmt.Sprintf("ok, %s, but not part of the window's update", list)
	default:
		says = fmt.Sprintf("%s (%s): %s", v, list, n.blame())
	}
	return []Line{{"gradient", says}}
}

// blame describes the cause of a verdict for the miner's operator.
func (n *narrator) blame() string {
	switch n.Verdict {
	case protocol.VerdictMissing:
		return "no object " + protocol.GradientKey(n.report.Window, n.UID) + " in its bucket"
	case protocol.VerdictUnreachable:
		return "its store did not answer in time"
	case protocol.VerdictDenied:
		return "the read key on the chain lacks the right to read its bucket"
	case protocol.VerdictUnauthenticated:
		return "its store does not know the read key on the chain, or its secret differs"
	case protocol.VerdictNoBucket:
		return "it committed no bucket that this run reads"
	case protocol.VerdictEarly, protocol.VerdictLate:
		return n.timing()
	case protocol.VerdictWithheld:
		return "the closing statement lists it, and its key was not revealed in time, as " + protocol.RevealKey(n.report.Window, n.UID)
	case protocol.VerdictUnlisted:
		return "it was in time, and the aggregator's closing statement does not list it: it counts for nothing, and costs nothing"
	case protocol.VerdictUndated:
		return "it was sent in parts, which some stores date by the beginning of the upload: send it by one PUT"
	case protocol.VerdictTooLarge:
		return "the object is larger than any gradient of this run"
	case protocol.VerdictWrongVersion, protocol.VerdictWrongContext:
		return "it is of another protocol version, run, window, uid or hotkey"
	case protocol.VerdictBadSignature:
		return "it is not signed by the hotkey"
	case protocol.VerdictNonFinite:
		return "a value in it is NaN or infinite"
	case protocol.VerdictBadIndex, protocol.VerdictBadShape:
		return "it was made for a model of another shape"
	}
	return "its bytes are not a gradient of this run"
}

func (n *narrator) timing() string {
	end := time.UnixMilli(n.report.EndTime)
	if n.Stored == 0 {
		return "it was stored outside the upload time"
	}
	bounds := n.p.UploadBounds(end)
	if n.Verdict == protocol.VerdictEarly {
		return fmt.Sprintf("stored %v before uploads count", short(bounds.Min.Sub(n.StoredAt())))
	}
	return fmt.Sprintf("stored %v after the upload deadline", short(n.StoredAt().Sub(bounds.Max)))
}

func short(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }

func (n *narrator) evaluation() []Line {
	switch {
	case n.Evaluated:
		return n.measured()
	case n.Drawn && n.Verdict.OK():
		return []Line{{"evaluation", "drawn, but not rated: see below"}}
	case n.Drawn:
		return []Line{{"evaluation", "drawn, but there was no gradient that counts"}}
	}
	return []Line{{"evaluation", fmt.Sprintf("not drawn: %d of %d miners were, in this window; not for %s now%s",
		n.report.drawn(), len(n.report.Miners), count(n.After.Waiting, "window"), n.chances())}}
}

// drawn is how many miners were drawn.
func (r *Report) drawn() (n int) {
	for i := range r.Miners {
		if r.Miners[i].Drawn {
			n++
		}
	}
	return n
}

// chances says what the chance of being drawn depends on.
func (n *narrator) chances() string {
	switch {
	case n.p.EvaluationDraw == protocol.DrawWaiting:
		return ", and the chance grows with each"
	case n.After.Final > 0:
		return "; the chance is the same in each"
	}
	return "; miners without weight have places of their own"
}

func count(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "ch") {
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (n *narrator) measured() []Line {
	l := n.Losses
	if l == nil {
		l = &score.Losses{}
	}
	rank, of := n.rank()
	b, a := &n.Before, &n.After
	return []Line{
		{"evaluation", fmt.Sprintf("own pages: loss %.4f -> %.4f (%s); random pages: %.4f -> %.4f (%s)",
			l.OwnBefore, l.OwnAfter, gain(n.Own), l.RandomBefore, l.RandomAfter, gain(n.Random))},
		{"rank", fmt.Sprintf("%d of %d by gain on random pages; rating %.2f -> %.2f, uncertainty %.2f -> %.2f, ordinal %.2f -> %.2f",
			rank, of, b.Mu, a.Mu, b.Sigma, a.Sigma, b.Ordinal(), a.Ordinal())},
		{"binary", n.trend()},
	}
}

// trend says what the evaluation did to the binary average.
func (n *narrator) trend() string {
	says := "its own pages gained more than the random ones, as training on them should give: binary average up"
	if n.Own <= n.Random {
		says = "its own pages gained no more than the random ones, as if it had trained on others: binary average down"
	}
	if n.work() {
		says = n.fitting()
	}
	return fmt.Sprintf("%s, %.3f -> %.3f", says, n.Before.BinaryAverage, n.binary())
}

// fitting says how many of the miner's own batches its gradient fitted.
func (n *narrator) fitting() string {
	fits, of := n.fits()
	says := fmt.Sprintf("%d of %s of its own pages gained more than other data, as training on them gives", fits, count(uint64(of), "batch"))
	if c := n.Losses.Control; c != nil {
		says += fmt.Sprintf(" (compared with the gradient of uid %d)", *c)
	}
	return says
}

func (n *narrator) work() bool { return n.p.ScoreRule == protocol.ScoreWork }

// fits is the number of own batches that fitted, and of all that were measured.
func (n *narrator) fits() (fits, of int) {
	sum, batches := n.report.fit(n.Miner)
	return int(batches+sum) / 2, int(batches)
}

// fit is score.Fit with the report's measurements.
func (r *Report) fit(m *Miner) (sum, batches float64) {
	lines := make([]score.Line, len(r.Miners))
	for i := range lines {
		lines[i] = r.Miners[i].Line
	}
	return score.Fit(lines, &m.Line)
}

// binary is the binary average of an evaluated miner before penalties.
func (n *narrator) binary() float64 {
	alpha, b := n.p.BinaryScoreAlpha, &n.Before
	if n.work() {
		sum, batches := n.report.fit(n.Miner)
		return ((1-alpha)*b.Batches*b.BinaryAverage + sum) / ((1-alpha)*b.Batches + batches)
	}
	return (1-alpha)*b.BinaryAverage + alpha*score.Indicator(n.Own, n.Random)
}

func gain(r float64) string {
	if r < 0 {
		return fmt.Sprintf("%.3f %% worse", -100*r)
	}
	return fmt.Sprintf("%.3f %% better", 100*r)
}

// rank is the miner's place among those evaluated.
func (n *narrator) rank() (rank, of int) {
	rank = 1
	for i := range n.report.Miners {
		if o := &n.report.Miners[i]; o.Evaluated {
			of++
			if o.Random > n.Random {
				rank++
			}
		}
	}
	return rank, of
}

func (n *narrator) sync() []Line {
	switch s := n.Sync; {
	case s == nil:
		return nil
	case s.Verdict.OK():
		says := fmt.Sprintf("its model is %.2f steps from the validator's: sync score %.3f", s.StepsBehind, n.After.SyncScore)
		if !s.Same {
			says += "; the state hash that it signed is not the validator's"
		}
		return []Line{{"sync", says}}
	default:
		return []Line{{"sync", fmt.Sprintf("its sync sample is %v: sync score %.3f", s.Verdict, n.After.SyncScore)}}
	}
}

func (n *narrator) penalties() (out []Line) {
	for _, r := range n.Reasons {
		about := "note"
		if r.Factor != 1 {
			about = "penalty"
		}
		out = append(out, Line{about, r.String()})
	}
	return out
}

// product shows how an evaluated miner's final score came about.
func (n *narrator) product() string {
	a, binary := n.After, n.binary()
	if !n.work() {
		return fmt.Sprintf(" = ordinal %.2f x binary %.3f x sync %.3f", a.Ordinal(), max(0, binary), a.SyncScore)
	}
	if chance := a.Chance(n.Before.Paid(), n.p); binary <= chance {
		return fmt.Sprintf(": the binary average %.3f is no more than chance can give, %.3f after so many batches", binary, chance)
	}
	return fmt.Sprintf(" = gain %.2f of the typical x binary %.3f x sync %.3f", a.RelativeGain(), binary, a.SyncScore)
}

func (n *narrator) final() []Line {
	a := &n.After
	says := fmt.Sprintf("%.4f -> %.4f", n.Before.Final, a.Final)
	if n.Evaluated {
		says += n.product()
		if slices.ContainsFunc(n.Reasons, func(r score.Reason) bool { return r.Factor != 1 }) {
			says += ", less penalties"
		}
	}
	return []Line{{"final", says}, {"weight", fmt.Sprintf("%.2f %% of this validator's weights", 100*n.Weight)}}
}
