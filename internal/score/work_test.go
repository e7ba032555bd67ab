package score

import (
	"math"
	"testing"

	"templar/protocol"
)

// tested is an observation with a gain on random data and, for each own batch, the relative improvements by the
// miner's step and by its control's.
func tested(n byte, gain float64, control protocol.UID, batches ...[2]float64) Observation {
	o := seen(n, blind(gain))
	o.Losses.Control = &control
	for _, b := range batches {
		o.Losses.Batches = append(o.Losses.Batches, BatchLosses{5, Number(5 * (1 - b[0])), Number(5 * (1 - b[1]))})
	}
	return o
}

// One window of the rule "work" by hand.
func TestWorkScoresAWindow(t *testing.T) {
	p := protocol.Default()
	p.ScoreEvidence = 1
	b, lines := closeBy(t, Book{}, 7, &p,
		// Ahead of its control by 0.002 on random data: it fits the batches where it is ahead by more.
		tested(1, 0.012, 2, [2]float64{0.015, 0.010}, [2]float64{0.013, 0.010}, [2]float64{0.011, 0.010}, [2]float64{0.013, 0.0115}),
		tested(2, 0.010, 3, [2]float64{0.014, 0.010}, [2]float64{0.012, 0.010}),
		tested(3, 0.009, 1, [2]float64{0.004, 0.006}, [2]float64{0.009, 0.016}))
	want := []struct{ binary, batches, gain, final float64 }{
		{0, 4, 0.012, 0},
		{1, 2, 0.010, 1},
		{0, 2, 0.009, 0}, // behind its control by 0.002 where 0.003 was to be expected, then by 0.007
	}
	for i, r := range b.Records {
		w := want[i]
		if !near(r.BinaryAverage, w.binary) || !near(r.Batches, w.batches) || !near(r.Gain, w.gain) || !near(r.TypicalGain, 0.010) || !near(r.Final, w.final) {
			t.Errorf("uid %d: %+v, want %+v", r.UID, r, w)
		}
	}
	if !near(lines[1].Weight, 1) {
		t.Errorf("weights %v", lines)
	}
}

// A control is compared with; one that is extreme, absent or not measured is not used.
func TestControls(t *testing.T) {
	batch := [2]float64{0.02, -1} // ahead of its control by far, and of random data by 0.01
	for name, c := range map[string]struct {
		control Observation
		fits    float64
	}{
		"typical":      {tested(2, 0.010, 3, [2]float64{0, 0}), 1},
		"exploding":    {tested(2, -1, 3, [2]float64{0, 0}), -1},
		"too good":     {tested(2, 0.5, 3, [2]float64{0, 0}), -1},
		"not measured": {seen(2, nil), -1},
		"another uid":  {tested(5, 0.010, 3, [2]float64{0, 0}), -1},
	} {
		p := protocol.Default()
		miner := tested(1, 0.010, 2, batch)
		miner.Losses.Batches[0].After = 5 * (1 - 0.005) // below random data, above the control
		b, _ := closeBy(t, Book{}, 0, &p, miner, c.control, tested(3, 0.010, 1, [2]float64{0, 0}), tested(4, 0.010, 3, [2]float64{0, 0}))
		if got := b.Records[0].BinaryAverage; got != c.fits {
			t.Errorf("%s: %v, want %v", name, got, c.fits)
		}
	}
}

// A miner is unpaid until its average exceeds chance, and keeps its pay above a quarter of that.
func TestProof(t *testing.T) {
	p := protocol.Default()
	var b Book
	window := func(fits bool) Record {
		batch := [2]float64{0.02, 0.01}
		if !fits {
			batch = [2]float64{0.005, 0.01}
		}
		b, _ = closeBy(t, b, b.Next, &p, tested(1, 0.01, 2, batch), tested(2, 0.01, 1, [2]float64{0, 0}), tested(3, 0.01, 1, [2]float64{0, 0}))
		return b.Records[0]
	}
	paidAt := 0
	for w := 1; w <= 8; w++ {
		r := window(true)
		if chance := p.ScoreEvidence / math.Sqrt(float64(w)); r.Paid() != (r.BinaryAverage > chance) && math.Abs(r.BinaryAverage-chance) > 0.02 {
			t.Errorf("after %d batches that fit: paid %v, %.2f against %.2f", w, r.Paid(), r.BinaryAverage, chance)
		}
		if r.Paid() && paidAt == 0 {
			paidAt = w
		}
	}
	if paidAt != 7 { // 2.5^2 = 6.25
		t.Errorf("paid after %d batches", paidAt)
	}
	lost := 0
	for w := 1; lost == 0 && w <= 40; w++ {
		if r := window(false); !r.Paid() {
			lost = w
			if r.BinaryAverage > 0.25 || r.BinaryAverage < 0 {
				t.Errorf("the pay ended at an average of %.2f", r.BinaryAverage)
			}
		}
	}
	if lost < 3 {
		t.Errorf("the pay ended after %d batches that did not fit", lost)
	}
	if r := window(true); r.Paid() {
		t.Error("paid again without a new proof")
	}
}

func TestRelativeGain(t *testing.T) {
	for _, c := range []struct{ gain, typical, want float64 }{
		{2, 1, 1}, {1, 1, 1}, {0.5, 1, 0.5}, {0.25, 1, 0.25}, {0.24, 1, 0}, {-1, 1, 0}, {-1, -1, 1}, {1, 0, 1},
	} {
		if got := (&Record{Gain: c.gain, TypicalGain: c.typical}).RelativeGain(); got != c.want {
			t.Errorf("%v of %v: %v, want %v", c.gain, c.typical, got, c.want)
		}
	}
}

// One window in which a gradient does great harm, or a great deal of good, does not decide.
func TestOneWindowDoesNotDecide(t *testing.T) {
	p := protocol.Default()
	p.ScoreEvidence = 0
	var b Book
	for w := range protocol.Window(20) {
		gain := 0.01
		if w == 5 {
			gain = -1
		}
		b, _ = closeBy(t, b, w, &p, tested(1, gain, 2, [2]float64{0.02, 0.01}), tested(2, 0.01, 3, [2]float64{0.02, 0.01}), tested(3, 0.01, 1, [2]float64{0.02, 0.01}))
	}
	if g := b.Records[0].RelativeGain(); g < 0.6 {
		t.Errorf("relative gain %.2f", g)
	}
}

// Invalid uploads are counted until one is valid.
func TestRefusedUploadsAreCounted(t *testing.T) {
	b := Book{}
	for w, c := range []struct {
		verdict protocol.Verdict
		want    uint64
	}{
		{protocol.VerdictMalformed, 1}, {protocol.VerdictNone, 1}, {protocol.VerdictMissing, 1}, {protocol.VerdictNonFinite, 2}, {protocol.VerdictLate, 2}, {protocol.VerdictOK, 0},
	} {
		o := seen(1, nil)
		o.Verdict = c.verdict
		if b, _ = mustClose(t, b, protocol.Window(w), o); b.Records[0].Refused != c.want {
			t.Errorf("after %v: %d refused, want %d", c.verdict, b.Records[0].Refused, c.want)
		}
	}
}
