package yuma_test

import (
	"os"
	"testing"

	"templar/internal/chain/ledger/yuma"
	"templar/internal/chain/ledger/yuma/epochs"
)

// TestVectors runs every epoch that subtensor's own code was asked for.
func TestVectors(t *testing.T) {
	b, err := os.ReadFile("../../../../testkit/vectors/yuma_cases.json")
	if err != nil {
		t.Fatal(err)
	}
	vectors, err := epochs.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	classic, yuma3, liquid := 0, 0, 0
	for _, e := range vectors {
		if e.In.LiquidAlpha != nil {
			liquid++
		}
		if e.In.Yuma3 {
			yuma3++
		} else {
			classic++
		}
		t.Run(e.Name, func(t *testing.T) {
			got, err := yuma.Run(e.In)
			if err != nil {
				t.Fatal(err)
			}
			if fields := epochs.Differ(got, e.Want); len(fields) > 0 {
				t.Errorf("%v differ:\n got %+v\nwant %+v", fields, got, e.Want)
			}
		})
	}
	t.Logf("%d classic epochs, %d of Yuma3, %d of them with liquid alpha", classic, yuma3, liquid)
	if classic < 100 || yuma3 < 80 || liquid < 40 {
		t.Errorf("only %d classic, %d Yuma3 and %d liquid epochs in the vector file", classic, yuma3, liquid)
	}
}
