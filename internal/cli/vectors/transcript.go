package vectors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/bittensor"
	"templar/internal/chain/bittensor/rpc"
	"templar/internal/chain/bittensor/rules"
	"templar/internal/chain/bittensor/runtime"
	"templar/protocol"
)

// transcriptHead is the first line of a transcript: what was done, what became of it.
type transcriptHead struct {
	Name     string
	Spec     uint32
	NetUID   uint16
	Refused  *rules.ErrorObject
	Statuses []string
	Result   string
	Data     hexText
	Best     []uint64
	Final    []uint64
	State    *struct {
		Neurons []struct {
			UID                  protocol.UID
			Hotkey, Coldkey      protocol.Hotkey
			Registered           uint64
			Incentive, Dividends uint16
			Permit               bool
			LastUpdate           uint64
			Commitment           *struct {
				Block uint64
				Data  hexText
			}
		}
	}
}

type transcriptFrame struct {
	Dir   string
	Frame struct {
		ID     json.RawMessage  `json:"id,omitempty"`
		Method string           `json:"method,omitempty"`
		Params json.RawMessage  `json:"params,omitempty"`
		Result json.RawMessage  `json:"result,omitempty"`
		Error  *json.RawMessage `json:"error,omitempty"`
	}
}

// transcript replays what a client and a node said to each other against our client, and
// holds the outcome against the transcript's first line.
func (s *subtensor) transcript(b []byte) error {
	all := lines(b)
	if len(all) < 2 {
		return errors.New("no frames")
	}
	var head transcriptHead
	if err := json.Unmarshal(all[0], &head); err != nil {
		return err
	}
	m, err := s.spec(head.Spec)
	if err != nil {
		return err
	}
	p := newPlayback()
	for _, l := range all[1:] {
		var f transcriptFrame
		if err := json.Unmarshal(l, &f); err != nil {
			return err
		}
		p.add(f)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn := rpc.New(p)
	defer conn.Close()
	s.say(head.Name, replay(ctx, conn, m, &head, p))
	return nil
}

func replay(ctx context.Context, conn *rpc.Conn, m *runtime.Metadata, head *transcriptHead, p *playback) error {
	switch {
	case head.State != nil:
		return replayRead(ctx, conn, m, head)
	case head.Final != nil:
		return replayHeads(ctx, conn, head)
	}
	extrinsic := p.extrinsic
	if x, err := m.DecodeExtrinsic(extrinsic); err != nil {
		return err
	} else if data, ok := committed(x); len(head.Data) > 0 && (!ok || string(data) != string(head.Data)) {
		return fmt.Errorf("the extrinsic commits %x", data)
	}
	w := bittensor.Watch(ctx, conn, extrinsic)
	if head.Refused != nil && len(head.Statuses) == 0 {
		return same([]any{w.Refused, w.Outcome}, []any{true, rules.Pool(*head.Refused)})
	}
	if err := same(w.Statuses, head.Statuses); err != nil {
		return err
	}
	if head.Result == "" {
		return nil
	}
	hash, err := runtime.ParseHash(w.Block)
	if err != nil {
		return err
	}
	found, outcome, err := bittensor.Included(ctx, conn, m, hash, extrinsic)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("block %v does not have the extrinsic", hash)
	}
	result := "ok"
	if outcome != nil {
		result = outcome.Error()
	}
	if !strings.EqualFold(result, head.Result) {
		return fmt.Errorf("%s, want %s", result, head.Result)
	}
	return nil
}

// committed returns the bytes of a set_commitment.
func committed(x runtime.Signed) ([]byte, bool) {
	info, _ := x.Decoded.Args["info"].(runtime.Struct)
	fields, _ := info["fields"].([]any)
	if len(fields) != 1 {
		return nil, false
	}
	v, _ := fields[0].(runtime.Variant)
	data, ok := v.Value.([]byte)
	return data, ok
}

// replayHeads follows both streams of heads: final ones must be one chain.
func replayHeads(ctx context.Context, conn *rpc.Conn, head *transcriptHead) error {
	heads, err := conn.Subscribe(ctx, "chain_subscribeNewHeads")
	if err != nil {
		return err
	}
	finals, err := conn.Subscribe(ctx, "chain_subscribeFinalizedHeads")
	if err != nil {
		return err
	}
	read := func(s *rpc.Subscription, n int) (list []runtime.Header, numbers []uint64, err error) {
		for range n {
			select {
			case raw := <-s.C:
				var h runtime.Header
				if err := json.Unmarshal(raw, &h); err != nil {
					return nil, nil, err
				}
				list, numbers = append(list, h), append(numbers, h.Number)
			case <-ctx.Done():
				return nil, nil, ctx.Err()
			}
		}
		return list, numbers, nil
	}
	chainOf, numbers, err := read(finals, len(head.Final))
	if err != nil {
		return err
	}
	_, best, err := read(heads, len(head.Best))
	if err != nil {
		return err
	}
	for i := 1; i < len(chainOf); i++ {
		if chainOf[i].Parent != chainOf[i-1].Hash() {
			return fmt.Errorf("final block %d does not follow the one before", chainOf[i].Number)
		}
	}
	return errors.Join(same(numbers, head.Final), same(best, head.Best))
}

func replayRead(ctx context.Context, conn *rpc.Conn, m *runtime.Metadata, head *transcriptHead) error {
	graph, commitments, err := bittensor.ReadSubnet(ctx, conn, m, head.NetUID)
	if err != nil {
		return err
	}
	if len(graph.Neurons) != len(head.State.Neurons) {
		return fmt.Errorf("%d neurons, want %d", len(graph.Neurons), len(head.State.Neurons))
	}
	byKey := map[protocol.Hotkey]chain.Commitment{}
	for _, c := range commitments {
		byKey[c.Hotkey] = c
	}
	for i, w := range head.State.Neurons {
		n := graph.Neurons[i]
		if err := same([]any{n.UID, n.Hotkey, n.Coldkey, n.Registered, n.Incentive, n.Dividends, n.Permit, n.LastUpdate}, []any{w.UID, w.Hotkey, w.Coldkey, w.Registered, w.Incentive, w.Dividends, w.Permit, w.LastUpdate}); err != nil {
			// The state was read at a block after the one of the transcript: what moves with
			// each call may have moved.
			if n.Hotkey != w.Hotkey || n.Registered != w.Registered || n.LastUpdate > w.LastUpdate {
				return err
			}
		}
		c, ok := byKey[n.Hotkey]
		if w.Commitment == nil {
			if ok {
				return fmt.Errorf("uid %d has a commitment", n.UID)
			}
			continue
		}
		if err := same([]any{c.Block, string(c.Data)}, []any{w.Commitment.Block, string(w.Commitment.Data)}); err != nil {
			return err
		}
	}
	return nil
}

// playback is a connection that answers as a transcript did: state is looked up, and all
// else is answered by method, in the order in which it was recorded.
type playback struct {
	out       chan []byte
	closed    chan struct{}
	replies   map[string][]reply
	storage   map[string]*string
	order     []string // storage keys as they were listed
	extrinsic []byte
	pending   map[string]string // id of a request -> key into replies
	last      *reply
}

// reply is an answer, and the notifications that came behind it.
type reply struct {
	frame map[string]json.RawMessage
	after [][]byte
}

func newPlayback() *playback {
	return &playback{out: make(chan []byte, 4096), closed: make(chan struct{}), replies: map[string][]reply{}, storage: map[string]*string{}, pending: map[string]string{}}
}

// key names what a request is about: for runtime APIs also which.
func replyKey(method string, params json.RawMessage) string {
	var list []json.RawMessage
	if method == "state_call" && json.Unmarshal(params, &list) == nil && len(list) > 0 {
		return method + string(list[0])
	}
	return method
}

func (p *playback) add(f transcriptFrame) {
	frame := map[string]json.RawMessage{"jsonrpc": json.RawMessage(`"2.0"`)}
	for name, v := range map[string]json.RawMessage{"result": f.Frame.Result, "params": f.Frame.Params} {
		if v != nil {
			frame[name] = v
		}
	}
	if f.Frame.Error != nil {
		frame["error"] = *f.Frame.Error
	} else if frame["result"] == nil && f.Frame.Method == "" {
		frame["result"] = json.RawMessage("null")
	}
	switch {
	case f.Dir == "send":
		p.pending[string(f.Frame.ID)] = replyKey(f.Frame.Method, f.Frame.Params)
		var params []string
		if strings.HasPrefix(f.Frame.Method, "author_submit") && json.Unmarshal(f.Frame.Params, &params) == nil && len(params) == 1 && p.extrinsic == nil {
			p.extrinsic, _ = runtime.ParseHex(params[0])
		}
		if f.Frame.Method == "state_getStorage" && json.Unmarshal(f.Frame.Params, &params) == nil && len(params) > 0 {
			p.pending["storage"+string(f.Frame.ID)] = params[0]
		}
	case f.Frame.ID == nil:
		frame["method"], _ = json.Marshal(f.Frame.Method)
		raw, _ := json.Marshal(frame)
		if p.last != nil {
			p.last.after = append(p.last.after, raw)
		}
	default:
		key := p.pending[string(f.Frame.ID)]
		p.replies[key] = append(p.replies[key], reply{frame: frame})
		p.last = &p.replies[key][len(p.replies[key])-1]
		p.learn(key, p.pending["storage"+string(f.Frame.ID)], f.Frame.Result)
	}
}

// learn remembers what the state holds.
func (p *playback) learn(method, key string, result json.RawMessage) {
	switch method {
	case "state_getStorage":
		var v *string
		if json.Unmarshal(result, &v) == nil {
			p.storage[key] = v
		}
	case "state_queryStorageAt":
		var sets []struct{ Changes [][2]*string }
		if json.Unmarshal(result, &sets) == nil {
			for _, s := range sets {
				for _, c := range s.Changes {
					p.storage[*c[0]] = c[1]
				}
			}
		}
	case "state_getKeysPaged":
		var keys []string
		if json.Unmarshal(result, &keys) == nil {
			p.order = append(p.order, keys...)
		}
	}
}

func (p *playback) Read(ctx context.Context) ([]byte, error) {
	select {
	case b := <-p.out:
		return b, nil
	case <-p.closed:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *playback) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

// Write answers a request.
func (p *playback) Write(_ context.Context, b []byte) error {
	var q struct {
		ID     json.RawMessage
		Method string
		Params json.RawMessage
	}
	if err := json.Unmarshal(b, &q); err != nil {
		return err
	}
	frame, after := p.answer(q.Method, q.Params)
	frame["id"] = q.ID
	raw, err := json.Marshal(frame)
	if err != nil {
		return err
	}
	for _, x := range append([][]byte{raw}, after...) {
		p.out <- x
	}
	return nil
}

func (p *playback) answer(method string, params json.RawMessage) (map[string]json.RawMessage, [][]byte) {
	result := func(v any) map[string]json.RawMessage {
		raw, _ := json.Marshal(v)
		return map[string]json.RawMessage{"jsonrpc": json.RawMessage(`"2.0"`), "result": raw}
	}
	var list []any
	_ = json.Unmarshal(params, &list)
	switch method {
	case "state_getStorage":
		if v, ok := p.storage[fmt.Sprint(list[0])]; ok {
			return result(v), nil
		}
	case "state_queryStorageAt":
		changes := [][2]any{}
		keys, _ := list[0].([]any)
		for _, k := range keys {
			changes = append(changes, [2]any{k, p.storage[fmt.Sprint(k)]})
		}
		return result([]any{map[string]any{"block": nil, "changes": changes}}), nil
	case "state_getKeysPaged":
		keys := []string{}
		for _, k := range p.order {
			if strings.HasPrefix(k, fmt.Sprint(list[0])) {
				keys = append(keys, k)
			}
		}
		return result(keys), nil
	case "author_unwatchExtrinsic":
		return result(true), nil
	}
	key := replyKey(method, params)
	if len(p.replies[key]) == 0 {
		raw, _ := json.Marshal(map[string]any{"code": -32601, "message": "not in the transcript: " + key})
		return map[string]json.RawMessage{"jsonrpc": json.RawMessage(`"2.0"`), "error": raw}, nil
	}
	r := p.replies[key][0]
	p.replies[key] = p.replies[key][1:]
	return r.frame, r.after
}
