package scores

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"

	"templar/internal/peers"
	"templar/internal/score"
	"templar/protocol"
)

// The synthetic network replaces the engine by a model of its measurements, so that the rules can be
// studied on thousands of windows a second. In units of the typical gain on random data, measured in the
// runs of TestPay (two pages a window): a gradient gains 0.36 more on a batch that it was made from; the same
// gradient varies by 0.16 from batch to batch, and a batch is 20 % easier or harder than others for all
// gradients alike; between miners of the same work, gains on random data vary by 8 %.
const (
	memory     = 0.36
	unevenness = 0.23
	difficulty = 0.27
	luck       = 0.18
)

// worker is a miner of the synthetic network. The zero value does nothing.
type worker struct {
	work  float64 // share of its pages that it trains on
	gain  float64 // on random data, 1 for an honest gradient
	own   float64 // excess on trained batches, 1 for an honest gradient
	lazy  float64 // share of windows in which it uploads noise instead
	fresh int     // windows after which it registers anew; 0: never
	from  int     // first window in which it uploads
}

var honestWorker = worker{work: 1, gain: 1, own: 1}

// partial is a miner that trains on a part of its pages. With fewer pages each is fitted better, and the
// gradient is noisier: for half of four pages the runs of TestPay have 0.95 of the gain.
func partial(share float64) worker {
	return worker{work: share, gain: 1 - 0.1*(1-share), own: 1 / math.Sqrt(share)}
}

// synthetic is a synthetic network, with one validator.
type synthetic struct {
	workers []worker
	pages   int // of a miner, in a window
	sampled int // of them
	params  protocol.Params
	rng     *rand.Rand

	book score.Book
	keys []protocol.Hotkey
	paid []float64 // sum of shares over the windows in which any were paid
	open int       // such windows
}

// newSynthetic has all miners evaluated in each window when uids is 0.
func newSynthetic(seed uint64, uids int, change func(*protocol.Params), groups ...[]worker) *synthetic {
	s := &synthetic{workers: slices.Concat(groups...), pages: 4, sampled: 2, params: protocol.Default(), rng: rand.New(rand.NewPCG(seed, 53))}
	if change != nil {
		change(&s.params)
	}
	if s.params.UIDsPerWindow = uids; uids == 0 {
		s.params.UIDsPerWindow = len(s.workers)
	}
	s.paid = make([]float64, len(s.workers))
	for i := range s.workers {
		s.keys = append(s.keys, protocol.Hotkey{1, byte(i), byte(i >> 8)})
	}
	return s
}

func crew(n int, w worker) []worker { return slices.Repeat([]worker{w}, n) }

// run closes windows.
func (s *synthetic) run(t testing.TB, windows int) *synthetic {
	t.Helper()
	for range windows {
		s.window(t)
	}
	return s
}

func (s *synthetic) window(t testing.TB) {
	w := int(s.book.Next)
	for i, m := range s.workers {
		if m.fresh > 0 && w%m.fresh == 0 {
			s.keys[i][3]++
		}
	}
	drawn := s.draw()
	typical := 0.013*math.Exp(-float64(w)/100) + 0.0005
	state := make([]worker, len(s.workers)) // in this window
	for i, m := range s.workers {
		if state[i] = m; s.rng.Float64() < m.lazy {
			state[i].work, state[i].gain = 0, 0
		}
	}
	gains := make([]float64, len(state))
	for i, m := range state {
		gains[i] = typical * m.gain * (1 + luck*s.rng.NormFloat64())
	}
	seen := make([]score.Observation, len(state))
	for i := range state {
		seen[i] = score.Observation{UID: protocol.UID(i), Hotkey: s.keys[i], Active: true, Sync: &score.Sync{Verdict: protocol.VerdictOK}}
		if w < state[i].from {
			seen[i].Active, seen[i].Verdict = false, protocol.VerdictMissing
		} else {
			seen[i].Verdict = protocol.VerdictOK
		}
	}
	ring := s.rng.Perm(len(drawn))
	for k, at := range ring {
		i, control := drawn[at], drawn[ring[(k+1)%len(ring)]]
		seen[i].Drawn, seen[i].Losses = true, s.losses(state, gains, typical, int(i), int(control))
	}
	next, lines, err := s.book.Close(s.book.Next, seen, &s.params)
	if err != nil {
		t.Fatal(err)
	}
	s.book = next
	total := 0.0
	for _, l := range lines {
		s.paid[l.UID] += l.Weight
		total += l.Weight
	}
	if total > 0 {
		s.open++
	}
}

// draw returns the miners to evaluate, by the rules.
func (s *synthetic) draw() []protocol.UID {
	var entrants []peers.Entrant
	for i, key := range s.keys {
		if int(s.book.Next) < s.workers[i].from {
			continue
		}
		e := peers.Entrant{UID: protocol.UID(i), Waiting: uint64(s.book.Next)}
		if r, ok := s.book.Record(key); ok {
			e.Waiting, e.Standing = r.Waiting, peers.StandingOf(r, &s.params)
		}
		entrants = append(entrants, e)
	}
	var seed protocol.Hash
	for i := range seed {
		seed[i] = byte(s.rng.IntN(256))
	}
	drawn, _ := peers.NewLineup(entrants, &s.params, seed, s.book.Next).Fill(func(protocol.UID) peers.Look { return peers.Usable })
	return drawn
}

// losses measures a miner.
func (s *synthetic) losses(state []worker, gains []float64, typical float64, i, control int) *score.Losses {
	m, uid := state[i], protocol.UID(control)
	const before = 3.0
	l := &score.Losses{RandomBefore: before, RandomAfter: score.Number(before * (1 - gains[i])), OwnBefore: before}
	if control != i {
		l.Control = &uid
	}
	after := 0.0
	for _, page := range s.rng.Perm(s.pages)[:s.sampled] {
		ease := 1 + difficulty*s.rng.NormFloat64()
		excess := 0.0
		if float64(page) < m.work*float64(s.pages) {
			excess = memory * m.own
		}
		mine := ease*gains[i] + typical*(excess+m.gain*unevenness*s.rng.NormFloat64())
		others := ease*gains[control] + typical*state[control].gain*unevenness*s.rng.NormFloat64()
		l.Batches = append(l.Batches, score.BatchLosses{
			Before: before, After: score.Number(before * (1 - mine)), Control: score.Number(before * (1 - others)),
		})
		after += before * (1 - mine) / float64(s.sampled)
	}
	l.OwnAfter = score.Number(after)
	return l
}

// pay is each miner's pay: over the whole run relative to what it would have been by equal parts, and at its end.
func (s *synthetic) pay() (whole, end []float64) {
	n := float64(len(s.workers))
	whole, end = make([]float64, len(s.workers)), make([]float64, len(s.workers))
	for i := range whole {
		whole[i] = s.paid[i] * n / float64(max(s.open, 1))
	}
	for _, w := range s.book.Weights(s.params.PowerNormalisation) {
		end[w.UID] = w.Share * n
	}
	return whole, end
}

// least is the number of evaluations of the miner with the fewest.
func (s *synthetic) least() uint64 {
	if len(s.book.Records) < len(s.workers) {
		return 0
	}
	least := uint64(math.MaxUint64)
	for _, r := range s.book.Records {
		least = min(least, r.Evaluations)
	}
	return least
}

// inequality is the standard deviation over the mean, and the number of miners without pay.
func inequality(pay []float64) (spread float64, without int) {
	mean, deviation := stat.MeanStdDev(pay, nil)
	for _, p := range pay {
		if p == 0 {
			without++
		}
	}
	return deviation / mean, without
}
