package bittensor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"templar/internal/chain"
	"templar/internal/chain/bittensor/rpc"
	"templar/internal/chain/bittensor/rules"
	"templar/internal/chain/bittensor/runtime"
	"templar/protocol"
)

const module = "SubtensorModule"

// maxNeurons is the largest subnet that is read. Subtensor's are of 256.
const maxNeurons = 4096

// Metagraph returns the neurons at the newest final block.
func (c *Client) Metagraph(ctx context.Context) (chain.Metagraph, error) {
	var m chain.Metagraph
	err := c.try(ctx, func(l *link) (err error) {
		m, err = c.metagraph(ctx, l)
		return err
	})
	if err != nil {
		return chain.Metagraph{}, fmt.Errorf("metagraph of subnet %d: %w", c.opts.NetUID, err)
	}
	m.Neurons = slices.Clone(m.Neurons)
	return m, nil
}

// metagraph reads, or remembers, the neurons at the final head.
func (c *Client) metagraph(ctx context.Context, l *link) (chain.Metagraph, error) {
	if err := ctx.Err(); err != nil {
		return chain.Metagraph{}, err
	}
	c.mu.Lock()
	graph, at := c.mu.graph, c.mu.final
	c.mu.Unlock()
	if graph.Block == at.number && graph.Neurons != nil {
		return graph, nil
	}
	s, err := c.stateAtFinal(ctx, l)
	if err != nil {
		return chain.Metagraph{}, err
	}
	graph, err = s.metagraph(ctx, c.opts.NetUID)
	if err != nil {
		return graph, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if graph.Block >= c.mu.graph.Block {
		c.mu.graph = graph
	}
	return graph, nil
}

// metagraph asks the runtime for its neurons, and storage if the runtime has no such call.
func (s *state) metagraph(ctx context.Context, netuid uint16) (chain.Metagraph, error) {
	list, err := s.neuronsByAPI(ctx, netuid)
	var refused *rpc.Error
	if errors.As(err, &refused) && (rules.RateLimited(refused.Code) || discarded(refused)) || errors.Is(err, rpc.ErrClosed) || ctx.Err() != nil {
		return chain.Metagraph{}, err
	}
	if err != nil {
		var other error
		if list, other = s.neuronsByStorage(ctx, netuid); other != nil {
			return chain.Metagraph{}, errors.Join(err, other)
		}
	}
	if len(list) > maxNeurons {
		return chain.Metagraph{}, fmt.Errorf("%d neurons, at most %d", len(list), maxNeurons)
	}
	if !slices.ContainsFunc(list, func(n chain.Neuron) bool { return n.Stake > 0 }) {
		if err := s.stakes(ctx, netuid, list); err != nil { // runtime 218 returns 0 for all
			return chain.Metagraph{}, err
		}
	}
	if err := s.registrations(ctx, netuid, list); err != nil {
		return chain.Metagraph{}, err
	}
	slices.SortFunc(list, func(a, b chain.Neuron) int { return cmp.Compare(a.UID, b.UID) })
	for i := 1; i < len(list); i++ {
		if list[i].UID == list[i-1].UID {
			return chain.Metagraph{}, fmt.Errorf("uid %d stands twice", list[i].UID)
		}
	}
	return chain.Metagraph{Block: s.at.number, Neurons: list}, nil
}

const neuronsAPI = "NeuronInfoRuntimeApi_get_neurons_lite"

// neuronsByAPI decodes by the metadata's types where it has them, else by the layout
// that all runtimes have had.
func (s *state) neuronsByAPI(ctx context.Context, netuid uint16) ([]chain.Neuron, error) {
	raw, err := s.call(ctx, neuronsAPI, []byte{byte(netuid), byte(netuid >> 8)})
	if err != nil {
		return nil, err
	}
	if v, err := s.rt.DecodeAnswer(neuronsAPI, raw); err == nil {
		if list, err := neuronsOf(v); err == nil {
			return list, nil
		}
	}
	decoded, err := rules.DecodeNeurons(raw)
	if err != nil {
		return nil, err
	}
	list := make([]chain.Neuron, 0, len(decoded))
	for _, n := range decoded {
		list = append(list, chain.Neuron{
			UID: protocol.UID(n.UID), Hotkey: n.Hotkey, Coldkey: n.Coldkey, Stake: n.Stake,
			Incentive: uint16(n.Incentive), Dividends: uint16(n.Dividends), Permit: n.Permit, LastUpdate: n.LastUpdate,
		})
	}
	return list, nil
}

// neuronsOf reads an answer that was decoded by its types. Older runtimes answer with
// bytes, which is an error here.
func neuronsOf(v any) ([]chain.Neuron, error) {
	entries, ok := v.([]any)
	if !ok {
		return nil, errors.New("not a list")
	}
	list := make([]chain.Neuron, 0, len(entries))
	for _, e := range entries {
		f, _ := e.(runtime.Struct)
		n := chain.Neuron{Coldkey: hotkeyOf(f["coldkey"]), Hotkey: hotkeyOf(f["hotkey"])}
		r := reader{f, nil}
		n.UID, n.Incentive, n.Dividends, n.LastUpdate = protocol.UID(r.number("uid", 1<<16-1)), uint16(r.number("incentive", 1<<16-1)), uint16(r.number("dividends", 1<<16-1)), r.number("last_update", 1<<64-1)
		n.Permit, ok = f["validator_permit"].(bool)
		stakes, ok2 := f["stake"].([]any)
		if r.err != nil || !ok || !ok2 || n.Hotkey.IsZero() && n.UID != 0 {
			return nil, errors.Join(errors.New("neuron of another form"), r.err)
		}
		for _, x := range stakes {
			pair, _ := x.([]any)
			if len(pair) != 2 {
				return nil, errors.New("stake of another form")
			}
			amount, err := runtime.U64(pair[1])
			if err != nil || n.Stake+amount < n.Stake {
				return nil, errors.New("stake is not a number")
			}
			n.Stake += amount
		}
		list = append(list, n)
	}
	return list, nil
}

func hotkeyOf(v any) protocol.Hotkey {
	h, _ := v.(protocol.Hotkey)
	return h
}

// reader takes numbers out of a struct; the first error stays.
type reader struct {
	s   runtime.Struct
	err error
}

func (r *reader) number(name string, largest uint64) uint64 {
	n, err := runtime.U64(r.s[name])
	if err == nil && n > largest {
		err = fmt.Errorf("%d is more than %d", n, largest)
	}
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w", name, err)
	}
	return n
}

// registrations adds the blocks in which neurons registered.
func (s *state) registrations(ctx context.Context, netuid uint16, list []chain.Neuron) error {
	it, err := s.rt.Item(module, "BlockAtRegistration")
	if err != nil {
		return err
	}
	keys := make([][]byte, len(list))
	for i, n := range list {
		if keys[i], err = s.key(it, netuid, uint16(n.UID)); err != nil {
			return err
		}
	}
	values, err := s.query(ctx, keys)
	if err != nil {
		return err
	}
	for i := range list {
		v, err := s.rt.DecodeValue(it, values[string(keys[i])])
		if err != nil {
			return err
		}
		if list[i].Registered, err = runtime.U64(v); err != nil {
			return err
		}
	}
	return nil
}

// neuronsByStorage reads the same from storage, for runtimes without the call.
func (s *state) neuronsByStorage(ctx context.Context, netuid uint16) ([]chain.Neuron, error) {
	it, err := s.rt.Item(module, "Keys")
	if err != nil {
		return nil, err
	}
	prefix, err := s.rt.Key(it, netuid)
	if err != nil {
		return nil, err
	}
	keys, err := s.keys(ctx, prefix)
	if err != nil {
		return nil, err
	}
	values, err := s.query(ctx, keys)
	if err != nil {
		return nil, err
	}
	list := make([]chain.Neuron, 0, len(values))
	for key, raw := range values {
		parts, err := s.rt.SplitKey(it, []byte(key))
		if err != nil {
			return nil, err
		}
		uid, err1 := runtime.U64(parts[len(parts)-1])
		v, err2 := s.rt.DecodeValue(it, raw)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		list = append(list, chain.Neuron{UID: protocol.UID(uid), Hotkey: hotkeyOf(v)})
	}
	return list, s.columns(ctx, netuid, list)
}

// columns adds what the chain keeps as one list for all uids. Such a list can be shorter
// than the subnet for a block around a registration: what is missing is zero.
func (s *state) columns(ctx context.Context, netuid uint16, list []chain.Neuron) error {
	cell := func(column any, uid protocol.UID) any {
		if l, ok := column.([]any); ok && int(uid) < len(l) {
			return l[uid]
		}
		return nil
	}
	for name, set := range map[string]func(n *chain.Neuron, v any){
		"Incentive":       func(n *chain.Neuron, v any) { x, _ := runtime.U64(v); n.Incentive = uint16(x) },
		"Dividends":       func(n *chain.Neuron, v any) { x, _ := runtime.U64(v); n.Dividends = uint16(x) },
		"LastUpdate":      func(n *chain.Neuron, v any) { n.LastUpdate, _ = runtime.U64(v) },
		"ValidatorPermit": func(n *chain.Neuron, v any) { n.Permit, _ = v.(bool) },
	} {
		v, err := s.value(ctx, module, name, netuid)
		if err != nil {
			return err
		}
		for i := range list {
			if x := cell(v, list[i].UID); x != nil {
				set(&list[i], x)
			}
		}
	}
	return nil
}

// stakes adds what is staked on the subnet alone, without the root's share.
func (s *state) stakes(ctx context.Context, netuid uint16, list []chain.Neuron) error {
	it, err := s.rt.Item(module, "TotalHotkeyAlpha")
	keyOf := func(h protocol.Hotkey) ([]byte, error) { return s.key(it, h, netuid) }
	if errors.Is(err, runtime.ErrAbsent) {
		it, err = s.rt.Item(module, "TotalHotkeyStake")
		keyOf = func(h protocol.Hotkey) ([]byte, error) { return s.key(it, h) }
	}
	if err != nil {
		return err
	}
	keys := make([][]byte, len(list))
	for i, n := range list {
		if keys[i], err = keyOf(n.Hotkey); err != nil {
			return err
		}
	}
	values, err := s.query(ctx, keys)
	if err != nil {
		return err
	}
	for i := range list {
		v, err := s.rt.DecodeValue(it, values[string(keys[i])])
		if err != nil {
			return err
		}
		if list[i].Stake, err = runtime.U64(v); err != nil {
			return err
		}
	}
	return nil
}

// Commitments returns what the registered neurons committed as plain bytes, ascending by
// uid. A neuron whose entry cannot be read has none; what only a hash or a timelock
// stands for is no commitment here.
func (c *Client) Commitments(ctx context.Context) ([]chain.Commitment, error) {
	var list []chain.Commitment
	err := c.try(ctx, func(l *link) error {
		m, err := c.metagraph(ctx, l)
		if err != nil {
			return err
		}
		s, err := c.stateAtFinal(ctx, l)
		if err != nil {
			return err
		}
		list, err = s.commitments(ctx, c.opts.NetUID, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("commitments of subnet %d: %w", c.opts.NetUID, err)
	}
	return list, nil
}

func (s *state) commitments(ctx context.Context, netuid uint16, m chain.Metagraph) ([]chain.Commitment, error) {
	it, err := s.rt.Item("Commitments", "CommitmentOf")
	if err != nil {
		return nil, err
	}
	keys := make([][]byte, len(m.Neurons))
	for i, n := range m.Neurons {
		if keys[i], err = s.key(it, netuid, n.Hotkey); err != nil {
			return nil, err
		}
	}
	values, err := s.query(ctx, keys)
	if err != nil {
		return nil, err
	}
	list := make([]chain.Commitment, 0, len(values))
	for i, n := range m.Neurons {
		entry, err := rules.DecodeCommitment(values[string(keys[i])])
		if err != nil {
			continue
		}
		if data, ok := entry.Data(); ok {
			list = append(list, chain.Commitment{Hotkey: n.Hotkey, Block: entry.Block, Data: data})
		}
	}
	return list, nil
}

// ReadSubnet reads a subnet's neurons and commitments over one connection, at its final
// head, by given metadata: what Metagraph and Commitments do, for a recorded connection.
func ReadSubnet(ctx context.Context, l *rpc.Conn, m *runtime.Metadata, netuid uint16) (graph chain.Metagraph, list []chain.Commitment, err error) {
	var text string
	if err := l.Call(ctx, &text, "chain_getFinalizedHead"); err != nil {
		return graph, nil, err
	}
	hash, err := runtime.ParseHash(text)
	if err != nil {
		return graph, nil, err
	}
	h, err := header(ctx, l, hash)
	if err != nil {
		return graph, nil, err
	}
	s := &state{l: l, rt: &Runtime{Metadata: m}, at: block{number: h.Number, hash: hash, parent: h.Parent}}
	if graph, err = s.metagraph(ctx, netuid); err != nil {
		return graph, nil, err
	}
	list, err = s.commitments(ctx, netuid, graph)
	return graph, list, err
}
