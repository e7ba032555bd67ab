package adversary

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

// bucket is the cheater's own, which changes what the miner stores in it.
type bucket struct {
	store.Bucket
	cheater *cheater
	attack  attack
}

// Put stores what the attack makes of a gradient or of a sync sample, and the rest as it is.
func (b *bucket) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	raw, err := io.ReadAll(io.NewSectionReader(body, 0, size))
	if err != nil {
		return store.Info{}, err
	}
	if key, raw, err = b.alter(ctx, key, raw); err != nil {
		return store.Info{}, fmt.Errorf("%s: %w", b.attack.kind, err)
	}
	if raw == nil {
		return store.Info{Key: key, LastModified: b.cheater.Clock.Now().Truncate(time.Second)}, nil
	}
	return b.Bucket.Put(ctx, key, bytes.NewReader(raw), int64(len(raw)), o)
}

func (b *bucket) alter(ctx context.Context, key string, raw []byte) (string, []byte, error) {
	c := b.cheater
	w, _ := protocol.KeyWindow(key)
	me := wire.Expect{Run: c.Run.Hash, Window: w, UID: c.UID, Hotkey: c.Signer.Hotkey()}
	switch {
	case key == protocol.GradientKey(w, c.UID) && b.attack.gradient != nil:
		g, verdict := c.Run.Open(raw, c.key.last, me)
		if !verdict.OK() {
			return key, nil, fmt.Errorf("own gradient is %v", verdict)
		}
		out, err := b.attack.gradient(ctx, c, g)
		return protocol.GradientKey(g.Window, c.UID), out, err
	case key == protocol.RevealKey(w, c.UID) && b.attack.withholds:
		return key, nil, nil
	case key == protocol.SampleKey(w, c.UID) && b.attack.sample != nil:
		s, verdict := wire.DecodeSample(raw, me, c.Samples().Size())
		if !verdict.OK() {
			return key, nil, fmt.Errorf("own sample is %v", verdict)
		}
		if err := b.attack.sample(ctx, c, s); err != nil {
			return key, nil, err
		}
		out, err := wire.EncodeSample(s, c.Signer)
		return key, out, err
	}
	return key, raw, nil
}
