package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"templar/internal/model"
	"templar/internal/store"
	"templar/internal/store/transfer"
	"templar/protocol"
)

// Copy puts the checkpoint of a window, which the node has saved in its own directory, into its bucket,
// as Save would: the state may change meanwhile. A Copy that was interrupted goes on where it stopped.
func (c Saver) Copy(ctx context.Context, from store.Reader, to store.Bucket, next protocol.Window) (prefix string, size int64, err error) {
	prefix = protocol.CheckpointPrefix(next)
	if size, err = c.copy(ctx, from, to, prefix, next); err != nil {
		return "", 0, fmt.Errorf("publish %s: %w", prefix, err)
	}
	if err := prune(ctx, to, next, 0); err != nil {
		c.Log.Warn("old checkpoints not removed", "err", err)
	}
	return prefix, size, nil
}

func (c Saver) copy(ctx context.Context, from store.Reader, to store.Bucket, prefix string, next protocol.Window) (int64, error) {
	sealed, err := get(ctx, from, prefix+manifestName, maxManifest)
	if err != nil {
		return 0, err
	}
	f, err := open(ctx, folder{reader: from, run: c.Run, next: next, owner: c.Signer.Hotkey()})
	if err != nil {
		return 0, err
	}
	m := &f.manifest
	if len(m.Private) > 0 {
		return 0, errors.New("it holds private state, which others must not read")
	}
	var parts []model.Part
	for _, f := range m.Files {
		parts = append(parts, model.Part{Name: f.Name, Size: f.Size, ReaderAt: objectReader{ctx, from, prefix + f.Name}})
	}
	if err := to.Delete(ctx, prefix+manifestName); err != nil {
		return 0, err
	}
	files, err := c.send(ctx, to, prefix, parts, nil, transfer.DefaultThreshold)
	if err != nil {
		return 0, err
	}
	if !slices.Equal(files, m.Files) {
		return 0, errors.New("the files in the own directory are not those that were saved")
	}
	return complete(ctx, to, prefix, m.Files, sealed)
}

// Discard removes the checkpoints up to a window from a node's own directory.
func Discard(ctx context.Context, b store.Bucket, next protocol.Window) error {
	all, err := folders(ctx, b)
	if err != nil {
		return err
	}
	var errs []error
	for _, w := range slices.Sorted(maps.Keys(all)) {
		if w <= next {
			errs = append(errs, remove(ctx, b, w, all[w]))
		}
	}
	return errors.Join(errs...)
}

// objectReader reads an object at any place.
type objectReader struct {
	ctx context.Context
	store.Reader
	key string
}

// ReadAt reads the part of the object from off on.
func (r objectReader) ReadAt(p []byte, off int64) (int, error) {
	body, err := r.GetRange(r.ctx, r.key, off, int64(len(p)), "")
	if err != nil {
		return 0, err
	}
	defer body.Close()
	return io.ReadFull(body, p)
}
