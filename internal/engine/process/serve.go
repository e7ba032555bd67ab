package process

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// The child's files, behind standard input, output and error.
const (
	requestsFile = 3
	repliesFile  = 4
	windowFile   = 5
)

// Serve serves the engine that open makes, until the parent closes it or ends. It is the main
// function of a child.
func Serve(open Open) error {
	in, out := os.NewFile(requestsFile, "requests"), os.NewFile(repliesFile, "replies")
	if in == nil || out == nil {
		return errors.New("this program is started by templar, and does nothing else")
	}
	s := &server{out: gob.NewEncoder(out), work: make(chan request), answers: make(chan request), trials: map[int]func(context.Context) error{}}
	go s.read(gob.NewDecoder(in))
	for r := range s.work {
		answer := s.do(open, r)
		answer.Kind = done
		if s.engine != nil {
			answer.Usage = s.engine.Usage()
		}
		if err := s.send(answer); err != nil || r.Op == opClose {
			return err
		}
	}
	return nil
}

// server is the child's side.
type server struct {
	engine  Engine
	window  []float32
	index   []uint16 // places on their way
	trials  map[int]func(context.Context) error
	work    chan request // operations
	answers chan request // of the parent to need and have

	mu struct {
		sync.Mutex
		call   uint64 // the operation under way
		cancel context.CancelFunc
	}
	sending sync.Mutex
	out     *gob.Encoder
}

// read hands messages on. When the parent is gone, so is the child, also from within a plug-in.
func (s *server) read(in *gob.Decoder) {
	for {
		var r request
		if err := in.Decode(&r); err != nil {
			if errors.Is(err, io.EOF) {
				os.Exit(0)
			}
			fmt.Fprintln(os.Stderr, "read requests:", err)
			os.Exit(1)
		}
		switch r.Op {
		case opFilled, opTaken:
			s.answers <- r
		case opCancel:
			s.mu.Lock()
			if s.mu.call == r.Call && s.mu.cancel != nil {
				s.mu.cancel()
			}
			s.mu.Unlock()
		default:
			s.work <- r
		}
	}
}

func (s *server) send(r reply) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	return s.out.Encode(r)
}

// Say sends a line for the log.
func (s *server) Say(format string, args ...any) {
	s.send(reply{Kind: note, Text: fmt.Sprintf(format, args...)})
}

// Slow sends a line for the log, and gives what follows more time.
func (s *server) Slow(format string, args ...any) {
	s.send(reply{Kind: slow, Text: fmt.Sprintf(format, args...)})
}

// do does one operation.
func (s *server) do(open Open, r request) (out reply) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.mu.Lock()
	s.mu.call, s.mu.cancel = r.Call, cancel
	s.mu.Unlock()
	var err error
	switch r.Op {
	case opOpen:
		l := r.Model.Layout()
		if s.window, err = mapWindow(os.NewFile(windowFile, "window"), windowSize(l)); err == nil {
			s.engine, out.Text, err = open(r.Model, r.Settings, s)
		}
	case opLoad:
		err = s.engine.LoadFrom(ctx, s.source(0))
	case opParams:
		err = s.engine.ParamsTo(ctx, s.sink(0))
	case opLoss:
		out.Loss, err = s.engine.Loss(ctx, r.Batch)
	case opRowLosses:
		out.Rows, err = s.engine.RowLosses(ctx, r.Batch)
	case opAccumulate:
		out.Loss, err = s.engine.Accumulate(ctx, r.Batch, r.Scale)
	case opGradient:
		err = s.engine.GradientTo(ctx, s.sink(0))
	case opClear:
		err = s.engine.ClearGradient(ctx)
	case opStep:
		out.Norm, err = s.engine.Step(ctx, r.AdamW)
	case opMoments:
		out.Steps, err = s.engine.MomentsTo(ctx, s.sink(0), s.sink(1))
	case opRestore:
		err = s.engine.RestoreFrom(ctx, r.Steps, s.source(0), s.source(1))
	case opTry:
		var undo func(context.Context) error
		if undo, err = s.engine.TryFrom(ctx, s.source(0)); err == nil {
			s.trials[r.Trial] = undo
		}
	case opUndo:
		if undo, ok := s.trials[r.Trial]; ok {
			err = undo(ctx)
			delete(s.trials, r.Trial)
		}
	case opBegin:
		err = s.engine.Begin(ctx, r.Compression)
	case opCompress:
		err = s.engine.CompressTo(ctx, r.Decay, r.Scale, s.take)
	case opSubtract:
		err = s.engine.SubtractFrom(ctx, s.source(0))
	case opBuffer:
		err = s.engine.BufferTo(ctx, s.sink(0))
	case opSetBuffer:
		err = s.engine.SetBufferFrom(ctx, s.source(0))
	case opTrySent:
		var undo func(context.Context) error
		if undo, err = s.engine.TrySentFrom(ctx, r.Sent, s.source(values), s.source(places)); err == nil {
			s.trials[r.Trial] = undo
		}
	case opClose:
		if s.engine != nil {
			err = s.engine.Close()
			s.engine = nil
		}
	default:
		err = fmt.Errorf("operation %d is unknown", r.Op)
	}
	out.fail(err)
	return out
}

// source has the parent fill the window.
func (s *server) source(which int) Source {
	return func(at, n int) ([]float32, error) {
		if err := s.send(reply{Kind: need, Which: which, At: at, N: n}); err != nil {
			return nil, err
		}
		<-s.answers
		return s.window[:n], nil
	}
}

// sink has the parent read the window.
func (s *server) sink(which int) Sink {
	return func(at, n int, write func([]float32) error) error {
		if err := write(s.window[:n]); err != nil {
			return err
		}
		if err := s.send(reply{Kind: have, Which: which, At: at, N: n}); err != nil {
			return err
		}
		<-s.answers
		return nil
	}
}

// take has the parent read values, and then their places, which a float32 holds exactly.
func (s *server) take(at, n int, read func([]uint16, []float32) error) error {
	if len(s.index) < n {
		s.index = make([]uint16, n)
	}
	err := s.sink(values)(at, n, func(value []float32) error { return read(s.index[:n], value) })
	if err != nil {
		return err
	}
	return s.sink(places)(at, n, func(dst []float32) error {
		for i, at := range s.index[:n] {
			dst[i] = float32(at)
		}
		return nil
	})
}
