package validator_test

import (
	"strings"
	"testing"
	"time"

	"templar/internal/checkpoint"
	"templar/internal/harness/testnet"
	"templar/internal/model"
	"templar/internal/parts"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/state"
)

// A run whose theta_0 is an imported model is announced when that is in the bucket, however many windows the upload takes, for a
// window that is ahead then; and all begin with it.
func TestAnnouncedWhenReady(t *testing.T) {
	m := testnet.Params().Model
	theta, folder := model.Init(m, 77), t.TempDir() // not the one that the run's seed draws
	if err := model.Save(folder, m, theta); err != nil {
		t.Fatal(err)
	}
	space, err := state.New(m.Layout())
	if err != nil {
		t.Fatal(err)
	}
	want := space.Hash(theta)
	imported := func(p *protocol.Params) { p.Theta0 = want }
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 2, Params: imported}, func(net *testnet.Network) {
		lead := net.Node("validator-0")
		lead.Config.Theta0 = folder
		lead.Alter = func(p parts.Parts) parts.Parts {
			p.Own = slowLink{p.Own, 15 * time.Second, 0} // three files: nearly four windows
			return p
		}
		net.Start()
		net.RunWindows(2)
		net.RequireSameState()
		if w := net.Window(0); w < 4 {
			t.Errorf("the run began with window %d, before the upload could end", w)
		}
		bucket := net.Bucket(lead.Name)
		stored, err := bucket.Head(net.Context(), protocol.CheckpointPrefix(checkpoint.Imported)+"manifest.json")
		if err != nil {
			t.Fatal(err)
		}
		announced, err := bucket.Head(net.Context(), protocol.StartWindowKey())
		if err != nil {
			t.Fatal(err)
		}
		first, err := net.Chain.Block(net.Context(), net.Run.Params.FirstBlock(net.Window(0)))
		if err != nil {
			t.Fatal(err)
		}
		if announced.LastModified.Before(stored.LastModified) || !announced.LastModified.Before(first.Time) {
			t.Errorf("theta_0 was there at %v, the run was announced at %v and began at %v", stored.LastModified, announced.LastModified, first.Time)
		}
		for _, name := range []string{"validator-0", "validator-1", "miner-0"} {
			began := testnet.Of[telemetry.Started](net, name)
			if s, ok := began[net.Window(0)]; len(began) != 1 || !ok || s.StateHash != want {
				t.Errorf("%s began with %v, want the state %s", name, began, want.Short())
			}
		}
		listed, err := bucket.List(net.Context(), "checkpoint-", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range listed {
			if !strings.HasPrefix(o.Key, protocol.CheckpointPrefix(checkpoint.Imported)) {
				t.Errorf("%s: theta_0 was stored under another name too", o.Key)
			}
		}
	})
}
