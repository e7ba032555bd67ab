package sim

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"templar/internal/harness"
)

// weather is what the script says of the present window.
type weather struct {
	net    *Network
	faults []*forecast // all
	now    []*forecast // those in force
	stall  int64       // until when no blocks are made
}

// forecast is a fault with a source of chance of its own, so that leaving another fault
// out of a script changes as little as can be.
type forecast struct {
	Fault
	rand *rand.Rand
}

func newWeather(n *Network, script Script, seed uint64) *weather {
	w := &weather{net: n}
	for _, f := range script {
		w.faults = append(w.faults, &forecast{f, rand.New(rand.NewPCG(seed, hash64(0, f.String())))})
	}
	return w
}

// fate is what becomes of a request.
type fate struct {
	delay time.Duration // until the answer; the effect lies in the middle
	lost  bool          // there is no effect
	err   error         // the answer is lost
}

// tick is the grain of latencies. It makes nodes wake together, so that they can compute
// together.
const tick = 10 * time.Millisecond

// latency of a message, one way.
func (n *Node) latency() time.Duration { return time.Duration(n.rand.Int64N(4)) * tick }

// fate draws what becomes of a node's request.
func (w *weather) fate(n *Node, bucket, op, key string) fate {
	out := fate{delay: tick + 2*n.latency()}
	if n.cutFrom(theStore) {
		return fate{delay: time.Second, lost: true, err: errTimeout}
	}
	for _, f := range w.now {
		if !f.meets(bucket, op, key) || f.rand.IntN(100) >= f.Share {
			continue
		}
		switch f.What {
		case doSlow:
			out.delay += f.Time
		case doDrop:
			out.lost, out.err = true, errLost
		case doFail:
			out.err = errLost
		}
	}
	return out
}

// meets tells whether a fault of the store concerns a request.
func (f *forecast) meets(bucket, op, key string) bool {
	switch f.What {
	case doDrop, doFail, doSlow:
	default:
		return false
	}
	return (f.Op == anything || f.Op == op) && (f.Of == "" || bucketOf(f.Of) == bucket) && strings.HasPrefix(key, objects[f.Object])
}

// bucketOf names a node's bucket: aggregators share one.
func bucketOf(node string) string {
	if strings.HasPrefix(node, "aggregator-") {
		return harness.AggregatorBucket
	}
	return node
}

// forgets tells whether a bucket was rolled back when this window began.
func (w *weather) forgets(bucket string) bool {
	return slices.ContainsFunc(w.now, func(f *forecast) bool { return f.What == doRoll && bucketOf(f.Of) == bucket })
}

// cutFrom tells whether the node has no connection to the store or the chain.
func (n *Node) cutFrom(what string) bool {
	for _, f := range n.net.weather.now {
		if f.What == doCut && f.concerns(n.Name) && (f.Topic == what || f.Topic == "everything") {
			return true
		}
	}
	return false
}

// stalled tells whether no blocks are made. That lasts as long as the fault's windows do
// otherwise: no window begins meanwhile.
func (w *weather) stalled() bool { return w.net.s.now < w.stall }

func (w *weather) diskDelay(n *Node) (d time.Duration) {
	for _, f := range w.now {
		if f.What == doDisk && f.concerns(n.Name) {
			d += f.Time
		}
	}
	return d
}

// crashesAt tells whether the node is to die on entering a phase of a window.
func (w *weather) crashesAt(n *Node, window int, phase string) bool {
	for _, f := range w.faults {
		if f.What == doCrash && f.Phase == phase && f.in(window) && f.concerns(n.Name) {
			return true
		}
	}
	return false
}

// lieOf returns what the aggregator is to lie about in a window; "" for nothing.
func (w *weather) lieOf(n *Node, window int) string {
	for _, f := range w.faults {
		if f.What == doLie && f.in(window) && f.concerns(n.Name) {
			return f.Topic
		}
	}
	return ""
}

// change begins a window: it ends what was in force until now, and begins what is.
func (w *weather) change(window int) {
	before := w.now
	w.now = nil
	for _, f := range w.faults {
		if f.in(window) {
			w.now = append(w.now, f)
		}
	}
	for _, f := range before {
		if !f.in(window) {
			w.end(f)
		}
	}
	for _, f := range w.now {
		if f.From == window {
			w.net.trace.fault(f)
		}
		w.begin(f, window)
	}
}

func (w *weather) end(f *forecast) {
	switch f.What {
	case doDown:
		w.each(f, (*Node).start)
	case doClock:
		w.each(f, func(n *Node) { n.ahead -= f.Time })
	}
}

// begin does what a fault does in each of its windows, or in its first.
func (w *weather) begin(f *forecast, window int) {
	first := window == f.From
	switch {
	case f.What == doCrash && f.Phase == "":
		w.each(f, func(n *Node) {
			w.net.s.after(w.sometime(f), func() { n.crash("crashes") })
		})
	case f.What == doReorganise:
		w.net.s.after(w.sometime(f), func() { w.net.reorganise(f.Blocks) })
	case f.What == doStall && first:
		w.stall = w.net.s.now + int64(w.net.run.Params.WindowTime())*int64(f.To-f.From+1)
	case f.What == doRoll:
		w.net.rollBack(f.Of)
	case !first:
	case f.What == doPromote:
		w.net.promote(f.Of)
	case f.What == doDown:
		w.each(f, func(n *Node) { n.stop("goes down") })
	case f.What == doLeave:
		w.each(f, func(n *Node) { n.gone = true; n.stop("leaves") })
	case f.What == doJoin:
		w.each(f, (*Node).start)
	case f.What == doClock:
		w.each(f, func(n *Node) { n.ahead += f.Time })
	}
}

// sometime draws an instant of a window.
func (w *weather) sometime(f *forecast) time.Duration {
	return time.Duration(f.rand.Int64N(int64(w.net.run.Params.WindowTime()/tick))) * tick
}

func (w *weather) each(f *forecast, do func(*Node)) {
	for _, n := range w.net.nodes {
		if f.concerns(n.Name) {
			do(n)
		}
	}
}

// joinsLater tells whether the script lets a node begin in the middle of the run.
func (w *weather) joinsLater(n *Node) bool {
	for _, f := range w.faults {
		if f.What == doJoin && f.concerns(n.Name) {
			return true
		}
	}
	return false
}
