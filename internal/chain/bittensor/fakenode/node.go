package fakenode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"templar/internal/chain/bittensor/runtime"
	"templar/internal/chain/bittensor/timelock"
	"templar/protocol"
)

// Config is the chain that a node begins with.
type Config struct {
	Metadata    []byte // as a node gives it, V14 or V15
	Spec        uint32
	Transaction uint32
	NetUID      uint16
	Start       time.Time     // of block 0
	BlockTime   time.Duration // between blocks
	Lag         uint64        // blocks that the final head is behind
	Seed        string        // makes the genesis, and so the chain, another one

	Tempo        uint64
	RateLimit    uint64 // blocks between weights
	MinWeights   uint64
	MaxUIDs      uint64
	CommitReveal bool
	RevealPeriod uint64
	Burn         uint64
	PerBlock     uint64 // registrations in a block
	// Wrapped makes get_neurons_lite answer as old runtimes did.
	Wrapped bool
	// Chopsticks makes numbers, statuses and errors look as chopsticks has them.
	Chopsticks bool
}

// Node is the node. All its methods are safe for concurrent use.
type Node struct {
	cfg    Config
	beacon *timelock.Signer

	mu struct {
		sync.Mutex
		blocks  map[protocol.Hash]*block
		best    []*block // the best chain by number
		final   uint64
		told    uint64 // the newest final block that was notified
		stalled bool
		skip    int    // final blocks that are not notified
		hold    uint64 // no drand pulses before this block
		frozen  bool   // the pool's extrinsics are not included
		pruned  uint64
		runtime version
		pending *version // from the next block on
		pool    []*pooled
		future  []*pooled
		spent   uint64
		conns   map[*conn]bool
		faults  Faults
		counts  map[string]int
		clock   time.Duration // added to the next block's time
	}
}

type version struct {
	*runtime.Metadata
	raw      []byte
	spec, tx uint32
}

func newVersion(raw []byte, spec, tx uint32) version {
	m, err := runtime.Decode(raw)
	if err != nil {
		panic("fakenode: " + err.Error())
	}
	return version{m, raw, spec, tx}
}

type block struct {
	header     runtime.Header
	hash       protocol.Hash
	extrinsics [][]byte
	state      *storage
	runtime    version // whose state it has
	executed   version
	results    []Included
}

type pooled struct {
	raw      []byte
	x        runtime.Signed
	watchers []*watcher
	in       *block
	dead     bool
}

// Included is a signed extrinsic of the best chain, and what became of it.
type Included struct {
	Block  uint64
	Signer protocol.Hotkey
	Nonce  uint64
	Call   string // Pallet.name
	Error  string // name, empty for success
}

// New makes a node with block 0.
func New(c Config) *Node {
	c.Transaction = max(c.Transaction, 1)
	if c.BlockTime == 0 {
		c.BlockTime = 12 * time.Second
	}
	if c.MaxUIDs == 0 {
		c.MaxUIDs = 256
	}
	if c.RevealPeriod == 0 {
		c.RevealPeriod = 1
	}
	if c.PerBlock == 0 {
		c.PerBlock = 64
	}
	n := &Node{cfg: c, beacon: timelock.NewSigner([]byte("beacon " + c.Seed))}
	n.mu.blocks, n.mu.conns, n.mu.counts = map[protocol.Hash]*block{}, map[*conn]bool{}, map[string]int{}
	n.mu.runtime = newVersion(c.Metadata, c.Spec, c.Transaction)
	b := &block{runtime: n.mu.runtime, executed: n.mu.runtime, state: (*storage)(nil).child()}
	b.header.StateRoot = runtime.Blake2_256([]byte("genesis " + c.Seed))
	n.genesis(view{b.runtime.Metadata, b.state})
	b.hash = b.header.Hash()
	n.mu.blocks[b.hash], n.mu.best = b, []*block{b}
	return n
}

func (n *Node) genesis(v view) {
	c, id := n.cfg, n.cfg.NetUID
	set := func(item string, value any) { v.set(module, item, value, id) }
	set("NetworksAdded", true)
	set("NetworkRegistrationAllowed", true)
	set("Tempo", c.Tempo)
	set("WeightsSetRateLimit", c.RateLimit)
	set("MinAllowedWeights", max(c.MinWeights, 1))
	set("MaxWeightsLimit", 65535)
	set("MaxAllowedUids", c.MaxUIDs)
	set("MaxAllowedValidators", 64)
	set("Burn", c.Burn)
	set("CommitRevealWeightsEnabled", c.CommitReveal)
	set("RevealPeriodEpochs", c.RevealPeriod)
	set("SubnetworkN", 0)
	for _, column := range columns {
		v.set(module, column, []any{}, id)
	}
	if v.has("Drand", "BeaconConfig") {
		config, _ := v.get("Drand", "BeaconConfig").(runtime.Struct)
		config = maps.Clone(config)
		key := n.beacon.PublicKey()
		config["public_key"], config["genesis_time"], config["period"] = key[:], uint64(c.Start.Unix()), uint64(3)
		v.set("Drand", "BeaconConfig", config)
	}
}

func (n *Node) head() *block { return n.mu.best[len(n.mu.best)-1] }

// Genesis is the hash of block 0.
func (n *Node) Genesis() protocol.Hash {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.best[0].hash
}

// Heads returns the numbers of the best and the final block.
func (n *Node) Heads() (best, final uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.head().header.Number, n.mu.final
}

// Seen returns what the best chain included so far.
func (n *Node) Seen() (list []Included) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, b := range n.mu.best {
		list = append(list, b.results...)
	}
	return list
}

// Counts returns how often each method was called.
func (n *Node) Counts() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.mu.counts)
}

// alter changes the state of every block that is not deep under the final head, so that
// it is there at once for readers of final blocks.
func (n *Node) alter(f func(v view, b *block)) {
	for _, b := range n.mu.best[n.mu.final-min(n.mu.final, 16):] { // a client may be behind
		b.state = b.state.child()
		f(view{b.runtime.Metadata, b.state}, b)
	}
}

// Change writes storage items of the module of subnets, outside of the chain's rules.
func (n *Node) Change(f func(set func(item string, value any, keys ...any))) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alter(func(v view, _ *block) {
		f(func(item string, value any, keys ...any) { v.set(module, item, value, keys...) })
	})
}

// Fund gives an account money.
func (n *Node) Fund(account protocol.Hotkey, rao uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alter(func(v view, _ *block) {
		a := v.account(account)
		a.free += rao
		v.setAccount(account, a)
	})
}

// Add registers a neuron with stake, as if it had been there before.
func (n *Node) Add(hotkey, coldkey protocol.Hotkey, stake uint64) (uid uint16) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.mu.final
	n.alter(func(v view, _ *block) {
		uid = n.register(v, hotkey, coldkey, at)
		v.set(module, "TotalHotkeyAlpha", stake, hotkey, n.cfg.NetUID)
		n.permits(v)
	})
	return uid
}

// SetCommitment writes bytes in place of a hotkey's commitment, whatever they are.
func (n *Node) SetCommitment(hotkey protocol.Hotkey, value []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alter(func(v view, _ *block) {
		v.s.delta[v.key(v.item("Commitments", "CommitmentOf"), []any{n.cfg.NetUID, hotkey})] = value
	})
}

// Weights returns what the best chain holds of a neuron's weights.
func (n *Node) Weights(uid uint16) (list [][2]uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return view{n.head().runtime.Metadata, n.head().state}.weights(n.cfg.NetUID, uid)
}

// Produce makes a block from the pool.
func (n *Node) Produce() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.produce()
	n.finalise()
}

// Advance delays the next block's time.
func (n *Node) Advance(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.clock += d
}

// Reorganise replaces the newest blocks, at most as many as are not final, by one more.
func (n *Node) Reorganise(depth uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	depth = min(depth, n.head().header.Number-n.mu.final)
	if depth == 0 {
		n.produce()
		n.finalise()
		return
	}
	keep := uint64(len(n.mu.best)) - depth
	gone := n.mu.best[keep:]
	n.mu.best = slices.Clone(n.mu.best[:keep])
	for _, p := range n.mu.pool {
		if p.in != nil && slices.Contains(gone, p.in) {
			n.tell(p, "retracted", p.in.hash)
			p.in = nil
		}
	}
	n.mu.spent++ // so that the new blocks are others
	for range depth {
		n.produceQuietly()
	}
	n.produce()
	n.finalise()
}

// Stall stops finality, or lets it go on.
func (n *Node) Stall(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.stalled = on
	n.finalise()
}

// Skip leaves out the notifications of the next final blocks.
func (n *Node) Skip(blocks int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.skip = blocks
}

// Freeze keeps extrinsics in the pool, or lets them go.
func (n *Node) Freeze(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.frozen = on
}

// Evict ends all extrinsics of the pool with a status: dropped, usurped or invalid. keep
// leaves them where blocks find them nonetheless.
func (n *Node) Evict(status string, keep bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.mu.pool {
		if p.in == nil {
			n.tell(p, status, protocol.Hash{1})
			p.watchers, p.dead = nil, !keep
		}
	}
	n.mu.pool = slices.DeleteFunc(n.mu.pool, func(p *pooled) bool { return p.dead })
}

// HoldPulses keeps the beacon's pulses from the chain for a number of blocks, so that
// nothing is revealed.
func (n *Node) HoldPulses(blocks uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.hold = n.head().header.Number + blocks
}

// Prune forgets the state of all blocks but the newest.
func (n *Node) Prune(keep uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if number := n.head().header.Number; number > keep {
		n.mu.pruned = number - keep
	}
}

// Upgrade replaces the runtime between this block and the next.
func (n *Node) Upgrade(metadata []byte, spec uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v := newVersion(metadata, spec, n.cfg.Transaction)
	n.mu.pending = &v
}

func (n *Node) produceQuietly() {
	conns := n.mu.conns
	n.mu.conns = nil
	n.produce()
	n.mu.conns = conns
}

// timeOf a block follows from its number, so that replaced blocks have the same.
func (n *Node) timeOf(parent *block) time.Time {
	last := n.cfg.Start
	if parent.header.Number > 0 {
		ms := view{parent.runtime.Metadata, parent.state}.number("Timestamp", "Now")
		last = time.UnixMilli(int64(ms))
	}
	d := n.cfg.BlockTime + n.mu.clock
	n.mu.clock = 0
	return last.Add(d)
}

// produce needs the lock.
func (n *Node) produce() {
	parent := n.head()
	number := parent.header.Number + 1
	run := parent.runtime
	b := &block{executed: run, runtime: run, state: parent.state.child()}
	v := view{run.Metadata, b.state}
	at := n.timeOf(parent)
	x := &execution{n: n, v: v, number: number, at: at}
	x.initialise()

	stamp, err := run.NewCall("Timestamp", "set", map[string]any{"now": at.UnixMilli()})
	if err != nil {
		panic("fakenode: " + err.Error())
	}
	b.extrinsics = [][]byte{bare(stamp)}
	v.set("Timestamp", "Now", at.UnixMilli())
	x.event(0, "System", "ExtrinsicSuccess", success("Mandatory"))
	n.promote(v)
	for _, p := range n.mu.pool {
		if n.mu.frozen || p.in != nil && p.in != b && slices.Contains(n.mu.best, p.in) {
			continue
		}
		if a := v.account(p.x.Signer); a.nonce != p.x.Context.Nonce {
			continue
		}
		index := len(b.extrinsics)
		b.extrinsics = append(b.extrinsics, p.raw)
		b.results = append(b.results, x.apply(index, p.x))
		p.in = b
		n.promote(v)
	}
	v.set("System", "Number", number)
	v.set("System", "Events", x.events)
	b.header = runtime.Header{Parent: parent.hash, Number: number, StateRoot: root(b.state.delta, n.mu.spent), ExtrinsicsRoot: runtime.Blake2_256(bytes.Join(b.extrinsics, nil))}
	b.header.Logs = [][]byte{append([]byte("\x06aura\x20"), binary.LittleEndian.AppendUint64(nil, uint64(at.Unix()/12))...)}
	b.hash = b.header.Hash()
	if n.mu.pending != nil {
		b.runtime, n.mu.runtime, n.mu.pending = *n.mu.pending, *n.mu.pending, nil
	}
	n.mu.blocks[b.hash] = b
	n.mu.best = append(n.mu.best, b)
	n.expire(b)
	n.notifyAll(topicHeads, n.shown(b.header))
	for _, p := range n.mu.pool {
		if p.in == b {
			n.tell(p, "inBlock", b.hash)
		}
	}
}

func root(delta map[string][]byte, salt uint64) protocol.Hash {
	h := binary.LittleEndian.AppendUint64(nil, salt)
	for _, k := range slices.Sorted(maps.Keys(delta)) {
		h = append(append(h, k...), delta[k]...)
	}
	return runtime.Blake2_256(h)
}

// promote moves extrinsics whose nonce's turn has come out of the future.
func (n *Node) promote(v view) {
	n.mu.future = slices.DeleteFunc(n.mu.future, func(p *pooled) bool {
		if v.account(p.x.Signer).nonce != p.x.Context.Nonce {
			return false
		}
		n.mu.pool = append(n.mu.pool, p)
		n.tell(p, "ready", protocol.Hash{})
		return true
	})
}

// expire drops what is in no block and whose era is over.
func (n *Node) expire(b *block) {
	over := func(p *pooled) bool {
		e := p.x.Context.Era
		if p.in != nil || e.Period == 0 || n.validSignature(p, b.header.Number+1) {
			return false
		}
		n.tell(p, "invalid", protocol.Hash{})
		return true
	}
	n.mu.pool = slices.DeleteFunc(n.mu.pool, over)
	n.mu.future = slices.DeleteFunc(n.mu.future, over)
}

// finalise needs the lock.
func (n *Node) finalise() {
	best := n.head().header.Number
	if n.mu.stalled || best <= n.cfg.Lag {
		return
	}
	n.mu.final = max(n.mu.final, best-n.cfg.Lag)
	for n.mu.told < n.mu.final {
		n.mu.told++
		if n.mu.skip > 0 {
			n.mu.skip--
			continue
		}
		n.notifyAll(topicFinals, n.shown(n.mu.best[n.mu.told].header))
	}
	n.mu.pool = slices.DeleteFunc(n.mu.pool, func(p *pooled) bool {
		if p.in == nil || p.in.header.Number > n.mu.final {
			return false
		}
		n.tell(p, "finalized", p.in.hash)
		return true
	})
}

// bare is an unsigned extrinsic.
func bare(call runtime.Call) []byte {
	return frameVec(append([]byte{4}, call...))
}

// Loop makes a block every interval until stop is called.
func (n *Node) Loop(interval time.Duration, each func(i int)) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(interval)
		defer t.Stop()
		for i := 1; ; i++ {
			select {
			case <-quit:
				return
			case <-t.C:
				if each != nil {
					each(i)
				} else {
					n.Produce()
				}
			}
		}
	}()
	return func() { close(quit); <-done }
}

// String says where the chain is.
func (n *Node) String() string {
	best, final := n.Heads()
	return fmt.Sprintf("fake node at block %d, final %d", best, final)
}
