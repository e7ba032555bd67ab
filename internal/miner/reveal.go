package miner

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"templar/internal/mailbox"
	"templar/internal/store"
	"templar/internal/versioned"
	"templar/protocol"
	"templar/wire"
)

// A miner seals each window's gradient with a fresh key. The key is on its disk before the upload, and is revealed when
// the window's closing statement lists the gradient: at once in most windows, and later while the aggregator is away,
// beside the training of the windows that follow. A key is never revealed without a statement, and the statement is kept:
// in the miner's bucket: together with another one of the same window it proves that the aggregator signed two.

// keysFile is the unrevealed keys in the miner's own directory.
var keysFile = versioned.File{
	Name: "keys.json", Version: 1, Remedy: "run the release that wrote it, or move it away: the gradients whose keys it holds then do not count",
}

// mostSecrets bounds the windows whose keys are kept: after a longer outage the oldest count for nothing.
const mostSecrets = 64

// secret is a window's key.
type secret struct {
	Window protocol.Window `json:"window"`
	Key    string          `json:"key"` // 64 hexadecimal digits

	content protocol.Hash // of the gradient that this process has sent; zero: not known
	since   time.Time     // when it was sent; zero: not in this process
	asked   time.Time     // when the statement was last asked for
	done    bool
}

// secrets are the keys of a miner, and reveal them.
type secrets struct {
	*Miner

	mu struct {
		sync.Mutex
		all    []secret // ascending by window; after a restart within a window several
		seen   map[protocol.Window]*mailbox.Closed
		wake   context.CancelFunc // ends the pause of run; nil: there is none
		waiter context.CancelFunc // ends wait
	}
}

// load reads the keys that an earlier process has left.
func (s *secrets) load(ctx context.Context) error {
	var all []secret
	err := store.LoadFile(ctx, s.Local, keysFile, 1<<20, &all)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case versioned.Is(err):
		return err
	case err != nil:
		s.Log.Warn("the keys of earlier gradients cannot be read: those gradients will not count", "err", err)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range all {
		all[i].since = s.Clock.Now()
	}
	s.mu.all = all
	return ctx.Err()
}

// draw returns a fresh key for the gradient of w, and makes it durable before.
func (s *secrets) draw(ctx context.Context, w protocol.Window) (wire.GradientKey, error) {
	key, err := wire.NewGradientKey(s.Random)
	if err != nil {
		return key, err
	}
	s.mu.Lock()
	all := slices.DeleteFunc(s.mu.all, func(x secret) bool { return x.done })
	all = append(all, secret{Window: w, Key: hex.EncodeToString(key[:])})
	s.mu.all = all[max(0, len(all)-mostSecrets):]
	kept := slices.Clone(s.mu.all)
	s.mu.Unlock()
	if err := store.SaveFile(ctx, s.Local, keysFile, kept); err != nil {
		return key, fmt.Errorf("gradient key not saved: %w", err)
	}
	return key, nil
}

// sent notes that a gradient was uploaded, or may have been by an earlier process when content is zero: its statement
// is asked for from now on.
func (s *secrets) sent(w protocol.Window, content protocol.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.mu.all {
		if x := &s.mu.all[i]; x.Window == w && x.since.IsZero() {
			x.content, x.since = content, s.Clock.Now()
		}
	}
	if s.mu.wake != nil {
		s.mu.wake()
	}
}

// forget drops the keys of windows before next, whose Aggregates are applied.
func (s *secrets) forget(next protocol.Window) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.mu.all {
		s.mu.all[i].done = s.mu.all[i].done || s.mu.all[i].Window < next
	}
	for w := range s.mu.seen {
		if w+1 < next {
			delete(s.mu.seen, w)
		}
	}
}

// pending reports whether the key of a window may still have to be revealed.
func (s *secrets) pending(w protocol.Window) bool {
	return slices.ContainsFunc(s.mu.all, func(x secret) bool { return x.Window == w && !x.done && !x.since.IsZero() })
}

// wait waits until the key of w is revealed or will not be, at most until the deadline: there is no Aggregate before.
func (s *secrets) wait(ctx context.Context, w protocol.Window, deadline time.Time) {
	s.mu.Lock()
	if !s.pending(w) {
		s.mu.Unlock()
		return
	}
	waiting, over := context.WithCancel(ctx)
	s.mu.waiter = over
	s.mu.Unlock()
	defer over()
	_ = s.Clock.Sleep(waiting, deadline.Sub(s.Clock.Now()))
}

// run reveals keys until ctx ends.
func (s *secrets) run(ctx context.Context) {
	for ctx.Err() == nil {
		for _, w := range s.due() {
			s.ask(ctx, w)
		}
		s.rest(ctx)
	}
}

// due returns the windows whose statements are to be asked for now.
func (s *secrets) due() (due []protocol.Window) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Clock.Now()
	for i := range s.mu.all {
		if x := &s.mu.all[i]; !x.done && !now.Before(s.next(x)) && !slices.Contains(due, x.Window) {
			due = append(due, x.Window)
		}
	}
	return due
}

// next is when the statement for a key is to be asked for.
func (s *secrets) next(x *secret) time.Time {
	switch {
	case x.since.IsZero():
		return s.Clock.Now().Add(s.Params.WindowTime()) // not sent yet
	case x.asked.IsZero():
		return x.since
	}
	return x.asked.Add(s.Schedule.Pause(x.asked.Sub(x.since)))
}

// rest waits until a statement is to be asked for.
func (s *secrets) rest(ctx context.Context) {
	s.mu.Lock()
	now := s.Clock.Now()
	until := now.Add(s.Params.WindowTime())
	for i := range s.mu.all {
		if x := &s.mu.all[i]; !x.done && s.next(x).Before(until) {
			until = s.next(x)
		}
	}
	resting, wake := context.WithCancel(ctx)
	s.mu.wake = wake
	s.mu.Unlock()
	defer wake()
	_ = s.Clock.Sleep(resting, until.Sub(now))
}

// ask asks for the statement of w, and answers it.
func (s *secrets) ask(ctx context.Context, w protocol.Window) {
	c, verdict := s.Source.Aggregates.ClosingNow(ctx, w)
	var err error
	if verdict.OK() {
		err = s.answer(ctx, c)
	}
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("key not revealed, trying again", "window", w, "err", err)
	}
	s.asked(w, c, verdict.OK() && err == nil)
	if verdict.OK() && err == nil {
		s.keepEvidence(ctx, c) // nothing waits for it
	}
}

// asked notes the statement of w that was shown, if any, and whether it is answered.
func (s *secrets) asked(w protocol.Window, c *mailbox.Closed, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.seen == nil {
		s.mu.seen = make(map[protocol.Window]*mailbox.Closed)
	}
	if c != nil {
		s.mu.seen[w] = c
	}
	for i := range s.mu.all {
		if x := &s.mu.all[i]; x.Window == w {
			x.asked, x.done = s.Clock.Now(), done
		}
	}
	if done && s.mu.waiter != nil {
		s.mu.waiter()
	}
}

// answer reveals the key of a gradient that a statement lists.
func (s *secrets) answer(ctx context.Context, c *mailbox.Closed) error {
	content, _ := c.Of(s.Outbox.UID, s.Outbox.Signer.Hotkey())
	key, found, err := s.keyOf(ctx, c.Window, content)
	if err != nil {
		return err
	}
	if !found {
		if h, err := s.ownHeader(ctx, c.Window); err != nil || h.Content.IsZero() {
			return err // it has sent none
		}
		s.Log.Warn("the closing statement does not list this miner's gradient: it counts for nothing in this window", "window", c.Window, "statement", c.Hash.Short())
		return nil
	}
	b, err := wire.EncodeKey(&wire.Key{
		Run: s.Hash, Window: c.Window, UID: s.Outbox.UID, Hotkey: s.Outbox.Signer.Hotkey(), Closing: c.Hash, Key: key,
	}, s.Outbox.Signer)
	if err != nil {
		return err
	}
	ctx, cancel := s.Schedule.WithTimeout(ctx)
	defer cancel()
	err = s.Outbox.PutOnce(ctx, protocol.RevealKey(c.Window, s.Outbox.UID), b)
	if errors.Is(err, store.ErrExists) { // by an earlier try
		return nil
	}
	return err
}

// keyOf returns the key of the gradient of w with a content hash, if it is this miner's.
func (s *secrets) keyOf(ctx context.Context, w protocol.Window, content protocol.Hash) (key wire.GradientKey, found bool, err error) {
	s.mu.Lock()
	var of []secret
	for _, x := range s.mu.all {
		if x.Window == w {
			of = append(of, x)
		}
	}
	s.mu.Unlock()
	if content.IsZero() {
		return key, false, nil
	}
	for _, x := range of {
		if x.content == content && decodeKey(&key, x.Key) {
			return key, true, nil
		}
	}
	// An earlier process has sent it: its header says with which key.
	h, err := s.ownHeader(ctx, w)
	if err != nil || h.Content != content {
		return key, false, err
	}
	for _, x := range of {
		if decodeKey(&key, x.Key) && key.Hash() == h.Key {
			return key, true, nil
		}
	}
	return key, false, nil
}

func decodeKey(key *wire.GradientKey, text string) bool {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(key) {
		return false
	}
	copy(key[:], b)
	return true
}

// ownHeader reads the header of this miner's gradient of w from its bucket; zero when there is none.
func (s *secrets) ownHeader(ctx context.Context, w protocol.Window) (h wire.GradientHeader, err error) {
	key := protocol.GradientKey(w, s.Outbox.UID)
	info, err := s.Outbox.Bucket.Head(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	body, err := s.Outbox.Bucket.GetRange(ctx, key, 0, int64(wire.GradientHeaderSize), info.ETag)
	if err != nil {
		return h, err
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		return h, err
	}
	h, verdict := wire.DecodeGradientHeader(b, info.Size, wire.Expect{Run: s.Hash, Window: w, UID: s.Outbox.UID, Hotkey: s.Outbox.Signer.Hotkey()})
	if !verdict.OK() {
		return wire.GradientHeader{}, nil
	}
	return h, nil
}

// applied compares the statement that an Aggregate names with the one that this miner was shown.
func (s *secrets) applied(w protocol.Window, closing protocol.Hash) {
	s.mu.Lock()
	c := s.mu.seen[w]
	s.mu.Unlock()
	if c == nil || c.Hash == closing {
		return
	}
	s.Log.Error("the aggregate names another closing statement than this miner was shown: the aggregator signed two", "window", w,
		"aggregator", c.Aggregator, "shown", c.Hash.Short(), "named", closing.Short())
}

// keepEvidence puts a statement that is answered into the miner's bucket, where validators read it if the key was
// revealed against another statement than theirs, or not at all: then it is no fault of the miner's.
func (s *secrets) keepEvidence(ctx context.Context, c *mailbox.Closed) {
	ctx, cancel := s.Schedule.WithTimeout(ctx)
	defer cancel()
	err := s.Outbox.PutOnce(ctx, protocol.ClosingKey(c.Window), c.Raw)
	if err != nil && !errors.Is(err, store.ErrExists) && ctx.Err() == nil {
		s.Log.Warn("the closing statement is not kept as evidence", "window", c.Window, "err", err)
	}
}
