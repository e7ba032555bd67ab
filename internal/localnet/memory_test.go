package localnet

import (
	"os"
	"strings"
	"testing"

	"templar/cmd/templar/backends"
	"templar/protocol"
)

// A network that does not fit is refused with what it needs before anything is written; one that fits
// divides the budget, so that all nodes together stay within it.
func TestNetworkFitsTheMachine(t *testing.T) {
	o := Options{Backends: backends.All(), Preset: "150m", Miners: 3, Validators: 2, Windows: 1, DataDir: t.TempDir() + "/net", Memory: 4 << 30}
	_, err := Prepare(t.Context(), o)
	for _, word := range []string{"memory: 7 nodes of the preset 150m need ", "each miner 3.", "4.0 GiB", "--miners"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("error %v does not say %q", err, word)
		}
	}
	if _, err := os.Stat(o.DataDir); err == nil {
		t.Error("the data directory was made")
	}
	p, err := protocol.Preset(o.Preset)
	if err != nil {
		t.Fatal(err)
	}
	n := network{Miners: o.Miners, Validators: o.Validators}
	var last int64
	for _, budget := range []int64{15 << 30, 20 << 30, 64 << 30} {
		o.Memory = budget
		shares, err := o.share(p, n.names())
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		for _, s := range shares {
			sum += s
		}
		if sum > budget || sum < last || len(shares) != 7 {
			t.Errorf("%d bytes for 7 nodes within %d: %v", sum, budget, shares)
		}
		last = sum
	}
}
