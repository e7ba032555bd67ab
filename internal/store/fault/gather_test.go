package fault_test

import (
	"bytes"
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/directory"
	"templar/internal/harness"
	"templar/internal/harness/testnet"
	"templar/internal/mailbox"
	"templar/internal/model"
	"templar/internal/run"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/internal/store/fault"
	"templar/internal/wallet"
	"templar/protocol"
	"templar/wire"
)

// TestGatherFindsDamage: what the matrix shows that no store can tell (a bit flipped on
// the way, an object announced and sent too short, one that the store itself mangled) shows
// in the digest that stands in each message. It is asked for once more; what is damaged
// still ends in a verdict, and costs no other peer anything.
func TestGatherFindsDamage(t *testing.T) {
	run, err := run.New(testnet.Params(), harness.Methods())
	if err != nil {
		t.Fatal(err)
	}
	body, err := run.Method.Encode(model.Init(run.Params.Model, 1))
	if err != nil {
		t.Fatal(err)
	}
	const window = protocol.Window(7)
	rig := newMatrixRig(t)
	direct, d := rig.dial("http://"+rig.address, patience)
	defer d.Close()
	damages := []row{
		{name: "none"},
		{name: "flipped on the way", wire: &wireFault{down: wireCut{1500, "flip"}}},
		{name: "announced shorter", http: grown(-10)},
		{name: "first byte", call: &fault.Fault{Damage: fault.Corrupt}},
		{name: "in the body", call: &fault.Fault{Damage: fault.Corrupt, At: 1000}},
		{name: "none either"},
	}
	var peers []directory.Peer
	for uid, r := range damages {
		w, err := wallet.FromSeed([32]byte{byte(uid + 1)})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := wire.EncodeGradient(&wire.Gradient{Run: run.Hash, Window: window, UID: protocol.UID(uid), Hotkey: w.Hotkey(), Pages: []uint64{1}, Body: body.Bytes()}, run.Format(), wire.GradientKey{1}, w)
		raw, _, _ = wire.SplitGradient(raw)
		if err != nil || len(raw) < 1500 {
			t.Fatalf("gradient of %d bytes, %v", len(raw), err)
		}
		key := protocol.GradientKey(window, protocol.UID(uid))
		if _, err := direct.Put(t.Context(), key, bytes.NewReader(raw), int64(len(raw)), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		b, closeAll := rig.through(r, func(int) bool { return true })
		defer closeAll()
		peers = append(peers, directory.Peer{Neuron: chain.Neuron{UID: protocol.UID(uid), Hotkey: w.Hotkey()}, Bucket: b})
	}
	x := mailbox.Gatherer{Run: run, Schedule: schedule.Schedule{Params: run.Params, Clock: clock.Wall{}}}
	now := time.Now()
	got := x.Gather(t.Context(), window, peers, protocol.Bounds{Min: now.Add(-time.Hour), Max: now.Add(time.Hour)}, now.Add(patience))
	for i, p := range got {
		want := protocol.VerdictMalformed
		if r := damages[i]; r.http == nil && r.call == nil { // a connection flips one bit: the second answer is whole
			want = protocol.VerdictOK
		}
		if p.Verdict != want || (p.Raw != nil) != want.OK() {
			t.Errorf("%s: %v, want %v", damages[i].name, p.Verdict, want)
		}
		if whole := damages[i].wire == nil && want.OK(); whole != (p.Attempts == 1) {
			t.Errorf("%s: asked %d times", damages[i].name, p.Attempts)
		}
	}
}
