// Package rpc is JSON-RPC 2.0 over one connection to a Substrate node: calls, and
// subscriptions that end with the connection. It does not reconnect: its user knows
// what may be asked again, and what must not be.
package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Limits of a connection.
const (
	MaxFrame      = 32 << 20         // a metagraph is 1 MB of hexadecimal, a block at most 20 MiB
	callTimeout   = 60 * time.Second // of one request
	writeTimeout  = 15 * time.Second
	pingEvery     = 20 * time.Second
	pingTimeout   = 20 * time.Second
	maxQueue      = 1024 // notifications of one subscription that wait to be read
	maxStray      = 256  // notifications that came before their subscription's id
	maxOutOfPlace = 1024 // frames that answer nothing
)

// ErrClosed is wrapped when the connection is gone.
var ErrClosed = errors.New("connection to the chain's endpoint is closed")

// Error is a node's answer that is an error.
type Error struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Error has the data, too: nodes put what matters there.
func (e *Error) Error() string {
	text := strings.Trim(string(e.Data), `"`)
	if text == "" || text == "null" {
		return fmt.Sprintf("node: %s (%d)", e.Message, e.Code)
	}
	return fmt.Sprintf("node: %s: %.200s (%d)", e.Message, text, e.Code)
}

// Frames is a connection's transport: whole messages. Read is called by one goroutine.
type Frames interface {
	Read(ctx context.Context) ([]byte, error)
	Write(ctx context.Context, frame []byte) error
	Close() error
}

// Conn is a connection. It is safe for concurrent use.
type Conn struct {
	frames Frames
	done   chan struct{}
	mu     struct {
		sync.Mutex
		err     error // why it ended
		last    uint64
		waiting map[uint64]chan frame
		subs    map[string]*Subscription
		strays  []stray
		odd     int
	}
	wg     sync.WaitGroup
	cancel context.CancelFunc
}

// stray is a notification of a subscription whose id is not known yet.
type stray struct {
	id     string
	result json.RawMessage
}

// frame is what comes in.
type frame struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Error  *Error          `json:"error"`
	Params struct {
		Subscription json.RawMessage `json:"subscription"`
		Result       json.RawMessage `json:"result"`
	} `json:"params"`
}

// Dial connects to a ws:// or wss:// URL.
func Dial(ctx context.Context, url string) (*Conn, error) {
	//nolint:bodyclose // Dial closes it
	c, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport()}})
	if err != nil {
		if resp != nil && resp.StatusCode == http.StatusTooManyRequests {
			return nil, fmt.Errorf("%s: %w", url, &Error{Code: http.StatusTooManyRequests, Message: "too many requests"})
		}
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	c.SetReadLimit(MaxFrame)
	return New(socket{c}), nil
}

// transport keeps nothing open behind the connection.
func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableKeepAlives = true
	t.TLSHandshakeTimeout = 15 * time.Second
	return t
}

type socket struct{ c *websocket.Conn }

func (s socket) Read(ctx context.Context) ([]byte, error) {
	_, b, err := s.c.Read(ctx)
	return b, err
}

func (s socket) Write(ctx context.Context, frame []byte) error {
	return s.c.Write(ctx, websocket.MessageText, frame)
}

func (s socket) Close() error { return s.c.CloseNow() }

// Ping reports whether the other side still answers.
func (s socket) Ping(ctx context.Context) error { return s.c.Ping(ctx) }

// New speaks over a transport, which the connection owns from here on.
func New(f Frames) *Conn {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Conn{frames: f, done: make(chan struct{}), cancel: cancel}
	c.mu.waiting, c.mu.subs = map[uint64]chan frame{}, map[string]*Subscription{}
	c.wg.Go(func() { c.read(ctx) })
	if p, ok := f.(interface{ Ping(context.Context) error }); ok {
		c.wg.Go(func() { c.ping(ctx, p.Ping) })
	}
	return c
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err says why the connection has ended, nil while it has not.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.err
}

// Close ends the connection and waits for its goroutines.
func (c *Conn) Close() {
	c.end(errors.New("closed by this side"))
	c.wg.Wait()
}

// end wakes all waiting calls. The first reason stays.
func (c *Conn) end(why error) {
	c.mu.Lock()
	if c.mu.err != nil {
		c.mu.Unlock()
		return
	}
	c.mu.err = fmt.Errorf("%w: %w", ErrClosed, why)
	subs := c.mu.subs
	c.mu.subs = map[string]*Subscription{}
	close(c.done)
	c.mu.Unlock()
	c.cancel()
	c.frames.Close()
	for _, s := range subs {
		s.stop()
	}
}

func (c *Conn) ping(ctx context.Context, ping func(context.Context) error) {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		pctx, cancel := context.WithTimeout(ctx, pingTimeout)
		err := ping(pctx)
		cancel()
		if err != nil {
			c.end(fmt.Errorf("no answer to a ping: %w", err))
			return
		}
	}
}

func (c *Conn) read(ctx context.Context) {
	for {
		b, err := c.frames.Read(ctx)
		if err != nil {
			c.end(err)
			return
		}
		if err := c.take(b); err != nil {
			c.end(err)
			return
		}
	}
}

// take places one message, or the messages of a batch.
func (c *Conn) take(b []byte) error {
	var f frame
	if err := json.Unmarshal(b, &f); err == nil {
		return c.place(f)
	}
	d := json.NewDecoder(bytes.NewReader(b)) // message by message: all of the shortest would take much memory
	if begin, err := d.Token(); err != nil || begin != json.Delim('[') {
		return errNoRPC
	}
	for d.More() {
		var f frame
		if err := d.Decode(&f); err != nil {
			return errNoRPC
		}
		if err := c.place(f); err != nil {
			return err
		}
	}
	return nil
}

var errNoRPC = errors.New("the endpoint sent something that is not JSON-RPC")

func (c *Conn) place(f frame) error {
	if f.Method != "" && f.Params.Subscription != nil {
		return c.notify(string(f.Params.Subscription), f.Params.Result)
	}
	var id uint64
	c.mu.Lock()
	defer c.mu.Unlock()
	if json.Unmarshal(f.ID, &id) == nil {
		if w := c.mu.waiting[id]; w != nil {
			delete(c.mu.waiting, id)
			w <- f
			return nil
		}
		if id > 0 && id <= c.mu.last { // the answer to a call that gave up
			return nil
		}
	}
	if c.mu.odd++; c.mu.odd > maxOutOfPlace {
		return errors.New("the endpoint sends answers to nothing")
	}
	return nil
}

// notify hands a notification over, or keeps it until its subscription's id is known.
func (c *Conn) notify(id string, result json.RawMessage) error {
	c.mu.Lock()
	s := c.mu.subs[id]
	if s == nil {
		c.mu.strays = append(c.mu.strays, stray{id, result})
		if len(c.mu.strays) > maxStray { // the oldest belong to subscriptions that ended
			c.mu.strays = slices.Delete(c.mu.strays, 0, 1)
		}
		c.mu.Unlock()
		return nil
	}
	c.mu.Unlock()
	return s.push(result)
}

// Call asks for one thing and decodes the result into out, unless out is nil.
func (c *Conn) Call(ctx context.Context, out any, method string, params ...any) error {
	f, err := c.request(ctx, method, params, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(f.Result, out); err != nil {
		return fmt.Errorf("%s: the endpoint's answer has another form: %w", method, err)
	}
	return nil
}

// request sends and waits. sub, if there is one, is registered before the next message
// is read, so that no notification passes it by.
func (c *Conn) request(ctx context.Context, method string, params []any, sub *Subscription) (frame, error) {
	if params == nil {
		params = []any{}
	}
	answer := make(chan frame, 1)
	c.mu.Lock()
	if c.mu.err != nil {
		defer c.mu.Unlock()
		return frame{}, c.mu.err
	}
	c.mu.last++
	id := c.mu.last
	c.mu.waiting[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.mu.waiting, id)
		c.mu.Unlock()
	}()
	b, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params})
	if err != nil {
		return frame{}, err
	}
	if err := c.write(ctx, b); err != nil {
		return frame{}, err
	}
	return c.await(ctx, answer, sub)
}

func (c *Conn) write(ctx context.Context, b []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// A context that ends in the middle of a frame would end the connection, which
	// others use, too.
	wctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := c.frames.Write(wctx, b); err != nil {
		c.end(err)
		return c.Err()
	}
	return nil
}

func (c *Conn) await(ctx context.Context, answer chan frame, sub *Subscription) (frame, error) {
	limit := time.NewTimer(callTimeout)
	defer limit.Stop()
	select {
	case f := <-answer:
		if f.Error != nil {
			return f, f.Error
		}
		if sub != nil {
			return f, c.register(string(f.Result), sub)
		}
		return f, nil
	case <-c.done:
		return frame{}, c.Err()
	case <-ctx.Done():
		return frame{}, ctx.Err()
	case <-limit.C:
		c.end(fmt.Errorf("no answer in %v", callTimeout))
		return frame{}, c.Err()
	}
}

// Subscription is a stream of notifications.
type Subscription struct {
	// C delivers the notifications in order; it is closed when the subscription or the
	// connection ends.
	C    <-chan json.RawMessage
	mu   sync.Mutex
	c    chan json.RawMessage
	over bool
	id   string
}

func (s *Subscription) push(m json.RawMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	select {
	case s.c <- m:
		return nil
	default:
		return errors.New("the endpoint sends notifications faster than they can be read")
	}
}

func (s *Subscription) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.over = true
		close(s.c)
	}
}

// Subscribe starts a subscription. It ends with the connection, or by Unsubscribe.
func (c *Conn) Subscribe(ctx context.Context, method string, params ...any) (*Subscription, error) {
	ch := make(chan json.RawMessage, maxQueue)
	s := &Subscription{C: ch, c: ch}
	if _, err := c.request(ctx, method, params, s); err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return s, nil
}

// register makes a subscription known by its id, and gives it what came early.
func (c *Conn) register(id string, s *Subscription) error {
	if id == "" || id == "null" {
		return errors.New("the endpoint gave the subscription no id")
	}
	s.id = id
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.err != nil {
		return c.mu.err
	}
	for _, e := range c.mu.strays {
		if e.id != id {
			continue
		}
		if err := s.push(e.result); err != nil {
			return err
		}
	}
	c.mu.strays = slices.DeleteFunc(c.mu.strays, func(e stray) bool { return e.id == id })
	c.mu.subs[id] = s
	return nil
}

// Unsubscribe ends a subscription. The node is asked, and not waited for.
func (c *Conn) Unsubscribe(ctx context.Context, method string, s *Subscription) {
	c.mu.Lock()
	delete(c.mu.subs, s.id)
	c.mu.Unlock()
	s.stop()
	var id any
	if json.Unmarshal([]byte(s.id), &id) != nil {
		return
	}
	short, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = c.Call(short, nil, method, id) // the connection ends it otherwise
}
