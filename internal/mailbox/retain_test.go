package mailbox_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/harness/testnet"
	"templar/internal/mailbox"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/protocol"
	"templar/wire"
)

func keys(t *testing.T, net *testnet.Network, bucket string) (out []string) {
	t.Helper()
	objects, err := net.Bucket(bucket).List(net.Context(), "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		out = append(out, o.Key)
	}
	return out
}

func TestPruneKeepsWhatIsNotOurs(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
		x := net.Node("miner-0").Parts()
		own := x.Outbox()
		next := 2*schedule.Retention(x.Run.Params) + 4
		old, edge := next-schedule.Retention(x.Run.Params)-1, next-schedule.Retention(x.Run.Params)
		foreign := []string{
			"gradient-notes.txt", "gradients", "gradient-1-0-v999", "gradient-x-0-v1", "debug.log", "gradient-1", "gradient-1-0",
			protocol.CheckpointPrefix(1) + "model.safetensors", protocol.StartWindowKey(), "photo.jpg", protocol.ArchiveKey(1, 0),
			protocol.GradientKey(1, 7), protocol.SampleKey(1, 7), // of another node in the bucket
			protocol.PeersKey(edge - 2), protocol.PeersKey(edge + 3), // in force at the edge, and after it
		}
		placed := append([]string{protocol.GradientKey(edge, 1), protocol.SampleKey(next, 1)}, foreign...)
		kept := slices.Clone(placed)
		// What it signed under the uid that it had before goes; what is another's, or another run's, stays.
		for key, o := range map[string]struct {
			body []byte
			kept bool
		}{
			protocol.GradientKey(2, 8):    {gradient(t, net, "miner-0", nil), false},
			protocol.ReportKey(2, 8):      {sealed(t, net, "miner-0", 2*wire.MaxSealedSize), false},
			protocol.GradientKey(edge, 8): {gradient(t, net, "miner-0", nil), true},
			protocol.GradientKey(2, 0):    {gradient(t, net, "validator-0", nil), true},
			protocol.ReportKey(2, 0):      {sealed(t, net, "validator-0", 0), true},
			protocol.GradientKey(2, 9):    {gradient(t, net, "miner-0", func(g *wire.Gradient) { g.Run[0]++ }), true},
		} {
			if net.Upload("miner-0", key, o.body); o.kept {
				kept = append(kept, key)
			}
		}
		for _, key := range append([]string{protocol.GradientKey(old, 1), protocol.GradientKey(1, 1), protocol.SampleKey(old, 1),
			protocol.ReportKey(old, 1), protocol.PeersKey(1), protocol.PeersKey(edge - 3)}, placed...) {
			net.Upload("miner-0", key, []byte("x"))
		}
		if err := own.Prune(net.Context(), next); err != nil {
			t.Fatal(err)
		}
		slices.Sort(kept)
		if got := keys(t, net, "miner-0"); !slices.Equal(got, kept) {
			t.Errorf("left are %v, want %v", got, kept)
		}
	})
}

// Payloads go earlier than what is needed to catch up and to see what was done.
func TestPruneKeepsPayloadsForLess(t *testing.T) {
	short := func(p *protocol.Params) { p.PayloadWindows = p.LeastPayloadWindows() }
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1, Params: short}, func(net *testnet.Network) {
		x := net.Node("miner-0").Parts()
		next := schedule.Retention(x.Run.Params) // what is kept that long is all there
		edge := next - schedule.PayloadRetention(x.Run.Params)
		keeps := []string{protocol.GradientKey(edge, 1), protocol.RevealKey(edge, 1), protocol.SampleKey(1, 1), protocol.ReportKey(1, 1)}
		for _, key := range append([]string{protocol.GradientKey(edge-1, 1), protocol.RevealKey(edge-1, 1)}, keeps...) {
			net.Upload("miner-0", key, []byte("x"))
		}
		shelved := []string{protocol.AggregateKey(1, 0), protocol.ClosingKey(1), protocol.ArchiveKey(edge, 1)}
		for _, key := range append([]string{protocol.ArchiveKey(edge-1, 1)}, shelved...) {
			net.Upload("aggregator", key, []byte("x"))
		}
		shelf := &mailbox.Shelf{Schedule: x.Schedule(), Bucket: net.Bucket("aggregator")}
		if err := errors.Join(x.Outbox().Prune(net.Context(), next), shelf.Prune(net.Context(), next)); err != nil {
			t.Fatal(err)
		}
		for bucket, want := range map[string][]string{"miner-0": keeps, "aggregator": shelved} {
			slices.Sort(want)
			if got := keys(t, net, bucket); !slices.Equal(got, want) {
				t.Errorf("%s: left are %v, want %v", bucket, got, want)
			}
		}
	})
}

// Uploads of Aggregates that were never completed go with the Aggregates of their windows; other keys' stay.
func TestPruneDropsOldUploads(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
		x := net.Node("miner-0").Parts()
		next := 2*schedule.Retention(x.Run.Params) + 4
		edge := next - schedule.Retention(x.Run.Params)
		b := net.Bucket("aggregator")
		kept := []string{protocol.AggregateKey(edge, 0), protocol.AggregateKey(edge, 1), "aggregator-notes", "notes"}
		for _, key := range append([]string{protocol.AggregateKey(edge-1, 0), protocol.AggregateKey(1, 1)}, kept...) {
			if _, err := b.CreateUpload(net.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		shelf := &mailbox.Shelf{Schedule: x.Schedule(), Bucket: b}
		if err := shelf.Prune(net.Context(), next); err != nil {
			t.Fatal(err)
		}
		left, err := b.Uploads(net.Context(), "")
		var got []string
		for _, u := range left {
			got = append(got, u.Key)
		}
		if slices.Sort(kept); err != nil || !slices.Equal(got, kept) {
			t.Errorf("left are %v, %v, want %v", got, err, kept)
		}
		hides := &mailbox.Shelf{Schedule: x.Schedule(), Bucket: hidden{b}}
		if err := hides.Prune(net.Context(), next); err != nil {
			t.Errorf("a key without the right to list uploads: %v", err)
		}
	})
}

// hidden shows no uploads.
type hidden struct{ store.Bucket }

func (hidden) Uploads(context.Context, string) ([]store.Upload, error) { return nil, store.ErrDenied }

// sealed is a report's form, signed by a node, with so many bytes of anything in it.
func sealed(t *testing.T, net *testnet.Network, node string, size int) []byte {
	t.Helper()
	b, err := wire.SealWithin(4*wire.MaxSealedSize, "report", map[string]any{"run": net.Run.Hash, "more": strings.Repeat("x", size)}, net.Node(node).Signer)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whatever windows a node skips, it sweeps every checkpoint_frequency windows.
func TestPruneIsRegular(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		x := net.Node("miner-0").Parts()
		own := x.Outbox()
		frequency := protocol.Window(x.Run.Params.CheckpointFrequency)
		sweeps := 0
		for next := protocol.Window(1); next < schedule.Retention(x.Run.Params)+10*frequency; next += 3 {
			net.Upload("miner-0", protocol.GradientKey(0, 0), nil)
			if err := own.Prune(net.Context(), next); err != nil {
				t.Fatal(err)
			}
			if len(keys(t, net, "miner-0")) == 0 {
				sweeps++
			}
		}
		if sweeps < 5 || sweeps > 10 { // at every second window of three, as the frequency is four
			t.Errorf("%d sweeps", sweeps)
		}
	})
}

func TestStoredGathersAreFew(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		g := &mailbox.Gathers{Clock: clock.Wall{}, Bucket: net.Node("miner-0").Local, Windows: 3}
		for w := range protocol.Window(12) {
			payloads := []mailbox.Payload{
				{Peer: directory.Peer{Neuron: chain.Neuron{UID: 3}}, Verdict: protocol.VerdictOK, Raw: []byte("x")},
				{Peer: directory.Peer{Neuron: chain.Neuron{UID: 4}}, Verdict: protocol.VerdictLate},
			}
			if err := g.Store(net.Context(), w, payloads); err != nil {
				t.Fatal(err)
			}
		}
		objects, err := g.Bucket.List(net.Context(), "", "", 100)
		if err != nil || len(objects) != 3 || objects[2].Key != protocol.ArchiveKey(9, 3) {
			t.Errorf("left are %+v, %v", objects, err)
		}
	})
}
