//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"templar/internal/attest"
	"templar/internal/checkpoint"
	"templar/internal/directory"
	"templar/internal/model"
	"templar/internal/parts"
	"templar/internal/store"
	"templar/protocol"
	"templar/state"
	"templar/wire"
)

// begins reports whether the role is one of before a run's first window.
func (s *spec) begins() bool { return s.imports() || s.Kind == "announce" || s.Kind == "join" }

// imports reports whether the run begins with an imported model.
func (s *spec) imports() bool { return s.Kind == "import" || s.Kind == "fetch" }

// folder is where the owner of a run has the model that is imported.
func (s *spec) folder() string { return filepath.Join(s.Dir, "model") }

// stateTheta0 puts the hash of an imported model into the run parameters. What prepares makes the model: it is one that the run's
// seed does not draw.
func (s *spec) stateTheta0(p *protocol.Params) error {
	if !s.imports() {
		return nil
	}
	note := filepath.Join(s.Dir, "theta_0")
	if s.What != "prepare" {
		text, err := os.ReadFile(note)
		if err != nil {
			return err
		}
		return p.Theta0.UnmarshalText(text)
	}
	params := model.Init(p.Model, p.Seed+1)
	if err := model.Save(s.folder(), p.Model, params); err != nil {
		return err
	}
	space, err := state.New(p.Model.Layout())
	if err != nil {
		return err
	}
	p.Theta0 = space.Hash(params)
	return os.WriteFile(note, []byte(p.Theta0.String()), 0o600)
}

// as are the parts of the run's validator, which reads others' buckets over the link of a rate, and through pass.
func (n *node) as(ctx context.Context, rate string, pass func(store.Bucket) store.Bucket) (x parts.Parts, err error) {
	x = n.parts
	x.Signer = n.site.Validator()
	if x.Own, err = n.site.Bucket("validator"); err != nil {
		return x, err
	}
	x.Directory = directory.New(x.Run.Params, n.site.Chain, dialer(func(l store.Location) (store.Bucket, error) {
		b, err := n.site.BucketAt(n.Endpoints[rate], l.Bucket)
		if err != nil {
			return nil, err
		}
		return pass(b), nil
	}))
	x.Docket = &attest.Docket{Samples: x.Samples(), Directory: x.Directory}
	return x, x.Directory.Refresh(ctx)
}

type dialer func(store.Location) (store.Bucket, error)

// Dial opens a bucket.
func (d dialer) Dial(l store.Location) (store.Bucket, error) { return d(l) }

func unchanged(b store.Bucket) store.Bucket { return b }

// announce is what the owner of a run does: theta_0 is drawn, or an imported model is stored, over the server's link, and its hash
// announced.
func (n *node) announce(ctx context.Context) error {
	x, err := n.as(ctx, n.Server, unchanged)
	if err != nil {
		return err
	}
	s := wire.StartWindow{Run: x.Run.Hash, StartWindow: start}
	if n.imports() {
		err = n.phase("store", n.vector, func() error { return x.Saver().ServeTheta0(ctx, x.Own, n.folder(), func() {}) })
		s.StateHash = x.Run.Params.Theta0
	} else {
		err = n.phase("theta_0", none, func() error { s.StateHash = checkpoint.HashOfTheta0(x.Run); return nil })
	}
	if err != nil {
		return err
	}
	return n.phase("post", none, func() error { return x.Board().PostStart(ctx, s) })
}

// vector is the size of theta_0.
func (n *node) vector() int64 { return 4 * int64(n.site.Run.Space.Size()) }

// join is what a miner does that joins: it reads the announcement over each link, and has the state of the stated hash, which it draws,
// or fetches over each link.
func (n *node) join(ctx context.Context) error {
	var announced wire.StartWindow
	for _, rate := range n.Rates {
		err := n.over("accept", rate, none, func() error {
			x, err := n.as(ctx, rate, unchanged)
			if err != nil {
				return err
			}
			board := x.Board()
			board.Local = nil // nothing is pinned yet
			announced, err = board.Start(ctx)
			return err
		})
		if err == nil && n.imports() {
			err = n.fetchTheta0(ctx, rate, announced)
		}
		if err != nil {
			return err
		}
	}
	if n.imports() {
		return nil
	}
	return n.phase("theta_0", none, func() error {
		x, err := n.as(ctx, n.Server, unchanged)
		if err != nil {
			return err
		}
		return restore(ctx, x, announced)
	})
}

// restore takes the state with which a node joins, and compares it with the announcement.
func restore(ctx context.Context, x parts.Parts, announced wire.StartWindow) error {
	s, err := x.Finder().Restore(ctx, announced, start)
	if err == nil && x.Run.Space.Hash(s.Params) != announced.StateHash {
		err = errors.New("the state does not have the hash that was announced")
	}
	return err
}

// fetchTheta0 is interrupted when half of the bytes have come, and goes on from there as a new process does.
func (n *node) fetchTheta0(ctx context.Context, rate string, announced wire.StartWindow) error {
	part := func(phase string, ctx context.Context, c *counted) error {
		return n.over(phase, rate, c.read.Load, func() error {
			x, err := n.as(ctx, rate, func(b store.Bucket) store.Bucket { return counting{b, c} })
			if err != nil {
				return err
			}
			x.Scratch = filepath.Join(n.Dir, "scratch")
			err = restore(ctx, x, announced)
			if c.stop == nil {
				return err
			}
			if !errors.Is(err, context.Canceled) {
				return fmt.Errorf("it was not interrupted: %w", err)
			}
			return nil
		})
	}
	half, stop := context.WithCancel(ctx)
	defer stop()
	if err := part("half", half, &counted{most: n.vector() / 2, stop: stop}); err != nil {
		return err
	}
	return part("rest", ctx, new(counted))
}

// counted are bytes that are read; after so many stop is called, unless it is nil.
type counted struct {
	read atomic.Int64
	most int64
	stop func()
}

// counting counts what is read of a bucket.
type counting struct {
	store.Bucket
	*counted
}

// GetRange is what downloads read with.
func (c counting) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	body, err := c.Bucket.GetRange(ctx, key, offset, n, etag)
	return countedBody{body, c.counted}, err
}

type countedBody struct {
	io.ReadCloser
	*counted
}

// Read counts.
func (b countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.read.Add(int64(n)) >= b.most && b.stop != nil {
		b.stop()
	}
	return n, err
}
