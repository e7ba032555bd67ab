package checkpoint_test

import (
	"math"
	"testing"

	"templar/internal/checkpoint"
	"templar/internal/harness/testnet"
	"templar/internal/store"
	"templar/protocol"
)

// Copy gives a bucket the checkpoint that the own directory has, to the bit, and refuses to publish
// a private state or files that have changed.
func TestCopy(t *testing.T) {
	testnet.Test(t, testnet.Config{Validators: 1}, func(net *testnet.Network) {
		v := net.Node("validator-0")
		saver, bucket := v.Parts().Saver(), net.Bucket(v.Name)
		want := state(net, 9, 2)
		save(t, net, v.Local, want, v.Name)
		if _, _, err := saver.Copy(net.Context(), v.Local, bucket, 9); err != nil {
			t.Fatal(err)
		}
		got, err := checkpoint.Load(net.Context(), bucket, net.Run, 9, v.Signer.Hotkey())
		if err != nil || !equal(got, want) {
			t.Errorf("another state, %v", err)
		}
		save(t, net, v.Local, private(net, state(net, 10, 3)), v.Name)
		if _, _, err := saver.Copy(net.Context(), v.Local, bucket, 10); err == nil {
			t.Error("a private state was published")
		}
		save(t, net, v.Local, state(net, 11, 4), v.Name)
		if err := store.PutBytes(net.Context(), v.Local, protocol.CheckpointPrefix(11)+"config.json", []byte("{}"), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := saver.Copy(net.Context(), v.Local, bucket, 11); err == nil {
			t.Error("a damaged file was published")
		}
		if published, err := checkpoint.Windows(net.Context(), bucket); err != nil || len(published) != 1 {
			t.Errorf("published: %v, %v", published, err)
		}
		if err := checkpoint.Discard(net.Context(), v.Local, 10); err != nil {
			t.Fatal(err)
		}
		if left, err := checkpoint.Windows(net.Context(), v.Local); err != nil || len(left) != 1 || left[0] != 11 {
			t.Errorf("left: %v, %v", left, err)
		}
	})
}

// What Begin has written may change before Finish; a hash that is given is not computed again.
func TestBeginWritesWhatTrainingChanges(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 1}, func(net *testnet.Network) {
		m := net.Node("miner-0")
		want := private(net, state(net, 9, 2))
		want.Private[0].Volatile = true
		hashed := 0
		want.Hash = func() protocol.Hash { hashed++; return net.Run.Space.Hash(want.Params) }
		before := append([]float32(nil), want.Private[0].Values...)
		saving, err := m.Parts().Saver().Begin(net.Context(), m.Local, want, checkpoint.Options{ShardBytes: shardBytes})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := checkpoint.LoadOwn(net.Context(), m.Local, net.Run, 9, m.Signer.Hotkey()); err == nil {
			t.Error("an unfinished folder is a checkpoint")
		}
		for i := range want.Private[0].Values {
			want.Private[0].Values[i] = float32(math.NaN())
		}
		if _, _, err := saving.Finish(net.Context()); err != nil {
			t.Fatal(err)
		}
		if hashed != 1 {
			t.Errorf("the state was hashed %d times", hashed)
		}
		want.Private[0].Values = before
		got, err := checkpoint.LoadOwn(net.Context(), m.Local, net.Run, 9, m.Signer.Hotkey())
		if err != nil || !equal(got, want) {
			t.Errorf("another state, %v", err)
		}
	})
}
