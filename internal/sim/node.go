package sim

import (
	"errors"
	"math/rand/v2"
	"time"

	"templar/internal/store"
	"templar/internal/store/mem"
	"templar/internal/telemetry"
	"templar/protocol"
)

// Node is one member of the network. Its disk outlives its processes.
type Node struct {
	net    *Network
	Name   string
	Role   telemetry.Role
	UID    protocol.UID
	member Member
	signer *signer
	files  store.Bucket  // its disk
	ahead  time.Duration // its clock, of true time
	rand   *rand.Rand    // of its latencies

	process    *process // nil: not running
	connection connection
	starts     int
	held       int  // faults that keep it down
	again      bool // start it when its process has ended
	gone       bool // for good
	done       bool // it has reached the end of the run
	crashed    map[crash]bool
	forged     map[string][]byte                 // falsified objects that it has stored, by key
	lied       map[protocol.Window]protocol.Term // windows about which it has lied, with the term

	next  protocol.Window // the first window that it has not committed
	clean int             // the first window since when nothing was wrong with it
}

// crash is one that the script asks for: it happens once.
type crash struct {
	window int
	phase  string
}

func (n *Network) newNode(m Member) (*Node, error) {
	key, err := newSigner(len(n.nodes))
	if err != nil {
		return nil, err
	}
	private := mem.New(n.s.time)
	err = errors.Join(private.CreateBucket("state"), private.AddKeys(store.Key{AccessKey: "owner", Secret: "owner", Admin: true}))
	if err != nil {
		return nil, err
	}
	files, err := private.Dial(store.Location{Bucket: "state", AccessKey: "owner", Secret: "owner"})
	return &Node{
		net: n, Name: m.Name, Role: m.Role, UID: protocol.UID(len(n.nodes)), member: m, signer: key, files: files,
		rand: rand.New(rand.NewPCG(n.config.Seed, hash64(0, m.Name))), crashed: make(map[crash]bool), forged: make(map[string][]byte), lied: make(map[protocol.Window]protocol.Term),
	}, err
}

// start starts a process of the node, unless something keeps it down.
func (n *Node) start() {
	if n.held--; n.held > 0 || n.gone || n.done || n.process != nil {
		return
	}
	n.held = 0
	n.run()
}

func (n *Node) run() {
	p := n.net.s.newProcess(n.net.ctx, n.Name)
	n.process = p
	n.starts++
	var err error
	n.net.s.spawn(p, func() { err = n.work(p) }, func() { n.ended(p, err) })
}

// ended looks at how a process ended. What was killed or has failed is started again, as
// a service manager does.
func (n *Node) ended(p *process, err error) {
	net := n.net
	p.cancel()
	n.process = nil
	pause := net.run.Params.BlockTime()
	switch {
	case p.dead:
	case err == nil:
		n.done = true
		return
	default:
		net.trace.add(n, "fails: %v", err)
		net.stats.Failures++
		n.again, pause = true, net.run.Params.WindowTime()
	}
	if n.again {
		n.again = false
		net.s.after(pause, n.restart)
	}
}

func (n *Node) restart() {
	if n.process == nil && n.held == 0 && !n.gone && !n.net.over {
		n.run()
	}
}

// stop ends the node's process until start is called as often.
func (n *Node) stop(how string) {
	n.held++
	n.again = false
	n.end(how)
}

// crash ends the node's process; a new one starts soon after.
func (n *Node) crash(how string) {
	if n.running() {
		n.again = n.held == 0
		n.end(how)
	}
}

// running reports whether the node has a process that was not killed.
func (n *Node) running() bool { return n.process != nil && n.process.ctx.Err() == nil }

func (n *Node) end(how string) {
	if !n.running() {
		return
	}
	n.net.trace.add(n, "%s", how)
	n.net.stats.Crashes++
	n.process.kill()
	n.net.s.interrupt(n.process)
}

// sink takes a process's events. It dies with the process.
type sink struct {
	node    *Node
	process *process
}

func (s *sink) Emit(e telemetry.Event) {
	if s.process.dead {
		return
	}
	s.process.leave(func() { s.node.net.event(s.node, e) })
	phase, ok := e.Body.(telemetry.Phase)
	if !ok || e.Window < s.node.net.start {
		return
	}
	at := crash{s.node.net.index(e.Window), phase.Name}
	if s.node.crashed[at] || !s.node.net.faults.crashesAt(s.node, at.window, at.phase) {
		return
	}
	s.node.crashed[at] = true
	s.process.dead = true // from here on nothing that it does counts
	s.process.leave(func() { s.node.crash("crashes at " + phase.Name) })
}
