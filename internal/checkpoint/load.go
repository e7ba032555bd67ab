package checkpoint

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"templar/internal/clock"
	"templar/internal/model"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/store/transfer"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

// Load reads and verifies the checkpoint before window next that owner signed, but not its private
// state.
func Load(ctx context.Context, r store.Reader, run run.Run, next protocol.Window, owner protocol.Hotkey) (State, error) {
	f, err := open(ctx, folder{reader: r, run: run, next: next, owner: owner})
	if err != nil {
		return State{}, err
	}
	return f.state(ctx)
}

// LoadOwn is Load with the private state: it is for a node's own directory.
func LoadOwn(ctx context.Context, r store.Reader, run run.Run, next protocol.Window, owner protocol.Hotkey) (State, error) {
	f, err := open(ctx, folder{reader: r, run: run, next: next, owner: owner})
	if err != nil {
		return State{}, err
	}
	s, err := f.state(ctx)
	if err != nil {
		return State{}, err
	}
	s.Private, err = f.private(ctx)
	return s, err
}

// folder is a checkpoint whose manifest has been checked.
type folder struct {
	reader store.Reader
	run    run.Run
	next   protocol.Window
	owner  protocol.Hotkey

	scratch string // folder for downloads; empty for none
	clock   clock.Clock

	manifest Manifest
}

func (f *folder) prefix() string { return protocol.CheckpointPrefix(f.next) }

func (f *folder) fault(err error) error { return fmt.Errorf("%s: %w", f.prefix(), err) }

// open reads a checkpoint's manifest.
func open(ctx context.Context, f folder) (folder, error) {
	if err := f.readManifest(ctx); err != nil {
		return f, f.fault(fmt.Errorf("%s: %w", manifestName, err))
	}
	return f, nil
}

func (f *folder) readManifest(ctx context.Context) error {
	b, err := get(ctx, f.reader, f.prefix()+manifestName, maxManifest)
	if err != nil {
		return err
	}
	by, err := wire.Open(Domain, b, &f.manifest)
	if err == nil && by != f.owner {
		err = fmt.Errorf("signed by %s, not by %s", by, f.owner)
	}
	if err != nil {
		return err
	}
	return f.check()
}

func get(ctx context.Context, r store.Reader, key string, limit int64) ([]byte, error) {
	body, _, err := r.Get(ctx, key, limit)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, limit))
}

// names are what the files of a checkpoint may be called: the first group is what a file
// of values holds.
var names = regexp.MustCompile(`^(?:(model|private\.[a-z0-9_.]{1,32})(?:-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json|config\.json)$`)

// check checks a manifest against the run and the limits of what is read.
func (f *folder) check() error {
	m := &f.manifest
	if m.Run != f.run.Hash || m.Next != f.next || m.Next < m.Start || m.Step != f.run.Params.Step(m.Start, m.Next) {
		return errors.New("it is another run's or another window's")
	}
	if m.Method != f.run.Method.Name {
		return fmt.Errorf("it is of method %q, the run's is %s", m.Method, f.run.Method.Name)
	}
	if err := checkPrivate(m.Private); err != nil {
		return err
	}
	sizes := make(map[string]int64)
	for i, file := range m.Files {
		kind := names.FindStringSubmatch(file.Name)
		if kind == nil || (i > 0 && file.Name <= m.Files[i-1].Name) {
			return fmt.Errorf("file %q: not a file of a checkpoint, or out of order", file.Name)
		}
		if file.Size < 0 {
			return fmt.Errorf("file %q has %d bytes", file.Name, file.Size)
		}
		if sizes[kind[1]] += file.Size; sizes[kind[1]] < 0 || sizes[kind[1]] > 4*int64(f.run.Space.Size())+maxHeader {
			return errors.New("its files are larger than the model")
		}
	}
	return nil
}

// state reads the parameters and verifies them.
func (f *folder) state(ctx context.Context) (State, error) {
	m := &f.manifest
	params, err := f.values(ctx, modelStem)
	if err != nil {
		return State{}, f.fault(err)
	}
	if params == nil {
		return State{}, f.fault(errors.New("it holds no model"))
	}
	if got := f.run.Space.Hash(params); got != m.StateHash {
		return State{}, f.fault(fmt.Errorf("state hash is %s, its manifest says %s", got.Short(), m.StateHash.Short()))
	}
	return State{Start: m.Start, Next: m.Next, Previous: m.Previous, Term: m.Term, Params: params}, nil
}

// checkPrivate checks the manifest's private state against the limits of methods.
func checkPrivate(tensors []Tensor) error {
	if len(tensors) > method.MaxTensors {
		return fmt.Errorf("private state of %d tensors, at most %d", len(tensors), method.MaxTensors)
	}
	for i, t := range tensors {
		switch {
		case !method.ValidTensorName(t.Name):
			return fmt.Errorf("%q is not a valid tensor name", t.Name)
		case slices.ContainsFunc(tensors[:i], func(o Tensor) bool { return o.Name == t.Name }):
			return fmt.Errorf("two tensors are named %s", t.Name)
		case t.Vector && t.Scalar != 0:
			return fmt.Errorf("tensor %s is both a vector and a number", t.Name)
		}
	}
	return nil
}

// private reads a miner's private state; nil when the checkpoint holds none.
func (f *folder) private(ctx context.Context) (out []method.Tensor, err error) {
	for _, t := range f.manifest.Private {
		tensor := method.Tensor{Name: t.Name, Scalar: t.Scalar}
		if t.Vector {
			if tensor.Values, err = f.values(ctx, privateStem+t.Name); err == nil && tensor.Values == nil {
				err = fmt.Errorf("it has no file of %s", t.Name)
			}
			if err != nil {
				return nil, f.fault(err)
			}
		}
		out = append(out, tensor)
	}
	return out, nil
}

// values reads the files of one kind; nil when there are none.
func (f *folder) values(ctx context.Context, stem string) ([]float32, error) {
	loader, found := model.NewLoader(f.run.Space.Layout()), false
	for _, file := range f.manifest.Files {
		if names.FindStringSubmatch(file.Name)[1] != stem {
			continue
		}
		found = true
		if err := f.add(ctx, loader, file); err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name, err)
		}
	}
	if !found {
		return nil, nil
	}
	return loader.Values()
}

var errDamaged = errors.New("damaged: size or SHA-256 does not match the manifest")

// add reads one file into a loader, hashing it on the way.
func (f *folder) add(ctx context.Context, l *model.Loader, file File) error {
	body, err := f.body(ctx, file)
	if errors.Is(err, store.ErrTooLarge) {
		err = errors.Join(errDamaged, err)
	}
	if err != nil {
		return err
	}
	defer body.Close()
	h := sha256.New()
	r := io.TeeReader(io.LimitReader(body, file.Size), h)
	err = l.Add(r, file.Size)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || (err == nil && protocol.Hash(h.Sum(nil)) != file.SHA256) {
		err = errors.Join(errDamaged, err)
	}
	return err
}

// body opens a file: straight from the store, or, with a folder for downloads, from there,
// where an interrupted download continues.
func (f *folder) body(ctx context.Context, file File) (io.ReadCloser, error) {
	if f.scratch == "" {
		body, _, err := f.reader.Get(ctx, f.prefix()+file.Name, file.Size)
		return body, err
	}
	path := filepath.Join(f.scratch, fmt.Sprintf("%s-%d-%s", f.owner, f.next, file.Name))
	if info, err := os.Stat(path); err == nil && info.Size() == file.Size { // downloaded before
		return os.Open(path)
	}
	if err := os.MkdirAll(f.scratch, 0o700); err != nil {
		return nil, err
	}
	_, err := transfer.Download(ctx, f.reader, f.prefix()+file.Name, path, transfer.Options{
		SHA256: (*[32]byte)(&file.SHA256), Limit: max(file.Size, 1), Clock: f.clock,
	})
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}
