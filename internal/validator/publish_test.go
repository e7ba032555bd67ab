package validator_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"templar/internal/checkpoint"
	"templar/internal/clock"
	"templar/internal/harness/testnet"
	"templar/internal/parts"
	"templar/internal/store"
	"templar/internal/telemetry"
)

// slowLink takes its time for each file of a checkpoint, from some time on.
type slowLink struct {
	store.Bucket
	perFile, from time.Duration
}

func (s slowLink) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if strings.HasPrefix(key, "checkpoint-") && (clock.Wall{}).Now().After(start.Add(s.from)) {
		if err := (clock.Wall{}).Sleep(ctx, s.perFile); err != nil {
			return store.Info{}, err
		}
	}
	return s.Bucket.Put(ctx, key, body, size, o)
}

// start is where a bubble's time begins.
var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// A checkpoint whose upload takes windows costs a validator none: it is saved, published while the
// validator goes on, and removed from its disk.
func TestUploadOfCheckpointDoesNotBlock(t *testing.T) {
	const windows = 24
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
		v := net.Node("validator-0")
		v.Alter = func(p parts.Parts) parts.Parts {
			p.Own = slowLink{p.Own, 20 * time.Second, 2 * time.Minute} // three files: five windows
			return p
		}
		net.Start()
		net.RunWindows(windows)
		if strings.Contains(net.Logs(), "too far behind to evaluate") {
			t.Error("the validator fell behind")
		}
		scored := testnet.Of[telemetry.Scored](net, v.Name)
		for i := range windows - 4 {
			if _, ok := scored[net.Window(i)]; !ok {
				t.Errorf("window %d was not scored", net.Window(i))
			}
		}
		published := testnet.Of[telemetry.Checkpointed](net, v.Name)
		newest, err := checkpoint.Windows(net.Context(), net.Bucket(v.Name))
		if err != nil || len(published) < 2 || newest[0] < net.Window(windows-12) {
			t.Errorf("%d checkpoints published, the newest before %v, %v", len(published), newest, err)
		}
		if _, err := checkpoint.Load(net.Context(), net.Bucket(v.Name), net.Run, newest[0], v.Signer.Hotkey()); err != nil {
			t.Error(err)
		}
		if left, err := checkpoint.Windows(net.Context(), v.Local); err != nil || len(left) > 2 { // one is being published, one waits
			t.Errorf("left on the disk: %v, %v", left, err)
		}
	})
}
