package exchange_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"templar/internal/chain"
	"templar/internal/directory"
	"templar/internal/exchange"
	"templar/internal/simnet"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// endless is a bucket whose listing goes on for ever.
type endless struct {
	store.Reader
	calls *int
}

func (e endless) List(_ context.Context, prefix, _ string, max int) ([]store.Info, error) {
	*e.calls++
	out := make([]store.Info, max)
	for i := range out {
		out[i].Key = fmt.Sprintf("%s%012d", prefix, *e.calls*max+i)
	}
	return out, nil
}

func keys(t *testing.T, net *simnet.Network, bucket string) (out []string) {
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
	simnet.Test(t, simnet.Config{Miners: 1, Validators: 1}, func(net *simnet.Network) {
		x := net.Node("miner-0").Exchange()
		next := 2*x.Retention() + 4
		old, edge := next-x.Retention()-1, next-x.Retention()
		foreign := []string{
			"gradient-notes.txt", "gradients", "gradient-1-0-v999", "gradient-x-0-v1", "debug.log", "gradient-1", "gradient-1-0",
			protocol.CheckpointPrefix(1) + "model.safetensors", protocol.StartWindowKey(), "photo.jpg", protocol.ArchiveKey(1, 0),
			protocol.GradientKey(1, 7), protocol.SampleKey(1, 7), // who shares the bucket
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
			if upload(t, net, "miner-0", key, o.body); o.kept {
				kept = append(kept, key)
			}
		}
		for _, key := range append([]string{protocol.GradientKey(old, 1), protocol.GradientKey(1, 1), protocol.SampleKey(old, 1),
			protocol.ReportKey(old, 1), protocol.PeersKey(1), protocol.PeersKey(edge - 3)}, placed...) {
			upload(t, net, "miner-0", key, []byte("x"))
		}
		if err := x.PruneOwn(net.Context(), next); err != nil {
			t.Fatal(err)
		}
		slices.Sort(kept)
		if got := keys(t, net, "miner-0"); !slices.Equal(got, kept) {
			t.Errorf("left are %v, want %v", got, kept)
		}
	})
}

// sealed is a report's form, signed by a node, with so many bytes of anything in it.
func sealed(t *testing.T, net *simnet.Network, node string, size int) []byte {
	t.Helper()
	b, err := wire.SealWithin(4*wire.MaxSealedSize, "report", map[string]any{"run": net.Run.Hash, "more": strings.Repeat("x", size)}, net.Node(node).Signer)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whatever windows a node skips, it sweeps every checkpoint_frequency windows.
func TestPruneIsRegular(t *testing.T) {
	simnet.Test(t, simnet.Config{Miners: 1}, func(net *simnet.Network) {
		x := net.Node("miner-0").Exchange()
		frequency := protocol.Window(x.Params.CheckpointFrequency)
		sweeps := 0
		for next := protocol.Window(1); next < x.Retention()+10*frequency; next += 3 {
			upload(t, net, "miner-0", protocol.GradientKey(0, 0), nil)
			if err := x.PruneOwn(net.Context(), next); err != nil {
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
	simnet.Test(t, simnet.Config{Miners: 1}, func(net *simnet.Network) {
		x, local := net.Node("miner-0").Exchange(), net.Node("miner-0").Local
		for w := range protocol.Window(12) {
			payloads := []exchange.Payload{
				{Peer: directory.Peer{Neuron: chain.Neuron{UID: 3}}, Verdict: protocol.VerdictOK, Raw: []byte("x")},
				{Peer: directory.Peer{Neuron: chain.Neuron{UID: 4}}, Verdict: protocol.VerdictLate},
			}
			if err := x.StoreGather(net.Context(), local, w, 3, payloads); err != nil {
				t.Fatal(err)
			}
		}
		objects, err := local.List(net.Context(), "", "", 100)
		if err != nil || len(objects) != 3 || objects[2].Key != protocol.ArchiveKey(9, 3) {
			t.Errorf("left are %+v, %v", objects, err)
		}
	})
}

func TestNewestWindow(t *testing.T) {
	simnet.Test(t, simnet.Config{Miners: 1}, func(net *simnet.Network) {
		b := net.Bucket("aggregator")
		if _, found, err := store.NewestWindow(net.Context(), b, "aggregator-"); found || err != nil {
			t.Errorf("found %v, %v in an empty bucket", found, err)
		}
		for w := range protocol.Window(1100) { // over a page, and not in the order of keys
			upload(t, net, "aggregator", protocol.AggregateKey(w), nil)
		}
		upload(t, net, "aggregator", "aggregator-99999-v0", nil)
		if w, found, err := store.NewestWindow(net.Context(), b, "aggregator-"); w != 1099 || !found || err != nil {
			t.Errorf("window %d, %v, %v; want 1099", w, found, err)
		}
	})
}

func TestCheckOwnAndCommit(t *testing.T) {
	simnet.Test(t, simnet.Config{Miners: 2}, func(net *simnet.Network) {
		x := net.Node("miner-0").Exchange()
		reads := func(bucket string) store.Reader {
			b, err := net.Store.Dial(simnet.Location(bucket, false))
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		if _, err := directory.CheckOwn(net.Context(), x.Clock, x.Own, reads("miner-0")); err != nil {
			t.Error(err)
		}
		if left := keys(t, net, "miner-0"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		if _, err := directory.CheckOwn(net.Context(), x.Clock, x.Own, reads("miner-1")); err == nil {
			t.Error("the read key of another bucket was accepted")
		}
		x.Own = net.Node("miner-0").Exchange().Aggregator // a key that only reads
		if _, err := directory.CheckOwn(net.Context(), x.Clock, x.Own, reads("aggregator")); err == nil {
			t.Error("a write key that cannot write was accepted")
		}
		net.Start("miner-0", "miner-1", "aggregator-0") // blocks
		c := directory.Commitment{Role: telemetry.Miner, Location: simnet.Location("miner-0", false)}
		for range 2 { // the second time it stands there already
			if err := directory.Commit(net.Context(), x.Chain, x.Signer, c); err != nil {
				t.Error(err)
			}
		}
	})
}
