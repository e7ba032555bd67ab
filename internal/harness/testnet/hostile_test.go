package testnet_test

import (
	"strings"
	"testing"

	"templar/internal/harness/testnet"
	"templar/internal/telemetry"
	"templar/protocol"
	"templar/wire"
)

// gradients passes a node's gradients through f, and everything else as it is.
func gradients(f func(key string, body []byte) (string, []byte)) func(string, []byte) (string, []byte) {
	return func(key string, body []byte) (string, []byte) {
		if strings.HasPrefix(key, "gradient-") {
			return f(key, body)
		}
		return key, body
	}
}

// Whatever miners and their stores do, the others are aggregated, and the verdict is
// named.
func TestHostileMiners(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 10, Validators: 2}, func(net *testnet.Network) {
		var last []byte
		tampers := map[string]func(string, []byte) (string, []byte){
			"miner-2": func(key string, body []byte) (string, []byte) { return key, body[:len(body)/2] },
			"miner-3": func(key string, body []byte) (string, []byte) {
				body[wire.GradientHeaderSize-40] ^= 1
				return key, body
			},
			"miner-4": func(key string, body []byte) (string, []byte) { // what it sent before
				body, last = last, body
				return key, body
			},
			"miner-5": func(key string, body []byte) (string, []byte) { return key, make([]byte, 1<<20) },
			"miner-6": func(key string, body []byte) (string, []byte) { // long before its time
				w, _ := protocol.KeyWindow(key)
				return protocol.GradientKey(w+1, net.Node("miner-6").UID), body
			},
			"miner-7": func(string, []byte) (string, []byte) { return "", nil },
		}
		for name, f := range tampers {
			net.Node(name).Tamper = gradients(f)
		}
		net.Start()
		net.RunWindows(2)
		net.Break("miner-8", testnet.Denied)
		net.Break("miner-9", testnet.Hanging)
		net.Node("miner-8").Stop()
		net.Node("miner-9").Stop()
		net.RunWindows(5)
		net.RequireSameState()

		want := map[string]protocol.Verdict{
			"miner-2": protocol.VerdictMalformed, "miner-3": protocol.VerdictBadSignature, "miner-4": protocol.VerdictWrongContext,
			"miner-5": protocol.VerdictTooLarge, "miner-6": protocol.VerdictEarly, "miner-7": protocol.VerdictMissing,
			"miner-8": protocol.VerdictDenied, "miner-9": protocol.VerdictUnreachable,
		}
		applied := testnet.Of[telemetry.Applied](net, "miner-0")
		last5 := applied[net.Window(5)]
		if len(last5.Included) != 2 {
			t.Errorf("window %d includes %v, want the two honest miners", net.Window(5), last5.Included)
		}
		for name, verdict := range want {
			uid := net.Node(name).UID
			got := last5.Skipped[uid]
			if verdict == protocol.VerdictMissing { // by then the lead has dropped who uploads nothing
				got = applied[net.Window(1)].Skipped[uid]
			}
			if got != verdict {
				t.Errorf("%s was skipped as %v, want %v", name, got, verdict)
			}
		}
		// The validators, too, have looked at everybody in time.
		for _, name := range []string{"validator-0", "validator-1"} {
			if len(testnet.Of[telemetry.Scored](net, name)) < 7 {
				t.Errorf("%s scored %d of 7 windows", name, len(testnet.Of[telemetry.Scored](net, name)))
			}
		}
	})
}
