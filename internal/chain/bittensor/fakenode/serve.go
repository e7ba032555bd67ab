package fakenode

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"templar/internal/chain/bittensor/rpc"
	"templar/internal/chain/bittensor/runtime"
	"templar/protocol"
)

// Faults are how a node's connections misbehave. They hold for all connections.
type Faults struct {
	// Early sends notifications before the reply to their subscription.
	Early bool
	// Refuse answers methods with an error.
	Refuse map[string]*rpc.Error
	// Handshake is the HTTP status of new connections, 0 for none.
	Handshake int
	// Frame is called for each frame, with its direction and its method ("" for replies
	// and notifications), and says what becomes of it.
	Frame func(toClient bool, method string, frame []byte) Act
	// Genesis, unless zero, is the hash of another chain's block 0.
	Genesis protocol.Hash
}

// Act is what becomes of a frame.
type Act uint8

// The acts.
const (
	Pass     Act = iota
	Drop         // it is lost, and the connection stays
	Cut          // it is lost, and the connection ends
	CutAfter     // it is delivered, and the connection ends
)

// Disturb sets the faults.
func (n *Node) Disturb(f Faults) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.faults = f
}

// CutAll ends all connections.
func (n *Node) CutAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.mu.conns {
		c.close()
	}
}

type topic uint8

const (
	topicHeads topic = iota
	topicFinals
)

func (t topic) method() string { return [...]string{"chain_newHead", "chain_finalizedHead"}[t] }

// conn is a connection of a client.
type conn struct {
	n      *Node
	out    chan []byte
	quit   chan struct{}
	once   sync.Once
	topics map[string]topic
	last   int
}

// watcher is a subscription to an extrinsic.
type watcher struct {
	c  *conn
	id string
}

func (c *conn) close() { c.once.Do(func() { close(c.quit) }) }

// send queues a frame for the client. It needs the node's lock.
func (c *conn) send(method string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("fakenode: " + err.Error())
	}
	act := Pass
	if f := c.n.mu.faults.Frame; f != nil {
		act = f(true, method, b)
	}
	if act == Pass || act == CutAfter {
		select {
		case c.out <- b:
		case <-c.quit:
		default: // a client that does not read
			c.close()
		}
	}
	if act == Cut {
		c.close()
	}
	if act == CutAfter {
		select {
		case c.out <- nil: // the writer ends there
		default:
			c.close()
		}
	}
}

func (c *conn) notify(method, id string, result any) {
	c.send("", map[string]any{"jsonrpc": "2.0", "method": method, "params": map[string]any{"subscription": id, "result": result}})
}

func (c *conn) fresh() string {
	c.last++
	return fmt.Sprintf("Sub%dQ7zK2mNp", c.last)
}

func (n *Node) notifyAll(t topic, result any) {
	for c := range n.mu.conns {
		for id, of := range c.topics {
			if of == t {
				c.notify(t.method(), id, result)
			}
		}
	}
}

// tell sends a status to the subscribers of an extrinsic.
func (n *Node) tell(p *pooled, status string, hash protocol.Hash) {
	var v any = status
	if !hash.IsZero() {
		v = map[string]any{status: runtime.Hex(hash[:])}
	} else if n.cfg.Chopsticks {
		v = map[string]any{status: nil}
	}
	if status == "broadcast" {
		v = map[string]any{status: []string{"12D3KooWTestPeer"}}
	}
	for _, w := range p.watchers {
		if n.mu.conns[w.c] {
			w.c.notify("author_extrinsicUpdate", w.id, v)
		}
	}
}

// shown is a header as this node writes it.
func (n *Node) shown(h runtime.Header) any {
	b, err := json.Marshal(h)
	if err != nil {
		panic("fakenode: " + err.Error())
	}
	if n.cfg.Chopsticks {
		b = bytes.Replace(b, []byte(`"number":"0x`+strconv.FormatUint(h.Number, 16)), fmt.Appendf(nil, `"number":"0x%08x`, h.Number), 1)
	}
	return json.RawMessage(b)
}

// open makes a connection.
func (n *Node) open() *conn {
	c := &conn{n: n, out: make(chan []byte, 1<<14), quit: make(chan struct{}), topics: map[string]topic{}}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.conns[c] = true
	return c
}

func (n *Node) forget(c *conn) {
	c.close()
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.mu.conns, c)
}

// Dial is a connection within this process, for clients of tests of time.
func (n *Node) Dial(ctx context.Context, _ string) (*rpc.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n.mu.Lock()
	status := n.mu.faults.Handshake
	n.mu.Unlock()
	if status != 0 {
		return nil, &rpc.Error{Code: status, Message: http.StatusText(status)}
	}
	return rpc.New(&pipe{n.open()}), nil
}

// pipe is the client's end of a connection within this process.
type pipe struct{ c *conn }

func (p *pipe) Read(ctx context.Context) ([]byte, error) {
	select {
	case b := <-p.c.out:
		if b == nil {
			return nil, io.EOF
		}
		return b, nil
	case <-p.c.quit:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipe) Write(_ context.Context, b []byte) error {
	select {
	case <-p.c.quit:
		return io.ErrClosedPipe
	default:
	}
	p.c.take(b)
	return nil
}

func (p *pipe) Close() error {
	p.c.n.forget(p.c)
	return nil
}

// Serve starts a server on a free port of this machine, until the test ends.
func (n *Node) Serve() (url string, stop func()) {
	var wg sync.WaitGroup
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wg.Add(1)
		defer wg.Done()
		n.serve(w, r)
	}))
	return "ws" + strings.TrimPrefix(s.URL, "http"), func() {
		n.CutAll()
		s.CloseClientConnections()
		s.Close()
		wg.Wait()
	}
}

func (n *Node) serve(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	status := n.mu.faults.Handshake
	n.mu.Unlock()
	if status != 0 {
		http.Error(w, http.StatusText(status), status)
		return
	}
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ws.SetReadLimit(16 << 20)
	c := n.open()
	defer n.forget(c)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() { // the writer; it ends the connection, and so the reader
		defer cancel()
		for {
			select {
			case b := <-c.out:
				if b == nil || ws.Write(ctx, websocket.MessageText, b) != nil {
					return
				}
			case <-c.quit:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		_, b, err := ws.Read(ctx)
		if err != nil {
			return
		}
		c.take(b)
	}
}

type request struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

// take answers a frame.
func (c *conn) take(b []byte) {
	n := c.n
	n.mu.Lock()
	defer n.mu.Unlock()
	var q request
	if json.Unmarshal(b, &q) != nil {
		c.send("", map[string]any{"jsonrpc": "2.0", "id": nil, "error": map[string]any{"code": -32700, "message": "Parse error"}})
		return
	}
	act := Pass
	if f := n.mu.faults.Frame; f != nil {
		act = f(false, q.Method, b)
	}
	switch act {
	case Drop:
		return
	case Cut:
		c.close()
		return
	case CutAfter:
		c.close() // it is still worked on
	}
	n.mu.counts[q.Method]++
	var later []func()
	result, err := c.call(q, &later)
	reply := map[string]any{"jsonrpc": "2.0", "id": q.ID}
	if err != nil {
		var e *rpc.Error
		if !errors.As(err, &e) {
			e = &rpc.Error{Code: -32603, Message: "Internal error: " + err.Error()}
		}
		reply["error"] = e
	} else {
		reply["result"] = result
	}
	if n.mu.faults.Early {
		for _, f := range later {
			f()
		}
		later = nil
	}
	c.send(q.Method, reply)
	for _, f := range later {
		f()
	}
}

func bad(code int, message, data string) *rpc.Error {
	e := &rpc.Error{Code: code, Message: message}
	if data != "" {
		e.Data, _ = json.Marshal(data)
	}
	return e
}

func (q request) text(i int) string {
	var s string
	if i < len(q.Params) {
		_ = json.Unmarshal(q.Params[i], &s)
	}
	return s
}

// at finds the block that a parameter names, the best one without it.
func (c *conn) at(q request, i int) (*block, error) {
	n := c.n
	text := q.text(i)
	if text == "" {
		return n.head(), nil
	}
	h, err := runtime.ParseHash(text)
	if err != nil {
		return nil, bad(-32602, "Invalid params", "")
	}
	b := n.mu.blocks[h]
	if b == nil {
		return nil, bad(4003, "Client error: UnknownBlock: Header was not found in the database: "+text, "")
	}
	return b, nil
}

// state is at, for methods that need a block's state.
func (c *conn) state(q request, i int) (*block, view, error) {
	b, err := c.at(q, i)
	if err != nil {
		return nil, view{}, err
	}
	if b.header.Number < c.n.mu.pruned {
		return nil, view{}, bad(4003, "Client error: UnknownBlock: State already discarded for "+runtime.Hex(b.hash[:]), "")
	}
	return b, view{b.runtime.Metadata, b.state}, nil
}

func (c *conn) call(q request, later *[]func()) (any, error) {
	n := c.n
	if e := n.mu.faults.Refuse[q.Method]; e != nil {
		return nil, e
	}
	switch q.Method {
	case "chain_getBlockHash":
		return c.blockHash(q)
	case "chain_getFinalizedHead":
		return runtime.Hex(n.mu.best[n.mu.final].hash[:]), nil
	case "chain_getHeader":
		b, err := c.at(q, 0)
		if err != nil {
			return nil, nil // unknown: null
		}
		return n.shown(b.header), nil
	case "chain_getBlock":
		b, err := c.at(q, 0)
		if err != nil {
			return nil, nil
		}
		list := []string{}
		for _, x := range b.extrinsics {
			list = append(list, runtime.Hex(x))
		}
		return map[string]any{"block": map[string]any{"header": n.shown(b.header), "extrinsics": list}, "justifications": nil}, nil
	case "chain_subscribeNewHeads":
		return c.subscribe(topicHeads, n.head(), later), nil
	case "chain_subscribeFinalizedHeads":
		return c.subscribe(topicFinals, n.mu.best[n.mu.final], later), nil
	case "state_getRuntimeVersion":
		b, err := c.at(q, 0)
		if err != nil {
			return nil, err
		}
		return map[string]any{"specName": "node-subtensor", "specVersion": b.runtime.spec, "transactionVersion": b.runtime.tx}, nil
	case "state_getMetadata":
		b, err := c.at(q, 0)
		if err != nil {
			return nil, err
		}
		return runtime.Hex(b.runtime.raw), nil
	case "state_getStorage", "state_queryStorageAt", "state_getKeysPaged":
		return c.storage(q)
	case "state_call":
		return c.runtimeCall(q)
	case "system_accountNextIndex":
		return c.nextIndex(q)
	case "author_submitAndWatchExtrinsic":
		return c.submit(q, later)
	case "author_unwatchExtrinsic":
		return true, nil
	case "system_health":
		return map[string]any{"peers": 1, "isSyncing": false, "shouldHavePeers": true}, nil
	}
	return nil, bad(-32601, "Method not found", "")
}

func (c *conn) blockHash(q request) (any, error) {
	n := c.n
	one := func(raw json.RawMessage) any {
		var number uint64
		if json.Unmarshal(raw, &number) != nil || number >= uint64(len(n.mu.best)) {
			return nil
		}
		h := n.mu.best[number].hash
		if number == 0 && !n.mu.faults.Genesis.IsZero() {
			h = n.mu.faults.Genesis
		}
		return runtime.Hex(h[:])
	}
	if len(q.Params) == 0 {
		return runtime.Hex(n.head().hash[:]), nil
	}
	var many []json.RawMessage
	if json.Unmarshal(q.Params[0], &many) != nil {
		return one(q.Params[0]), nil
	}
	list := []any{}
	for _, raw := range many {
		list = append(list, one(raw))
	}
	return list, nil
}

func (c *conn) subscribe(t topic, first *block, later *[]func()) string {
	id := c.fresh()
	c.topics[id] = t
	h := c.n.shown(first.header)
	*later = append(*later, func() { c.notify(t.method(), id, h) })
	return id
}

func (c *conn) storage(q request) (any, error) {
	value := func(v view, key string) any {
		raw, err := runtime.ParseHex(key)
		if err != nil {
			return nil
		}
		if b := v.s.get(string(raw)); b != nil {
			return runtime.Hex(b)
		}
		return nil
	}
	switch q.Method {
	case "state_getStorage":
		_, v, err := c.state(q, 1)
		if err != nil {
			return nil, err
		}
		return value(v, q.text(0)), nil
	case "state_queryStorageAt":
		b, v, err := c.state(q, 1)
		if err != nil {
			return nil, err
		}
		var keys []string
		_ = json.Unmarshal(q.Params[0], &keys)
		changes := [][2]any{}
		for _, k := range keys {
			changes = append(changes, [2]any{k, value(v, k)})
		}
		return []any{map[string]any{"block": runtime.Hex(b.hash[:]), "changes": changes}}, nil
	}
	_, v, err := c.state(q, 3)
	if err != nil {
		return nil, err
	}
	prefix, _ := runtime.ParseHex(q.text(0))
	start, _ := runtime.ParseHex(q.text(2))
	var count int
	_ = json.Unmarshal(q.Params[1], &count)
	list := []string{}
	for _, k := range v.s.keys(string(prefix)) {
		if k > string(start) && len(list) < min(count, 1000) {
			list = append(list, runtime.Hex([]byte(k)))
		}
	}
	return list, nil
}

func (c *conn) runtimeCall(q request) (any, error) {
	b, v, err := c.state(q, 2)
	if err != nil {
		return nil, err
	}
	switch q.text(0) {
	case "Metadata_metadata_at_version":
		raw := b.runtime.raw
		if raw == nil || b.runtime.Version != 15 {
			return nil, bad(4003, "Client error: Execution failed: Function to start was not found.", "")
		}
		return runtime.Hex(append([]byte{1}, frameVec(raw)...)), nil
	case "NeuronInfoRuntimeApi_get_neurons_lite":
		return runtime.Hex(c.n.neurons(v)), nil
	}
	return nil, bad(4003, "Client error: Execution failed: Function to start was not found.", "")
}

func (c *conn) nextIndex(q request) (any, error) {
	h, err := protocol.ParseHotkey(q.text(0))
	if err != nil {
		return nil, bad(-32602, "Invalid params", "")
	}
	n := c.n
	next := view{n.head().runtime.Metadata, n.head().state}.account(h).nonce
	for _, p := range n.mu.pool {
		if p.x.Signer == h && p.x.Context.Nonce == next && p.in == nil {
			next++
		}
	}
	return next, nil
}

// invalid is a refusal in the node's style.
func (n *Node) invalid(data, chopsticks string) *rpc.Error {
	if n.cfg.Chopsticks {
		return bad(1010, `{"invalid":{`+chopsticks+`}}`, "")
	}
	return bad(1010, "Invalid Transaction", data)
}

func (c *conn) submit(q request, later *[]func()) (any, error) {
	n := c.n
	raw, err := runtime.ParseHex(q.text(0))
	if err != nil {
		return nil, bad(1001, "Extrinsic has invalid format: Codec error", "")
	}
	x, err := n.mu.runtime.DecodeExtrinsic(raw)
	if err != nil || x.Signer.IsZero() {
		return nil, bad(1001, "Extrinsic has invalid format: Codec error", "")
	}
	p := &pooled{raw: raw, x: x}
	known := slices.ContainsFunc(slices.Concat(n.mu.pool, n.mu.future), func(o *pooled) bool { return bytes.Equal(o.raw, raw) })
	if known {
		return nil, bad(1013, "Transaction Already Imported", "0x00")
	}
	v := view{n.head().runtime.Metadata, n.head().state}
	if err := n.validate(v, p); err != nil {
		return nil, err
	}
	for _, o := range n.mu.pool {
		if o.x.Signer == x.Signer && o.x.Context.Nonce == x.Context.Nonce && o.in == nil {
			return nil, bad(1014, "Priority is too low: (100 vs 100)", "The transaction has too low priority to replace another transaction already in the pool.")
		}
	}
	id := c.fresh()
	p.watchers = []*watcher{{c, id}}
	if x.Context.Nonce > v.account(x.Signer).nonce && !n.follows(p) {
		n.mu.future = append(n.mu.future, p)
		*later = append(*later, func() { n.tell(p, "future", protocol.Hash{}) })
		return id, nil
	}
	n.mu.pool = append(n.mu.pool, p)
	*later = append(*later, func() { n.tell(p, "ready", protocol.Hash{}); n.tell(p, "broadcast", protocol.Hash{}) })
	return id, nil
}

// follows reports whether the pool has the extrinsic with the nonce before.
func (n *Node) follows(p *pooled) bool {
	return slices.ContainsFunc(n.mu.pool, func(o *pooled) bool {
		return o.x.Signer == p.x.Signer && o.x.Context.Nonce+1 == p.x.Context.Nonce
	})
}

// validate is what a node checks before its pool takes an extrinsic.
func (n *Node) validate(v view, p *pooled) error {
	x := p.x
	next := n.head().header.Number + 1
	if e := x.Context.Era; e.Period != 0 && next > e.Birth(next) && next-e.Birth(next) > 2400 {
		return n.invalid("Transaction has an ancient birth block", `"ancientBirthBlock":null`)
	}
	if !n.validSignature(p, next) {
		return n.invalid("Transaction has a bad signature", `"badProof":null`)
	}
	a := v.account(x.Signer)
	if x.Context.Nonce < a.nonce {
		return n.invalid("Transaction is outdated", `"stale":null`)
	}
	paid := x.Decoded.Name == "burned_register" || x.Decoded.Name == "register_limit"
	if paid && a.free == 0 {
		return n.invalid("Inability to pay some fees (e.g. account balance too low)", `"payment":null`)
	}
	if n.mu.runtime.spec >= 425 && x.Decoded.Name == "set_commitment" {
		if _, ok := v.uid(n.cfg.NetUID, x.Signer); !ok {
			return n.invalid("Custom error: 19", `"custom":19`)
		}
	}
	return nil
}

// validSignature rebuilds what must have been signed: with this chain's genesis, the
// runtime of the best block, and the hash of the era's first block.
func (n *Node) validSignature(p *pooled, next uint64) bool {
	c := p.x.Context
	c.Spec, c.Transaction, c.Genesis = n.mu.runtime.spec, n.mu.runtime.tx, n.mu.best[0].hash
	c.Birth = c.Genesis
	if c.Era.Period != 0 {
		birth := c.Era.Birth(next)
		if birth >= uint64(len(n.mu.best)) {
			return false
		}
		c.Birth = n.mu.best[birth].hash
	}
	payload, err := n.mu.runtime.Payload(p.x.Call, c)
	if err != nil || p.x.Tip != 0 || p.x.Mode != 0 {
		return false
	}
	return p.x.Signer.Verify(payload, p.x.Signature)
}
