package mailbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"templar/internal/directory"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// Relays are the miners from whose buckets a node reads Aggregates in parts (docs/spec/relay.md).
type Relays struct {
	Directory *directory.Directory
	UID       protocol.UID
	Hotkey    protocol.Hotkey
	Log       *slog.Logger

	mu struct {
		sync.Mutex
		shunned map[protocol.Hotkey]protocol.Window // until when
	}
}

const (
	readsAtOnce = 3  // parts: enough to fill a link while a request is on its way
	relayShare  = 3  // of the time for publication, a relay has this part for its part, and all relays together the whole
	slowShare   = 15 // of it, and slow is a relay that takes more than this part of it, and slowTimes as long as the median
	slowTimes   = 3
	shunned     = 20 // windows for which a relay is not asked that has failed, or is slow
)

// ListParts divides an Aggregate's object among the miners that it includes, another one first in each window. It returns nil for
// an object that is read as a whole.
func ListParts(p *protocol.Params, w protocol.Window, included []wire.Included, b []byte) *wire.Parts {
	n := len(included)
	if p.RelayBytes > 0 {
		n = int(min(int64(n), int64(len(b))/p.RelayBytes))
	}
	if p.RelayBytes == 0 || n < 2 {
		return nil
	}
	list := &wire.Parts{Size: int64(len(b)), Of: make([]wire.Included, n)}
	first := int(w % protocol.Window(len(included)))
	for i := range list.Of {
		in := included[(first+i)%len(included)]
		offset, size := list.At(i)
		list.Of[i] = wire.Included{UID: in.UID, Hotkey: in.Hotkey, Content: sha256.Sum256(b[offset:][:size])}
	}
	return list
}

// assembled is Raw by way of the relays, where there are any.
func (a Aggregates) assembled(ctx context.Context, w protocol.Window, t protocol.Term, deadline time.Time) ([]byte, protocol.Verdict) {
	within, cancel := a.Schedule.Clock.WithDeadline(ctx, deadline)
	defer cancel()
	var info store.Info
	v := a.persist(within, func() (err error) {
		info, err = a.Bucket.Head(within, protocol.AggregateKey(w, t))
		return err
	})
	if !v.OK() {
		return nil, v
	}
	if b := a.assemble(within, w, t, info); b != nil {
		return b, v
	}
	return a.Raw(ctx, w, t, deadline)
}

// assemble returns the object, or nil when it is to be read as a whole.
func (a Aggregates) assemble(ctx context.Context, w protocol.Window, t protocol.Term, info store.Info) []byte {
	p, now := a.Run.Params, a.Schedule.Clock.Now()
	relayed := time.Duration(schedule.PartRetention(p)) * p.WindowTime()
	if info.Size < 2*p.RelayBytes || info.Size > a.limit() || now.Sub(info.LastModified) > relayed {
		return nil
	}
	raw, _, err := store.ReadAll(ctx, a.Bucket, protocol.PartsKey(w, t), wire.MaxPartsSize(maxPeers))
	if err != nil {
		return nil
	}
	list, verdict := wire.DecodeParts(raw)
	if !verdict.OK() || list.Size != info.Size {
		return nil
	}
	patience := p.Publication() / relayShare
	x := &assembly{
		Aggregates: a, window: w, term: t, etag: info.ETag, list: list, b: make([]byte, list.Size),
		began: now, patience: patience, until: now.Add(patience), struck: make(map[protocol.Hotkey]string), came: make(map[int]arrival),
	}
	whole := x.run(ctx)
	x.strikeSlow(a.Schedule.Clock.Now().Sub(now))
	if !x.untrue { // else relays that have the right bytes fail
		a.Relays.remember(w, x.struck)
	}
	if !whole {
		return nil
	}
	return x.b
}

// assembly is an Aggregate of which the parts are being read.
type assembly struct {
	Aggregates
	window   protocol.Window
	term     protocol.Term
	etag     string
	list     *wire.Parts
	b        []byte
	began    time.Time
	patience time.Duration // with a relay
	until    time.Time     // when a part that no relay has is read from the aggregator bucket

	mu     sync.Mutex
	queue  []int // parts that no reader is at
	misses int   // relays in turn that did not have their part
	failed bool
	untrue bool                       // the list: the aggregator bucket has other bytes
	struck map[protocol.Hotkey]string // relays that have failed, and how
	came   map[int]arrival            // parts that came from their relays
}

// run reads all parts. The one that this node relays comes first, from the aggregator bucket, and is offered while
// the others are read, from the next one on: so that readers begin with different relays.
func (x *assembly) run(ctx context.Context) bool {
	r, n := x.Relays, len(x.list.Of)
	own := slices.IndexFunc(x.list.Of, func(of wire.Included) bool { return x.Own != nil && of.Hotkey == r.Hotkey })
	first := own
	if own < 0 {
		first = int(r.UID) % n
		x.queue = append(x.queue, first)
	} else if !x.fromAggregator(ctx, own) {
		return false
	}
	for i := 1; i < n; i++ {
		x.queue = append(x.queue, (first+i)%n)
	}
	x.Schedule.Clock.Each(1+readsAtOnce, 1+readsAtOnce, func(i int) {
		switch {
		case i > 0:
			x.read(ctx)
		case own >= 0:
			x.offer(ctx, own)
		}
	})
	return !x.failed && ctx.Err() == nil
}

// offer puts a part into the own bucket. Other nodes do not wait longer for it.
func (x *assembly) offer(ctx context.Context, i int) {
	ctx, cancel := x.Schedule.Clock.WithDeadline(ctx, x.until)
	defer cancel()
	part := x.part(i)
	key := protocol.PartKey(x.window, x.term, x.list.Of[i].UID)
	if _, err := x.Own.Put(ctx, key, bytes.NewReader(part), int64(len(part)), store.PutOptions{}); err != nil {
		x.Relays.Log.Info("part of the aggregate not relayed", "window", x.window, "err", err)
	}
}

// part is the room for a part.
func (x *assembly) part(i int) []byte {
	offset, size := x.list.At(i)
	return x.b[offset:][:size:size]
}

// read reads parts until no more are waiting.
func (x *assembly) read(ctx context.Context) {
	for {
		i, ok := x.next()
		if !ok {
			return
		}
		switch here, err := x.fromRelay(ctx, i); {
		case here:
		case err == nil:
			if x.later(i) && x.Schedule.Clock.Sleep(ctx, x.Schedule.Pause(x.Schedule.Clock.Now().Sub(x.began))) != nil {
				x.fail()
			}
		default:
			if ctx.Err() == nil { // else this node has broken off
				x.strike(i, err)
			}
			if !x.fromAggregator(ctx, i) {
				x.fail()
			}
		}
	}
}

func (x *assembly) next() (i int, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failed || len(x.queue) == 0 {
		return 0, false
	}
	i, x.queue = x.queue[0], x.queue[1:]
	return i, true
}

// later puts a part that its relay does not have yet back. all is true when no waiting part's relay has.
func (x *assembly) later(i int) (all bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.queue = append(x.queue, i)
	x.came[i] = arrival{awaited: true}
	if x.misses++; x.misses < len(x.queue) {
		return false
	}
	x.misses = 0
	return true
}

func (x *assembly) fail() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.failed = true
}

// errNotAsked is for a relay that is not a node with a bucket, has failed before, or would be asked too late: it is not struck.
var errNotAsked = errors.New("not asked")

// strike notes that a relay has failed.
func (x *assembly) strike(i int, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.misses = 0; !errors.Is(err, errNotAsked) {
		x.struck[x.list.Of[i].Hotkey] = err.Error()
	}
}

var (
	errOtherBytes = errors.New("other bytes than the aggregator lists")
	errNever      = errors.New("not there in time")
)

// fromRelay asks the relay of a part once. Without an error, the part is here, or the relay may have it later.
func (x *assembly) fromRelay(ctx context.Context, i int) (here bool, err error) {
	of := x.list.Of[i]
	peer, ok := x.Relays.Directory.Peer(of.UID)
	if !ok || x.Schedule.Clock.Now().After(x.began.Add(relayShare*x.patience)) || peer.Hotkey != of.Hotkey || peer.Bucket == nil || x.Relays.shuns(of.Hotkey, x.window) {
		return false, errNotAsked
	}
	asked := x.Schedule.Clock.Now()
	ctx, cancel := x.Schedule.Clock.WithDeadline(ctx, asked.Add(x.patience))
	defer cancel()
	err = fill(x.part(i), func(n int64) (io.ReadCloser, error) {
		body, _, err := peer.Bucket.Get(ctx, protocol.PartKey(x.window, x.term, of.UID), n)
		return body, err
	})
	switch {
	case errors.Is(err, store.ErrNotFound) && x.Schedule.Clock.Now().Before(x.until):
		return false, nil
	case errors.Is(err, store.ErrNotFound):
		return false, errNever
	case err == nil && sha256.Sum256(x.part(i)) != of.Content:
		err = errOtherBytes
	case err == nil:
		x.mu.Lock()
		defer x.mu.Unlock()
		now, a := x.Schedule.Clock.Now(), x.came[i]
		a.came, a.took, a.after = true, now.Sub(asked), now.Sub(x.began)
		x.came[i] = a
	}
	return err == nil, err
}

// arrival is of a part from its relay.
type arrival struct {
	awaited     bool // the relay did not have it at first
	came        bool
	took, after time.Duration // since the relay was asked, and since the Aggregate was seen
}

// strikeSlow notes the relays that were slow: parts that come just before the patience ends would cost every window as much as none, and
// are no failure. One that was awaited is compared by when its part came, another by how long it took, with the median of all; when all relays
// together took most of their time, with nothing.
func (x *assembly) strikeSlow(all time.Duration) {
	publication := relayShare * x.patience
	var took, after []time.Duration
	for _, a := range x.came {
		if a.came {
			took, after = append(took, a.took), append(after, a.after)
		}
	}
	for i, a := range x.came {
		d, others := a.took, took
		if a.awaited {
			d, others = a.after, after
		}
		if a.came && d > publication/slowShare && (d > slowTimes*median(others) || all > publication*2/3) {
			x.struck[x.list.Of[i].Hotkey] = fmt.Sprintf("its part came after %v", d)
		}
	}
}

// median is the lower one.
func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[(len(d)-1)/2]
}

// fromAggregator reads a part from the aggregator bucket; ok is false when the list of parts is at fault, or the bucket.
func (x *assembly) fromAggregator(ctx context.Context, i int) (ok bool) {
	offset, _ := x.list.At(i)
	verdict := x.persist(ctx, func() error {
		err := fill(x.part(i), func(n int64) (io.ReadCloser, error) {
			return x.Bucket.GetRange(ctx, protocol.AggregateKey(x.window, x.term), offset, n, x.etag)
		})
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrChanged) {
			return store.ErrDenied // repeating is in vain
		}
		return err
	})
	if !verdict.OK() {
		return false
	}
	if sha256.Sum256(x.part(i)) == x.list.Of[i].Content {
		return true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.untrue = true
	return false
}

// fill reads a body of exactly a buffer's size.
func fill(b []byte, open func(size int64) (io.ReadCloser, error)) error {
	body, err := open(int64(len(b)))
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.ReadFull(body, b)
	return err
}

func (r *Relays) shuns(h protocol.Hotkey, w protocol.Window) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return w < r.mu.shunned[h]
}

// remember shuns relays that have failed, so that each costs a reader its time once in a while, not in every window.
func (r *Relays) remember(w protocol.Window, struck map[protocol.Hotkey]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for h, until := range r.mu.shunned {
		if until <= w {
			delete(r.mu.shunned, h)
		}
	}
	for h, why := range struck {
		if r.mu.shunned == nil {
			r.mu.shunned = make(map[protocol.Hotkey]protocol.Window)
		}
		r.mu.shunned[h] = w + shunned
		r.Log.Info("a relay has failed: its parts are read from the aggregator for a while", "window", w, "hotkey", h, "why", why)
	}
}
