package localnet

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/mem"
)

// About one request in ten meets a fault, and asking again gets over it.
func TestChaosDisturbs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calm := Options{}
		if calm.chaos(clock.Wall{}) != nil {
			t.Error("faults without --chaos")
		}
		files := mem.New(time.Now)
		if err := files.CreateBucket("bucket"); err != nil {
			t.Fatal(err)
		}
		if err := files.AddKeys(store.Key{AccessKey: "owner", Secret: "owner", Admin: true}); err != nil {
			t.Fatal(err)
		}
		plain, err := files.Dial(store.Location{Bucket: "bucket", AccessKey: "owner", Secret: "owner"})
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Chaos: true, Seed: 3}
		disturbed := o.chaos(clock.Wall{})(plain)
		patient := store.Retry(disturbed, store.RetryPolicy{}, clock.Wall{})
		failed, body := 0, []byte("body")
		for i := range 500 {
			key := fmt.Sprint("key-", i)
			if _, err := disturbed.Put(t.Context(), key, bytes.NewReader(body), int64(len(body)), store.PutOptions{}); err != nil {
				failed++
			}
			if _, err := patient.Put(t.Context(), key, bytes.NewReader(body), int64(len(body)), store.PutOptions{}); err != nil {
				t.Errorf("put %s: %v", key, err)
			}
		}
		if failed < 10 || failed > 50 {
			t.Errorf("%d of 500 requests failed", failed)
		}
	})
}

// A network under faults keeps the promise.
func TestChaosNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some windows of wall time")
	}
	for _, preset := range []string{"tiny", "tiny-loco"} { // one of each method
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			chaosNetwork(t, preset)
		})
	}
}

func chaosNetwork(t *testing.T, preset string) {
	makeOptions := func() Options {
		o := options(t, 3)
		o.Preset, o.Miners, o.Chaos = preset, 2, true
		o.JSON = filepath.Join(t.TempDir(), "report.json")
		return o
	}
	inTime(t, makeOptions, func(o Options) (err error) {
		for _, w := range checkStates(t, o).Windows {
			if len(w.StateHash) != 4 {
				err = errors.Join(err, fmt.Errorf("window %d: %d nodes reported their state", w.Window, len(w.StateHash)))
			}
		}
		return err
	})
}
