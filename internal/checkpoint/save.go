package checkpoint

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"templar/internal/model"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/internal/store/transfer"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

// ShardBytes is the size above which Save splits a model: a slow link transfers it in minutes, and
// it is far below the object size limit of any store.
const ShardBytes = 512 << 20

const (
	// unfinishedName lists the large files that an unfinished Save has stored; the next Save
	// continues from there.
	unfinishedName   = "unfinished.json"
	unfinishedDomain = "templar unfinished checkpoint"
)

// Options say how a checkpoint is written.
type Options struct {
	ShardBytes int64 // the most in one file; zero means ShardBytes
	// Large is the size from which a file is sent in parts and not sent again when Save
	// was interrupted; zero means transfer.DefaultThreshold.
	Large int64
	// Final is the window up to which states are final: the newest checkpoint that is not after it
	// stays, beside the last three. Zero: there is none.
	Final protocol.Window
}

// Saver writes a node's checkpoints.
type Saver struct {
	Run      run.Run
	Schedule schedule.Schedule
	Signer   protocol.Signer
	Log      *slog.Logger
}

// Save writes s into b and returns its folder and size. The last three checkpoints up to
// this one stay in b; older ones, and the files of an interrupted Save, are removed. A failure to
// remove them is logged and is not an error.
func (c Saver) Save(ctx context.Context, b store.Bucket, s State) (prefix string, size int64, err error) {
	return c.SaveWith(ctx, b, s, Options{})
}

// SaveWith is Save with options.
func (c Saver) SaveWith(ctx context.Context, b store.Bucket, s State, o Options) (prefix string, size int64, err error) {
	saving, err := c.Begin(ctx, b, s, o)
	if err != nil {
		return "", 0, err
	}
	return saving.Finish(ctx)
}

// Saving is a Save of which only what a miner's training changes has been written.
type Saving struct {
	saver    Saver
	bucket   store.Bucket
	prefix   string
	manifest Manifest
	rest     []model.Part // to be written
	hash     func() protocol.Hash
	large    int64
	final    protocol.Window
}

// Begin writes what is volatile in a state, and returns what Finish writes: the parameters and the
// other tensors, which must not change until then. Finish may run while the miner trains.
func (c Saver) Begin(ctx context.Context, b store.Bucket, s State, o Options) (_ *Saving, err error) {
	prefix := protocol.CheckpointPrefix(s.Next)
	o.ShardBytes, o.Large = cmp.Or(o.ShardBytes, ShardBytes), cmp.Or(o.Large, transfer.DefaultThreshold)
	defer func() {
		if err != nil {
			err = fmt.Errorf("save %s: %w", prefix, err)
		}
	}()
	p := &Saving{saver: c, bucket: b, prefix: prefix, large: o.Large, final: o.Final, hash: s.Hash}
	if p.hash == nil {
		p.hash = func() protocol.Hash { return c.Run.Space.Hash(s.Params) }
	}
	parts, err := c.parts(s, o.ShardBytes)
	if err != nil {
		return nil, err
	}
	var volatile []model.Part
	for _, part := range parts {
		if slices.ContainsFunc(s.Private, func(t method.Tensor) bool { return t.Volatile && holds(part.Name, t.Name) }) {
			volatile = append(volatile, part)
		} else {
			p.rest = append(p.rest, part)
		}
	}
	if p.manifest, err = c.manifest(ctx, s); err != nil {
		return nil, err
	}
	// A restarted node may save a window again with another private state: meanwhile the folder
	// must not be taken for the old checkpoint.
	if err := b.Delete(ctx, prefix+manifestName); err != nil {
		return nil, err
	}
	p.manifest.Files, err = c.send(ctx, b, prefix, volatile, nil, p.large)
	return p, err
}

// holds reports whether a file holds a tensor of the private state.
func holds(file, tensor string) bool {
	kind := names.FindStringSubmatch(file)
	return kind != nil && kind[1] == privateStem+tensor
}

// Finish writes the rest, and the manifest last.
func (p *Saving) Finish(ctx context.Context) (prefix string, size int64, err error) {
	if size, err = p.finish(ctx); err != nil {
		return "", 0, fmt.Errorf("save %s: %w", p.prefix, err)
	}
	if err := prune(ctx, p.bucket, p.manifest.Next, p.final); err != nil {
		p.saver.Log.Warn("old checkpoints not removed", "err", err)
	}
	return p.prefix, size, nil
}

func (p *Saving) finish(ctx context.Context) (size int64, err error) {
	m := &p.manifest
	if m.Files, err = p.saver.send(ctx, p.bucket, p.prefix, p.rest, m.Files, p.large); err != nil {
		return 0, err
	}
	m.StateHash = p.hash()
	slices.SortFunc(m.Files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	sealed, err := wire.Seal(Domain, *m, p.saver.Signer)
	if err != nil {
		return 0, err
	}
	return complete(ctx, p.bucket, p.prefix, m.Files, sealed)
}

// complete makes a folder whose files are there a checkpoint, and returns its size.
func complete(ctx context.Context, b store.Bucket, prefix string, files []File, sealed []byte) (size int64, err error) {
	if err := put(ctx, b, prefix+manifestName, sealed); err != nil {
		return 0, err
	}
	for _, f := range files {
		size += f.Size
	}
	return size + int64(len(sealed)), b.Delete(ctx, prefix+unfinishedName)
}

func put(ctx context.Context, b store.Bucket, key string, body []byte) error {
	_, err := b.Put(ctx, key, bytes.NewReader(body), int64(len(body)), store.PutOptions{})
	return err
}

// parts are the files of a state, ascending by name.
func (c Saver) parts(s State, shardBytes int64) ([]model.Part, error) {
	parts, err := model.Parts(c.Run.Params.Model, s.Params, shardBytes)
	if err != nil {
		return nil, err
	}
	for _, t := range s.Private {
		if t.Values == nil {
			continue
		}
		vector, err := model.Weights(privateStem+t.Name, c.Run.Space.Layout(), t.Values, shardBytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Name, err)
		}
		parts = append(parts, vector...)
	}
	slices.SortFunc(parts, func(a, b model.Part) int { return cmp.Compare(a.Name, b.Name) })
	return parts, nil
}

// manifest is the manifest of s but for the files and the state's hash.
func (c Saver) manifest(ctx context.Context, s State) (Manifest, error) {
	current, err := c.Schedule.CurrentWindow(ctx)
	if err != nil {
		return Manifest{}, err
	}
	step := c.Run.Params.Step(s.Start, s.Next)
	m := Manifest{
		Run: c.Run.Hash, Start: s.Start, Current: current, Next: s.Next, Step: step, Previous: s.Previous, Term: s.Term,
		Method: c.Run.Method.Name, Rate: c.Run.Method.Rate(step),
	}
	for _, t := range s.Private {
		m.Private = append(m.Private, Tensor{Name: t.Name, Vector: t.Values != nil, Scalar: t.Scalar})
	}
	return m, checkPrivate(m.Private)
}

// send uploads the files that an interrupted Save of the same content has not, and adds them to
// those that were sent before.
func (c Saver) send(ctx context.Context, b store.Bucket, prefix string, parts []model.Part, files []File, large int64) ([]File, error) {
	var earlier []File
	if sealed, err := get(ctx, b, prefix+unfinishedName, maxManifest); err == nil {
		if by, err := wire.Open(unfinishedDomain, sealed, &earlier); err != nil || by != c.Signer.Hotkey() {
			earlier = nil
		}
	}
	for _, p := range parts {
		sum, err := hash(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		f := File{Name: p.Name, Size: p.Size, SHA256: sum}
		files = append(files, f)
		if slices.Contains(earlier, f) && stored(ctx, b, prefix, f) {
			continue
		}
		if _, err := transfer.Upload(ctx, b, prefix+p.Name, p, p.Size, transfer.Options{Threshold: large, Clock: c.Schedule.Clock}); err != nil {
			return nil, err
		}
		if p.Size < large {
			continue // sending it again is as fast as recording it
		}
		sealed, err := wire.Seal(unfinishedDomain, files, c.Signer)
		if err == nil {
			err = put(ctx, b, prefix+unfinishedName, sealed)
		}
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func stored(ctx context.Context, b store.Bucket, prefix string, f File) bool {
	info, err := b.Head(ctx, prefix+f.Name)
	return err == nil && info.Size == f.Size
}

func hash(p model.Part) (protocol.Hash, error) {
	h := sha256.New()
	_, err := io.Copy(h, io.NewSectionReader(p, 0, p.Size))
	return protocol.Hash(h.Sum(nil)), err
}

// prune removes obsolete checkpoints: complete ones before the last three up to next, and unfinished
// ones. Those after next belong to another run, or to a state that this node has abandoned.
func prune(ctx context.Context, b store.Bucket, next, final protocol.Window) error {
	all, err := folders(ctx, b)
	if err != nil {
		return err
	}
	var done []protocol.Window
	for w, folder := range all {
		if w <= next && w != Imported && isComplete(folder) {
			done = append(done, w)
		}
	}
	slices.Sort(done)
	kept := slices.Clone(done[max(0, len(done)-Kept):])
	if i, found := slices.BinarySearch(done, final); found {
		kept = append(kept, final)
	} else if i > 0 {
		kept = append(kept, done[i-1])
	}
	var errs []error
	for _, w := range slices.Sorted(maps.Keys(all)) { // the oldest first, in case the node stops meanwhile
		if w == Imported || (w > next && isComplete(all[w])) || slices.Contains(kept, w) {
			continue
		}
		errs = append(errs, remove(ctx, b, w, all[w]))
	}
	uploads, err := b.Uploads(ctx, folderPrefix) // of checkpoints that will not be finished
	errs = append(errs, err)
	for _, u := range uploads {
		errs = append(errs, b.AbortUpload(ctx, u))
	}
	return errors.Join(errs...)
}

// remove deletes a folder, its manifest first: a partial folder must not be taken for a checkpoint.
func remove(ctx context.Context, b store.Bucket, w protocol.Window, folder []string) error {
	if err := b.Delete(ctx, protocol.CheckpointPrefix(w)+manifestName); err != nil {
		return err
	}
	var errs []error
	for _, key := range folder {
		errs = append(errs, b.Delete(ctx, key))
	}
	return errors.Join(errs...)
}
