package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"templar/internal/clock"
	"templar/internal/model"
	"templar/internal/run"
	"templar/internal/store"
	"templar/protocol"
)

// Imported is the window of the checkpoint that holds an imported theta_0. The start window of the
// run is not part of its name: it is announced when the checkpoint is complete, however long that took.
const Imported = protocol.Window(0)

// Theta0 returns the parameters before the run's first window, which have the hash want. They are
// drawn from the run's seed; if that gives others, they are an imported model, and read from the
// checkpoint Imported of a validator, highest stake first. An interrupted download goes on from
// where it was.
func (f Finder) Theta0(ctx context.Context, want protocol.Hash) ([]float32, error) {
	params := model.Init(f.Run.Params.Model, f.Run.Params.Seed)
	got := f.Run.Space.Hash(params)
	if got == want {
		return params, nil
	}
	if stated := f.Run.Params.Theta0; stated != want {
		return nil, fmt.Errorf("theta_0 was announced as %s, which is not the run's: the seed draws %s", want.Short(), got.Short())
	}
	params = nil // free them before others are read
	for _, p := range f.places() {
		p.next = Imported
		params, err := f.imported(ctx, p, want)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil {
			f.Log.Info("theta_0 read", "from", p.name)
			return params, nil
		}
		f.Log.Warn("theta_0 cannot be read", "from", p.name, "err", err)
	}
	return nil, fmt.Errorf("%w: theta_0 %s is an imported model, and no validator's bucket has it", ErrNone, want.Short())
}

// LoadTheta0 reads the imported theta_0 of a run from a model's folder, and refuses any other model.
func LoadTheta0(r run.Run, folder string) ([]float32, error) {
	m, params, err := model.Load(folder)
	if err != nil {
		return nil, err
	}
	if m.InitStd = r.Params.Model.InitStd; m != r.Params.Model {
		return nil, fmt.Errorf("theta_0: the model in %s has another shape than the run's", folder)
	}
	if got := r.Space.Hash(params); got != r.Params.Theta0 {
		return nil, fmt.Errorf("theta_0: the model in %s has the state hash %s; the run parameters state %s", folder, got, r.Params.Theta0)
	}
	return params, nil
}

// ServeTheta0 stores an imported theta_0 in a validator's bucket, unless it is there. An interrupted upload goes on from
// where it was. uploading is called before the first byte.
func (s Saver) ServeTheta0(ctx context.Context, b store.Bucket, folder string, uploading func()) error {
	have, err := Windows(ctx, b)
	if err != nil || slices.Contains(have, Imported) {
		return err
	}
	params, err := LoadTheta0(s.Run, folder)
	if err != nil {
		return err
	}
	uploading()
	_, size, err := s.Save(ctx, b, State{Params: params})
	if err == nil {
		s.Log.Info("theta_0 stored", "bytes", size)
	}
	return err
}

// HashOfTheta0 is the state hash of a run's theta_0. It draws all parameters, unless the run states it.
func HashOfTheta0(r run.Run) protocol.Hash {
	if h := r.Params.Theta0; !h.IsZero() {
		return h
	}
	return r.Space.Hash(model.Init(r.Params.Model, r.Params.Seed))
}

func (f Finder) imported(ctx context.Context, p place, want protocol.Hash) ([]float32, error) {
	ctx, cancel := clock.WithTimeout(ctx, f.Schedule.Clock, Patience(f.Run))
	defer cancel()
	c, err := f.open(ctx, p)
	if err != nil {
		return nil, err
	}
	if c.manifest.StateHash != want { // before gigabytes are fetched
		return nil, errors.New("it is another model")
	}
	s, err := c.state(ctx)
	return s.Params, err
}
