package transfer

import (
	"crypto/sha256"
	"path/filepath"
	"testing"
	"testing/synctest"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/fault"
)

// TestTransfersOverAFaultyStore: of all calls three in ten fail, half of these after they
// were carried out, and of the bodies that are read as many break off.
func TestTransfersOverAFaultyStore(t *testing.T) {
	calls := fault.Random(1, 0.3, fault.Fault{Err: fault.ErrReset}, fault.Fault{Err: fault.ErrReset, Persist: true})
	bodies := fault.Random(2, 0.3, fault.Fault{Damage: fault.Truncate, At: 1 << 20})
	synctest.Test(t, func(t *testing.T) {
		b := newTraffic(t)
		plan := func(op fault.Op) fault.Fault {
			if f := calls(op); f.Err != nil || op.Name != fault.Range {
				return f
			}
			return bodies(op)
		}
		flaky := store.Retry(fault.Wrap(b, clock.Wall{}, plan), store.RetryPolicy{Attempts: 20}, clock.Wall{})
		data := content(5*part + 1)
		sum := sha256.Sum256(data)
		o := small()
		o.SHA256, o.IfAbsent = &sum, true
		if _, err := upload1(t, flaky, data, o); err != nil {
			t.Fatal(err)
		}
		b.want(t, "key", data)
		wantNoGarbage(t, b)
		path := filepath.Join(t.TempDir(), "file")
		if _, err := download1(t, flaky, path, o); err != nil {
			t.Fatal(err)
		}
		wantFile(t, path, data)
	})
}
