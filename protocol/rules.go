package protocol

// ScoreRule names a rule by which measurements become scores.
type ScoreRule string

// The score rules. docs/spec/score.md specifies them.
const (
	// ScoreWork pays for the share of its own batches that a miner's gradients fit better than
	// another miner's do, times their gain on random data relative to the others'.
	ScoreWork ScoreRule = "work"
	// ScoreOrdinal is the rule of Templar v0.2.82: OpenSkill's ordinal times the average of the
	// binary indicator.
	ScoreOrdinal ScoreRule = "ordinal"
)

var scoreRules = []ScoreRule{ScoreWork, ScoreOrdinal}

// EvaluationDraw names a rule by which the miners to measure are drawn.
type EvaluationDraw string

// The rules of drawing.
const (
	// DrawUniform gives all miners with weight the same chance in each window, so that no window can
	// be foreseen in which a miner is less likely to be measured.
	DrawUniform EvaluationDraw = "uniform"
	// DrawWaiting is the rule of Templar v0.2.82: the chance grows with the windows since the last draw.
	DrawWaiting EvaluationDraw = "waiting"
)

var evaluationDraws = []EvaluationDraw{DrawUniform, DrawWaiting}

// DescribedScores sets the parameters of scores, draws and peer lists to those of Templar v0.2.82.
func (p *Params) DescribedScores() {
	p.ScoreRule, p.EvaluationDraw = ScoreOrdinal, DrawWaiting
	p.OpenSkillBeta, p.PowerNormalisation = 20, 2
	p.UnprovenPerWindow, p.UnprovenPeers, p.UnpaidEvaluations = 1, p.MaxTopKPeers, 0
}
