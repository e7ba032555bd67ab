package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// quietEnd is how many of a run's last windows random faults leave alone, so that
// all nodes that can recover have done so at the end.
const quietEnd = settling

// Random draws the faults of a run from its seed: three in two windows, more among many
// nodes. Its script, like any other, can be printed, read and run again.
func Random(c Config) Script {
	d := drawer{Rand: rand.New(rand.NewPCG(c.Seed, 0x66_6175_6c74)), config: c}
	var s Script
	last := c.Windows - quietEnd
	for w := 1; w < last; w++ {
		for range 3 + c.Miners/16 {
			if d.IntN(2) == 0 {
				s = append(s, d.fault(w, last-1))
			}
		}
	}
	return s
}

type drawer struct {
	*rand.Rand
	config Config
}

// fault draws one that begins in window w and ends before the last.
func (d drawer) fault(w, last int) Fault {
	kinds := []struct {
		weight int
		draw   func(*Fault)
	}{
		{20, d.crash}, {6, d.down}, {2, d.aggregatorDown}, {14, d.requests}, {6, d.slow}, {8, d.cut}, {6, d.clock},
		{4, d.disk}, {2, d.chain}, {3, d.roll}, {1, d.falsify},
	}
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	pick := d.IntN(total)
	f := Fault{From: w, To: w}
	for _, k := range kinds {
		if pick -= k.weight; pick < 0 {
			k.draw(&f)
			break
		}
	}
	f.To = max(f.From, min(f.To, last))
	return f
}

func (d drawer) anyone() string {
	return d.node(d.IntN(d.config.Miners + d.config.Validators + d.config.Aggregators))
}

// node names the i-th of miners, validators and aggregators.
func (d drawer) node(i int) string {
	m, v := d.config.Miners, d.config.Validators
	switch {
	case i < m:
		return fmt.Sprintf("miner-%d", i)
	case i < m+v:
		return fmt.Sprintf("validator-%d", i-m)
	}
	return fmt.Sprintf("aggregator-%d", i-m-v)
}

func (d drawer) member() string {
	return d.node(d.IntN(d.config.Miners + d.config.Validators))
}

// phases are those in which dying is worth a try; a role passes over those of others.
var phases = []string{"", "training", "waiting", "uploading", "fetching", "gathering", "publishing", "applying", "comparing", "weights"}

func (d drawer) crash(f *Fault) {
	f.What, f.Who, f.Phase = doCrash, d.anyone(), phases[d.IntN(len(phases))]
}

func (d drawer) down(f *Fault) {
	f.What, f.Who = doDown, d.member()
	f.To += d.IntN(6)
}

func (d drawer) aggregatorDown(f *Fault) {
	f.What, f.Who = doDown, fmt.Sprintf("aggregator-%d", d.IntN(d.config.Aggregators))
	f.To += d.IntN(5)
}

func (d drawer) requests(f *Fault) {
	f.What = []string{doDrop, doFail}[d.IntN(2)]
	d.some(f)
}

func (d drawer) slow(f *Fault) {
	f.What, f.Time = doSlow, time.Duration(1+d.IntN(30))*100*time.Millisecond
	d.some(f)
}

// some draws which requests.
func (d drawer) some(f *Fault) {
	f.Who, f.Op, f.Share = theStore, ops[d.IntN(len(ops))], 10*(1+d.IntN(10))
	kinds := append([]string{""}, slices.Sorted(maps.Keys(objects))...)
	f.Object = kinds[d.IntN(len(kinds))]
	if d.IntN(4) > 0 {
		f.Of = d.anyone()
	}
}

func (d drawer) cut(f *Fault) {
	f.What, f.Who, f.Topic = doCut, d.anyone(), topics[d.IntN(len(topics))]
	f.To += d.IntN(3)
}

func (d drawer) clock(f *Fault) {
	f.What, f.Who, f.Time = doClock, d.anyone(), time.Duration(d.IntN(41)-20)*100*time.Millisecond
	f.To += d.IntN(5)
}

func (d drawer) disk(f *Fault) {
	f.What, f.Who, f.Time = doDisk, d.anyone(), time.Duration(1+d.IntN(20))*100*time.Millisecond
	f.To += d.IntN(2)
}

func (d drawer) chain(f *Fault) {
	f.Who, f.What = theChain, doStall
	if d.IntN(2) == 0 {
		f.What, f.Blocks = doReorganise, 1+d.IntN(4)
	}
}

// roll spares two aggregators: what the one has published and the store forgets before the
// other has read it, while the one is down, the other cannot know of.
func (d drawer) roll(f *Fault) {
	f.Who, f.What, f.Of = theStore, doRoll, d.anyone()
	if d.config.Aggregators > 1 {
		f.Of = d.member()
	}
}

func (d drawer) falsify(f *Fault) {
	f.Who, f.What = fmt.Sprintf("aggregator-%d", d.IntN(d.config.Aggregators)), doFalsify
	f.Topic = []string{"sum", "members", relayedParts}[d.IntN(3)]
	if f.Topic == relayedParts {
		f.Who, f.To = fmt.Sprintf("miner-%d", d.IntN(d.config.Miners)), f.From+d.IntN(3)
	}
}

// Byzantine draws what aggregators falsify, and which validators help them: those of less than half of the
// stake, the lead among them where it has less. Aggregators lie in one of eight windows, validators
// change every 50 windows, and a miner in four lies about what it relays.
func Byzantine(c Config) Script {
	d := drawer{Rand: rand.New(rand.NewPCG(c.Seed, 0x6279_7a61)), config: c}
	var s Script
	last := c.Windows - quietEnd - 1
	for from := 0; from <= last; from += 50 {
		to := min(from+49, last)
		for _, v := range d.minority() {
			s = append(s, Fault{From: from, To: to, Who: fmt.Sprintf("validator-%d", v), What: doFalsify, Topic: anythingTrue})
		}
		for m := d.IntN(4); m < c.Miners; m += 4 {
			s = append(s, Fault{From: from, To: to, Who: fmt.Sprintf("miner-%d", m), What: doFalsify, Topic: relayedParts})
		}
	}
	for w := 2; w < last; w++ {
		if d.IntN(8) == 0 {
			who := fmt.Sprintf("aggregator-%d", d.IntN(c.Aggregators))
			s = append(s, Fault{From: w, To: w, Who: who, What: doFalsify, Topic: falsifiable[d.IntN(len(falsifiable))]})
		}
	}
	return s
}

// minority draws validators with less than half of the stake in all; see harness.Stake.
func (d drawer) minority() (out []int) {
	total := d.config.Validators * (d.config.Validators + 1) / 2
	has := 0
	for _, v := range d.Perm(d.config.Validators) {
		if stake := d.config.Validators - v; 2*(has+stake) < total {
			out, has = append(out, v), has+stake
		}
	}
	slices.Sort(out)
	return out
}
