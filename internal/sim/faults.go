package sim

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"templar/internal/harness"
)

// faults are those of the script, and those in force in the present window.
type faults struct {
	net   *Network
	all   []*planned
	now   []*planned // those in force
	stall int64      // until when no blocks are made
}

// planned is a fault with a random source of its own, so that a script without another
// fault gives nearly the same run.
type planned struct {
	Fault
	rand *rand.Rand
}

func newFaults(n *Network, script Script, seed uint64) *faults {
	fs := &faults{net: n}
	for _, f := range script {
		fs.all = append(fs.all, &planned{f, rand.New(rand.NewPCG(seed, hash64(0, f.String())))})
	}
	return fs
}

// outcome is what happens to a request.
type outcome struct {
	delay time.Duration // until the answer; the effect lies in the middle
	lost  bool          // there is no effect
	err   error         // the answer is lost
}

// tick is the grain of latencies. It makes nodes wake together, so that they can compute
// together.
const tick = 10 * time.Millisecond

// latency of a message, one way.
func (n *Node) latency() time.Duration { return time.Duration(n.rand.Int64N(4)) * tick }

// outcome draws what happens to a request of a node.
func (fs *faults) outcome(n *Node, bucket, op, key string) outcome {
	out := outcome{delay: tick + 2*n.latency() + 2*n.machine().Latency}
	if n.cutFrom(theStore) {
		return outcome{delay: time.Second, lost: true, err: errTimeout}
	}
	for _, f := range fs.now {
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

// meets reports whether a fault of the store concerns a request.
func (f *planned) meets(bucket, op, key string) bool {
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

// forgets reports whether a bucket was rolled back when this window began.
func (fs *faults) forgets(bucket string) bool {
	return slices.ContainsFunc(fs.now, func(f *planned) bool { return f.What == doRoll && bucketOf(f.Of) == bucket })
}

// cutFrom reports whether the node has no connection to the store or the chain.
func (n *Node) cutFrom(what string) bool {
	for _, f := range n.net.faults.now {
		if f.What == doCut && f.concerns(n.Name) && (f.Topic == what || f.Topic == "everything") {
			return true
		}
	}
	return false
}

// stalled reports whether no blocks are made. That lasts as long as the fault's windows do
// otherwise: no window begins meanwhile.
func (fs *faults) stalled() bool { return fs.net.s.now < fs.stall }

func (fs *faults) diskDelay(n *Node) (d time.Duration) {
	for _, f := range fs.now {
		if f.What == doDisk && f.concerns(n.Name) {
			d += f.Time
		}
	}
	return d
}

// crashesAt reports whether the script kills the node at the start of a phase of a window.
func (fs *faults) crashesAt(n *Node, window int, phase string) bool {
	for _, f := range fs.all {
		if f.What == doCrash && f.Phase == phase && f.in(window) && f.concerns(n.Name) {
			return true
		}
	}
	return false
}

// falsifies returns the part of its Aggregate that an aggregator falsifies in a window; ""
// for none.
func (fs *faults) falsifies(n *Node, window int) string {
	for _, f := range fs.all {
		if f.What == doFalsify && f.in(window) && f.concerns(n.Name) {
			return f.Topic
		}
	}
	return ""
}

// change begins a window: it ends the faults that are over and begins the new ones.
func (fs *faults) change(window int) {
	before := fs.now
	fs.now = nil
	for _, f := range fs.all {
		if f.in(window) {
			fs.now = append(fs.now, f)
		}
	}
	for _, f := range before {
		if !f.in(window) {
			fs.end(f)
		}
	}
	for _, f := range fs.now {
		if f.From == window {
			fs.net.trace.fault(f)
		}
		fs.begin(f, window)
	}
}

func (fs *faults) end(f *planned) {
	switch f.What {
	case doDown:
		fs.each(f, (*Node).start)
	case doClock:
		fs.each(f, func(n *Node) { n.ahead -= f.Time })
	}
}

// begin applies a fault to a window, or if it is the first of the fault's windows.
func (fs *faults) begin(f *planned, window int) {
	first := window == f.From
	switch {
	case f.What == doCrash && f.Phase == "":
		fs.each(f, func(n *Node) {
			fs.net.s.after(fs.sometime(f), func() { n.crash("crashes") })
		})
	case f.What == doReorganise:
		fs.net.s.after(fs.sometime(f), func() { fs.net.reorganise(f.Blocks) })
	case f.What == doStall && first:
		fs.stall = fs.net.s.now + int64(fs.net.run.Params.WindowTime())*int64(f.To-f.From+1)
	case f.What == doRoll:
		fs.net.rollBack(f.Of)
	case !first:
	case f.What == doPromote:
		fs.net.promote(f.Of)
	case f.What == doDown:
		fs.each(f, func(n *Node) { n.stop("goes down") })
	case f.What == doLeave:
		fs.each(f, func(n *Node) { n.gone = true; n.stop("leaves") })
	case f.What == doJoin:
		fs.each(f, (*Node).start)
	case f.What == doClock:
		fs.each(f, func(n *Node) { n.ahead += f.Time })
	}
}

// sometime draws a time within a window.
func (fs *faults) sometime(f *planned) time.Duration {
	return time.Duration(f.rand.Int64N(int64(fs.net.run.Params.WindowTime()/tick))) * tick
}

func (fs *faults) each(f *planned, do func(*Node)) {
	for _, n := range fs.net.nodes {
		if f.concerns(n.Name) {
			do(n)
		}
	}
}

// joinsLater reports whether the script lets a node begin in the middle of the run.
func (fs *faults) joinsLater(n *Node) bool {
	for _, f := range fs.all {
		if f.What == doJoin && f.concerns(n.Name) {
			return true
		}
	}
	return false
}
