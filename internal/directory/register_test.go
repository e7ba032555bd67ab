package directory_test

import (
	"testing"

	"templar/internal/directory"
	"templar/internal/harness/testnet"
	"templar/internal/store"
	"templar/internal/telemetry"
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

func TestCheckOwnAndCommit(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2}, func(net *testnet.Network) {
		x := net.Node("miner-0").Parts()
		reads := func(bucket string) store.Reader {
			b, err := net.Store.Dial(testnet.Location(bucket, false))
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		if _, err := directory.CheckOwn(net.Context(), x.Clock, x.Own, reads("miner-0"), net.Run.Params.Slack()); err != nil {
			t.Error(err)
		}
		if left := keys(t, net, "miner-0"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		if _, err := directory.CheckOwn(net.Context(), x.Clock, x.Own, reads("miner-1"), net.Run.Params.Slack()); err == nil {
			t.Error("the read key of another bucket was accepted")
		}
		x.Own = net.Node("miner-0").Parts().Aggregator // a key that only reads
		if _, err := directory.CheckOwn(net.Context(), x.Clock, x.Own, reads("aggregator"), net.Run.Params.Slack()); err == nil {
			t.Error("a write key that cannot write was accepted")
		}
		net.Start("miner-0", "miner-1", "aggregator-0") // blocks
		c := directory.Commitment{Role: telemetry.Miner, Location: testnet.Location("miner-0", false)}
		for range 2 { // the second time it stands there already
			if err := directory.Commit(net.Context(), x.Chain, x.Signer, c); err != nil {
				t.Error(err)
			}
		}
	})
}
