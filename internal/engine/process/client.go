package process

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"templar/internal/engine"
	"templar/protocol"
)

// Limits on the time without a message from the child. A program that a device runs takes
// seconds; compilation may take many minutes.
const (
	limit     = 10 * time.Minute
	slowLimit = time.Hour
	closing   = 10 * time.Second
)

// Command is how a child is started.
type Command struct {
	Path     string
	Args     []string
	Env      []string // beside this process's
	Settings []byte   // for the child's Open
	Log      *slog.Logger
	Limit    time.Duration // on the time without an answer; 0: ten minutes
	Remedy   string        // what to do when the child crashes or hangs, for the error
}

// Client is the engine of a child process. It is not for concurrent use, except Usage.
type Client struct {
	command Command
	layout  protocol.Layout
	kind    string

	cmd      *exec.Cmd
	requests *os.File
	replies  *gob.Decoder
	answers  *os.File
	out      *gob.Encoder
	sending  sync.Mutex
	window   []float32
	errors   *tail
	exited   chan struct{} // closed when the child has ended
	exit     error         // then: how

	closed   bool
	lost     error // the child is gone
	calls    uint64
	trials   int
	stands   int // the trial step that stands; 0: none
	gradient []float32
	moments  [2][]float32
	chosen   engine.Chosen
	kept     int // values that were chosen and not subtracted

	mu struct {
		sync.Mutex
		usage engine.Usage
	}
}

var _ engine.Engine = (*Client)(nil)

// Start starts a child and opens its engine for a model.
func Start(m protocol.Model, c Command) (*Client, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Limit == 0 {
		c.Limit = limit
	}
	e := &Client{command: c, layout: m.Layout(), errors: &tail{log: c.Log}, exited: make(chan struct{})}
	if err := e.start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	// Programs may be compiled here.
	r, err := e.call(context.Background(), request{Op: opOpen, Model: m, Settings: c.Settings}, nil, nil)
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	e.kind = r.Text
	c.Log.Debug("engine process started", "engine", e.kind, "pid", e.cmd.Process.Pid)
	return e, nil
}

func (e *Client) start() (err error) {
	var shared *os.File
	if e.window, shared, err = newWindow(windowSize(e.layout)); err != nil {
		return err
	}
	defer shared.Close()
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirIn.Close()
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		return errors.Join(err, ourOut.Close())
	}
	defer theirOut.Close()
	e.cmd = exec.Command(e.command.Path, e.command.Args...)
	e.cmd.Env = append(os.Environ(), e.command.Env...)
	e.cmd.Stdout, e.cmd.Stderr = e.errors, e.errors
	e.cmd.ExtraFiles = []*os.File{theirIn, theirOut, shared}
	apart(e.cmd)
	if err := e.cmd.Start(); err != nil {
		return errors.Join(err, ourOut.Close(), ourIn.Close(), unmap(e.window))
	}
	e.requests, e.answers = ourOut, ourIn
	e.out, e.replies = gob.NewEncoder(ourOut), gob.NewDecoder(ourIn)
	go func() {
		e.exit = e.cmd.Wait()
		close(e.exited)
	}()
	return nil
}

// Pid is the child's process id.
func (e *Client) Pid() int { return e.cmd.Process.Pid }

// Kind is the platform and the precision of the child's engine.
func (e *Client) Kind() string { return e.kind }

func (e *Client) send(r request) error {
	e.sending.Lock()
	defer e.sending.Unlock()
	return e.out.Encode(r)
}

// ready returns an error when a call cannot work.
func (e *Client) ready(ctx context.Context) error {
	switch {
	case e.closed:
		return engine.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return e.lost
}

// call has the child do an operation. fill and take are for vectors that cross.
func (e *Client) call(ctx context.Context, r request, fill, take func(which, at int, window []float32)) (reply, error) {
	if err := e.ready(ctx); err != nil {
		return reply{}, err
	}
	e.calls++
	r.Call = e.calls
	hung := time.AfterFunc(e.command.Limit, func() { e.kill() })
	defer hung.Stop()
	if err := e.send(r); err != nil {
		return reply{}, e.end(err, hung)
	}
	// A program that runs is not interrupted, but the child may stop between two.
	stop := context.AfterFunc(ctx, func() { e.send(request{Op: opCancel, Call: r.Call}) })
	defer stop()
	for {
		var got reply
		if err := e.replies.Decode(&got); err != nil {
			return reply{}, e.end(err, hung)
		}
		next := e.command.Limit
		var answer operation
		switch got.Kind {
		case done:
			e.mu.Lock()
			e.mu.usage = got.Usage
			e.mu.Unlock()
			return got, got.err()
		case note:
			e.command.Log.Debug("engine: " + got.Text)
		case slow:
			e.command.Log.Info("engine: " + got.Text)
			next = max(next, slowLimit)
		case need:
			fill(got.Which, got.At, e.window[:got.N])
			answer = opFilled
		case have:
			take(got.Which, got.At, e.window[:got.N])
			answer = opTaken
		}
		hung.Reset(next)
		if answer != 0 {
			if err := e.send(request{Op: answer}); err != nil {
				return reply{}, e.end(err, hung)
			}
		}
	}
}

func (e *Client) kill() { e.cmd.Process.Kill() }

// end records that the child is gone, and why.
func (e *Client) end(cause error, hung *time.Timer) error {
	timedOut := !hung.Stop()
	e.kill() // where only a pipe broke
	<-e.exited
	why := "ended"
	if e.exit != nil {
		why = "ended (" + e.exit.Error() + ")"
	}
	if why == "ended (signal: killed)" {
		why += ", as the system does to a process when this machine's memory is full (dmesg says so)"
	}
	if timedOut {
		why = fmt.Sprintf("gave no answer for %v and was ended", e.command.Limit)
	}
	text := fmt.Sprintf("the engine process %s", why)
	if said := e.errors.String(); said != "" {
		text += "; its last lines:\n" + said
	}
	if e.command.Remedy != "" {
		text += "\n" + e.command.Remedy
	}
	e.lost = &Lost{text: text, cause: cause}
	return e.lost
}

// Lost is the error of an engine whose process is gone, with what it held.
type Lost struct {
	text  string
	cause error
}

func (e *Lost) Error() string { return e.text }

// Unwrap is what the parent saw first.
func (e *Lost) Unwrap() error { return e.cause }

// Layout is the tensor table of the model.
func (e *Client) Layout() protocol.Layout { return e.layout }

// Load copies the parameters to the child's engine.
func (e *Client) Load(ctx context.Context, params []float32) error {
	if err := e.ready(ctx); err != nil {
		return err
	}
	if len(params) != e.layout.Size() {
		return fmt.Errorf("load: %d parameters for a model of %d", len(params), e.layout.Size())
	}
	_, err := e.call(ctx, request{Op: opLoad}, func(_, at int, window []float32) { copy(window, params[at:]) }, nil)
	return err
}

// Params copies the parameters from the child's engine.
func (e *Client) Params(ctx context.Context, dst []float32) error {
	if err := e.ready(ctx); err != nil {
		return err
	}
	if len(dst) != e.layout.Size() {
		return fmt.Errorf("read parameters: %d places for %d", len(dst), e.layout.Size())
	}
	_, err := e.call(ctx, request{Op: opParams}, nil, func(_, at int, window []float32) { copy(dst[at:], window) })
	return err
}

// Loss runs the model forward.
func (e *Client) Loss(ctx context.Context, b engine.Batch) (engine.Loss, error) {
	r, err := e.call(ctx, request{Op: opLoss, Batch: b}, nil, nil)
	return r.Loss, err
}

// RowLosses runs the model forward.
func (e *Client) RowLosses(ctx context.Context, b engine.Batch) ([]engine.Loss, error) {
	r, err := e.call(ctx, request{Op: opRowLosses, Batch: b}, nil, nil)
	if err == nil && len(r.Rows) != b.Rows {
		err = fmt.Errorf("the engine process gave %d losses for %d rows", len(r.Rows), b.Rows)
	}
	return r.Rows, err
}

// Accumulate adds scale times the gradient of the summed loss to the gradient.
func (e *Client) Accumulate(ctx context.Context, b engine.Batch, scale float32) (engine.Loss, error) {
	r, err := e.call(ctx, request{Op: opAccumulate, Batch: b, Scale: scale}, nil, nil)
	return r.Loss, err
}

// Gradient copies the gradient from the child's engine.
func (e *Client) Gradient(ctx context.Context) ([]float32, error) {
	if err := e.ready(ctx); err != nil {
		return nil, err
	}
	if e.gradient == nil {
		e.gradient = make([]float32, e.layout.Size())
	}
	_, err := e.call(ctx, request{Op: opGradient}, nil, func(_, at int, window []float32) { copy(e.gradient[at:], window) })
	return e.gradient, err
}

// ClearGradient makes the gradient zero.
func (e *Client) ClearGradient(ctx context.Context) error {
	_, err := e.call(ctx, request{Op: opClear}, nil, nil)
	return err
}

// Step takes a local step.
func (e *Client) Step(ctx context.Context, o engine.AdamW) (norm float64, err error) {
	e.moments = [2][]float32{} // those that a save has read: the next one is some time away
	r, err := e.call(ctx, request{Op: opStep, AdamW: o}, nil, nil)
	return r.Norm, err
}

// Moments copies the optimizer's state from the child's engine.
func (e *Client) Moments(ctx context.Context) (engine.Moments, error) {
	r, err := e.call(ctx, request{Op: opMoments}, nil, func(which, at int, window []float32) {
		if e.moments[which] == nil {
			e.moments[which] = make([]float32, e.layout.Size())
		}
		copy(e.moments[which][at:], window)
	})
	if err != nil || r.Steps == 0 {
		return engine.Moments{}, err
	}
	return engine.Moments{Steps: r.Steps, Tensors: []engine.Tensor{
		{Name: engine.FirstMoment, Values: e.moments[0]}, {Name: engine.SecondMoment, Values: e.moments[1]},
	}}, nil
}

// Restore copies moments to the child's engine.
func (e *Client) Restore(ctx context.Context, m engine.Moments) error {
	if err := e.ready(ctx); err != nil {
		return err
	}
	if err := m.Check(e.layout.Size()); err != nil {
		return err
	}
	e.moments = [2][]float32{}
	_, err := e.call(ctx, request{Op: opRestore, Steps: m.Steps}, func(which, at int, window []float32) {
		copy(window, m.Tensors[which].Values[at:])
	}, nil)
	return err
}

// Try takes a trial step in the child's engine.
func (e *Client) Try(ctx context.Context, step engine.Step) (undo func(context.Context) error, err error) {
	return e.try(ctx, request{Op: opTry}, func(_, at int, window []float32) { step(window, at) })
}

// TrySent has the child's engine decode a trial step.
func (e *Client) TrySent(ctx context.Context, s engine.Sent) (undo func(context.Context) error, err error) {
	if err := s.Check(e.layout); err != nil {
		return nil, err
	}
	chosen := s.Chosen
	s.Chosen = engine.Chosen{}
	return e.try(ctx, request{Op: opTrySent, Sent: s}, func(which, at int, window []float32) {
		if which == values {
			copy(window, chosen.Value[at:])
			return
		}
		for i := range window {
			window[i] = float32(chosen.Index[at+i])
		}
	})
}

func (e *Client) try(ctx context.Context, r request, fill func(which, at int, window []float32)) (undo func(context.Context) error, err error) {
	number := e.trials + 1
	r.Trial = number
	if _, err := e.call(ctx, r, fill, nil); err != nil {
		return nil, err
	}
	e.trials, e.stands = number, number
	return func(ctx context.Context) error {
		if e.closed || e.stands != number {
			return nil
		}
		_, err := e.call(ctx, request{Op: opUndo, Trial: number}, nil, nil)
		if err == nil {
			e.stands = 0
		}
		return err
	}, nil
}

// Compressor is the child's.
func (e *Client) Compressor() engine.Compressor { return e }

// Begin has the child's engine prepare.
func (e *Client) Begin(ctx context.Context, c engine.Compression) error {
	if err := c.Check(e.layout); err != nil {
		return err
	}
	if _, err := e.call(ctx, request{Op: opBegin, Compression: c}, nil, nil); err != nil {
		return err
	}
	n := 0
	for _, kept := range c.Kept(e.layout) {
		n += kept
	}
	if len(e.chosen.Index) != n {
		e.chosen = engine.Chosen{Index: make([]uint16, n), Value: make([]float32, n)}
	}
	e.kept = 0
	return nil
}

// Compress copies what the child's engine chooses.
func (e *Client) Compress(ctx context.Context, decay, scale float32) (engine.Chosen, error) {
	_, err := e.call(ctx, request{Op: opCompress, Decay: decay, Scale: scale}, nil, func(which, at int, window []float32) {
		if which == values {
			copy(e.chosen.Value[at:], window)
			return
		}
		for i, v := range window {
			e.chosen.Index[at+i] = uint16(v)
		}
	})
	if err != nil {
		return engine.Chosen{}, err
	}
	e.kept = len(e.chosen.Value)
	return e.chosen, nil
}

// Subtract copies values to the child's engine.
func (e *Client) Subtract(ctx context.Context, values []float32) error {
	if err := e.ready(ctx); err != nil {
		return err
	}
	if e.kept == 0 {
		return engine.ErrNothingChosen
	}
	if len(values) != e.kept {
		return fmt.Errorf("subtract: %d values at %d places", len(values), e.kept)
	}
	e.kept = 0
	_, err := e.call(ctx, request{Op: opSubtract}, func(_, at int, window []float32) { copy(window, values[at:]) }, nil)
	return err
}

// Buffer copies the buffer from the child's engine.
func (e *Client) Buffer(ctx context.Context, dst []float32) error {
	if len(dst) != e.layout.Size() {
		return fmt.Errorf("read the buffer: %d places for %d", len(dst), e.layout.Size())
	}
	_, err := e.call(ctx, request{Op: opBuffer}, nil, func(_, at int, window []float32) { copy(dst[at:], window) })
	return err
}

// SetBuffer copies a buffer to the child's engine.
func (e *Client) SetBuffer(ctx context.Context, src []float32) error {
	if len(src) != e.layout.Size() {
		return fmt.Errorf("set the buffer: %d values for %d", len(src), e.layout.Size())
	}
	e.kept = 0
	_, err := e.call(ctx, request{Op: opSetBuffer}, func(_, at int, window []float32) { copy(window, src[at:]) }, nil)
	return err
}

// Usage is the child's, as of its last answer.
func (e *Client) Usage() engine.Usage {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.usage
}

// Close ends the child.
func (e *Client) Close() error {
	if e.closed {
		return nil
	}
	var err error
	if e.lost == nil {
		e.command.Limit = closing
		_, err = e.call(context.Background(), request{Op: opClose}, nil, nil)
		if e.lost != nil {
			err = nil // it was to end
		}
	}
	e.closed = true
	err = errors.Join(err, e.requests.Close())
	kill := time.AfterFunc(closing, e.kill)
	<-e.exited
	kill.Stop()
	return errors.Join(err, e.answers.Close(), unmap(e.window))
}

// tail keeps the last lines that the child wrote before Go's runtime reports its end, which takes
// pages, and logs all of them.
type tail struct {
	log    *slog.Logger
	mu     sync.Mutex
	part   []byte
	last   []string
	report bool // the runtime reports
}

// dying begin the runtime's report of a signal or a fault.
var dying = []string{"SIG", "fatal error:", "panic:", "unexpected fault"}

// lines is how many are kept, and lineBytes how much of each.
const (
	lines     = 12
	lineBytes = 400
)

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.part = append(t.part, b...)
	for {
		line, rest, whole := bytes.Cut(t.part, []byte("\n"))
		if !whole {
			t.part = t.part[:min(len(t.part), 1<<16)]
			return len(b), nil
		}
		t.add(string(line))
		t.part = append([]byte(nil), rest...)
	}
}

func (t *tail) add(line string) {
	line = strings.ToValidUTF8(strings.TrimSpace(line), "?")
	if line == "" {
		return
	}
	if len(line) > lineBytes {
		line = line[:lineBytes] + "..."
	}
	t.log.Debug("engine process: " + line)
	if t.report {
		return
	}
	t.report = slices.ContainsFunc(dying, func(prefix string) bool { return strings.HasPrefix(line, prefix) })
	t.last = append(t.last, line)
	if len(t.last) > lines {
		t.last = t.last[1:]
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.part) > 0 {
		t.add(string(t.part))
		t.part = nil
	}
	return strings.Join(t.last, "\n")
}
