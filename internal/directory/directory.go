// Package directory resolves the nodes that are registered on the subnet, their commitments on the
// chain, and their buckets.
//
// Nodes exchange objects through S3 buckets. Each node writes to its own and reads those of all
// others with the read keys that they committed.
package directory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"templar/internal/chain"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
)

// Peer is a registered neuron with what it committed. Bucket is nil when it committed
// nothing usable.
type Peer struct {
	chain.Neuron
	Role   telemetry.Role // empty when the commitment does not state it
	Bucket store.Reader
}

// Directory holds the registered nodes and their buckets. Refresh replaces its contents; the other
// methods only read.
type Directory struct {
	params *protocol.Params
	chain  chain.Chain
	dialer store.Dialer

	mu struct {
		sync.Mutex
		block uint64
		peers []Peer // ascending uid
	}
}

// New returns an empty directory.
func New(p *protocol.Params, c chain.Chain, d store.Dialer) *Directory {
	return &Directory{params: p, chain: c, dialer: d}
}

// Refresh reads the metagraph and, when it is of another block than the last one read, the
// commitments, which only a block can change.
func (d *Directory) Refresh(ctx context.Context) error {
	graph, err := d.chain.Metagraph(ctx)
	if err != nil {
		return fmt.Errorf("metagraph: %w", err)
	}
	if d.upTo(graph.Block) {
		return nil
	}
	commitments, err := d.chain.Commitments(ctx)
	if err != nil {
		return fmt.Errorf("commitments: %w", err)
	}
	byHotkey := make(map[protocol.Hotkey][]byte, len(commitments))
	for _, c := range commitments {
		byHotkey[c.Hotkey] = c.Data
	}
	peers := make([]Peer, 0, len(graph.Neurons))
	for _, n := range graph.Neurons {
		if n.Hotkey.IsZero() { // it cannot sign, and no record can name it
			continue
		}
		peers = append(peers, d.resolve(n, byHotkey[n.Hotkey]))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.block, d.mu.peers = graph.Block, peers
	return nil
}

// upTo reports whether the directory is that of a block.
func (d *Directory) upTo(block uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.peers != nil && d.mu.block == block
}

// resolve opens a neuron's bucket. A fault in its commitment leaves the Bucket nil, and affects its
// owner only.
func (d *Directory) resolve(n chain.Neuron, commitment []byte) Peer {
	p := Peer{Neuron: n}
	c, err := DecodeCommitment(commitment)
	if err != nil {
		return p
	}
	p.Role = c.Role
	if !d.params.TrustsStore(c.Location.Endpoint) {
		return p
	}
	if b, err := d.dialer.Dial(c.Location); err == nil {
		p.Bucket = store.ReadOnly(b)
	}
	return p
}

// Peers returns all registered neurons, ascending by uid, without those whose hotkey is zero.
func (d *Directory) Peers() []Peer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.peers // replaced by Refresh, never changed
}

// Candidates returns the peers that may be gathered from: those with a bucket that
// did not commit to another role.
func (d *Directory) Candidates() []Peer {
	var out []Peer
	for _, p := range d.Peers() {
		if p.Bucket != nil && (p.Role == telemetry.Miner || p.Role == "") {
			out = append(out, p)
		}
	}
	return out
}

// Peer finds a uid.
func (d *Directory) Peer(uid protocol.UID) (Peer, bool) {
	for _, p := range d.Peers() {
		if p.UID == uid {
			return p, true
		}
	}
	return Peer{}, false
}

// Validators returns the peers with a permit and a bucket, highest stake first.
func (d *Directory) Validators() []Peer {
	var out []Peer
	for _, p := range d.Peers() {
		if p.Permit && p.Bucket != nil {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b Peer) int { return cmp.Compare(b.Stake, a.Stake) })
	return out
}

// Lead returns the lead validator: the highest stake with a permit.
func (d *Directory) Lead() (Peer, bool) {
	peers := d.Peers()
	graph := chain.Metagraph{Neurons: make([]chain.Neuron, len(peers))}
	for i, p := range peers {
		graph.Neurons[i] = p.Neuron
	}
	lead, ok := graph.Lead()
	if !ok {
		return Peer{}, false
	}
	return d.Peer(lead.UID)
}
