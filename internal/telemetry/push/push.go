package push

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"templar/internal/clock"
)

const (
	interval  = 5 * time.Second // between two batches
	patience  = 10 * time.Second
	farewell  = 3 * time.Second // for the last batch
	maxBatch  = 512 << 10       // bytes
	maxQueued = 8 << 20         // bytes
	maxAnswer = 64 << 10        // bytes of an answer that are read
)

// Request makes the HTTP request that delivers a batch of lines.
type Request func(ctx context.Context, batch [][]byte) (*http.Request, error)

// Queue holds lines until a server has accepted them. Create it with New; Add is for concurrent
// use.
type Queue struct {
	what   string // for the log
	post   Request
	client *http.Client
	clock  clock.Clock
	log    *slog.Logger // must not feed the queue

	failing bool // Run's own

	mu struct {
		sync.Mutex
		lines   [][]byte
		bytes   int
		dropped int // since the server last took something
	}
}

// New returns an empty queue of lines, which the log calls what. Its messages go to log, which
// must not write to the queue.
func New(what string, post Request, c clock.Clock, log *slog.Logger) *Queue {
	return &Queue{what: what, post: post, clock: c, log: log, client: &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a token must not be sent to another host
	}}
}

// Add appends a line to the queue. It never waits.
func (q *Queue) Add(line []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.lines = append(q.mu.lines, line)
	q.mu.bytes += len(line)
	q.trim()
}

// trim drops the oldest lines beyond maxQueued. The caller holds mu.
func (q *Queue) trim() {
	n := 0
	for ; q.mu.bytes > maxQueued; n++ {
		q.mu.bytes -= len(q.mu.lines[n])
	}
	q.mu.lines = q.mu.lines[n:]
	q.mu.dropped += n
}

// take removes the lines of the next batch.
func (q *Queue) take() (batch [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.mu.lines) && (n == 0 || size+len(q.mu.lines[n]) <= maxBatch) {
		size += len(q.mu.lines[n])
		n++
	}
	batch, q.mu.lines = q.mu.lines[:n:n], q.mu.lines[n:]
	q.mu.bytes -= size
	return batch
}

// giveBack puts a batch that was not sent before all others.
func (q *Queue) giveBack(batch [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.lines = append(batch, q.mu.lines...)
	for _, line := range batch {
		q.mu.bytes += len(line)
	}
	q.trim()
}

// Run sends until ctx ends, and then what is left.
func (q *Queue) Run(ctx context.Context) {
	for q.clock.Sleep(ctx, interval) == nil {
		q.flush(ctx)
	}
	ctx, cancel := clock.WithTimeout(context.WithoutCancel(ctx), q.clock, farewell)
	defer cancel()
	q.flush(ctx)
	q.client.CloseIdleConnections()
}

// flush sends batches until the queue is empty or the server refuses one.
func (q *Queue) flush(ctx context.Context) {
	for batch := q.take(); len(batch) > 0; batch = q.take() {
		err := q.send(ctx, batch)
		var refused *refusal
		switch {
		case err == nil:
			q.sent()
			continue
		case errors.As(err, &refused) && refused.final():
			q.lost(len(batch)) // it would be refused again and block all later ones
		default:
			q.giveBack(batch)
		}
		if !q.failing && !errors.Is(err, context.Canceled) {
			q.log.Warn("not delivered", "what", q.what, "err", err)
			q.failing = true
		}
		return
	}
}

func (q *Queue) lost(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.dropped += n
}

// sent logs that the server accepts lines again, and how many were dropped.
func (q *Queue) sent() {
	if q.failing {
		q.log.Info("delivered again", "what", q.what)
		q.failing = false
	}
	q.mu.Lock()
	dropped := q.mu.dropped
	q.mu.dropped = 0
	q.mu.Unlock()
	if dropped > 0 {
		q.log.Warn("dropped undelivered", "what", q.what, "lines", dropped)
	}
}

// refusal is a response other than success. The body is not repeated in the error: it may contain
// anything, including the request.
type refusal struct{ status int }

func (r *refusal) Error() string {
	return fmt.Sprintf("status %d %s", r.status, http.StatusText(r.status))
}

// final reports whether the server refuses this batch permanently. Other refusals, such as a wrong
// token or a redirect, end when an operator corrects the configuration; then the batch is sent.
func (r *refusal) final() bool {
	switch r.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

func (q *Queue) send(ctx context.Context, batch [][]byte) error {
	req, err := q.post(ctx, batch)
	if err != nil {
		return err
	}
	resp, err := q.client.Do(req)
	if err != nil {
		var at *url.Error // repeats the address, which may hold a password
		if errors.As(err, &at) {
			err = at.Err
		}
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // so that the connection serves again
	if resp.StatusCode/100 != 2 {
		return &refusal{resp.StatusCode}
	}
	return nil
}
