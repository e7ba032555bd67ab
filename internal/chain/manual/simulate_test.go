package manual_test

import (
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/internal/chain/ledger/ledgertest"
)

func TestSend(t *testing.T) {
	_, validator := ledgertest.Genesis(t)
	c := newChain(t)
	sent, err := c.Send(validator, ledger.Commit{Data: []byte("bucket")})
	if err != nil || sent == nil {
		t.Fatalf("sent %v, %v", sent, err)
	}
	if _, _, ok := sent.Receipt(); ok {
		t.Error("a receipt before the block")
	}
	if second, err := c.Send(validator, ledger.Commit{Data: []byte("other")}); second != nil || err != nil {
		t.Errorf("a second call was taken into the same block: %v, %v", second, err)
	}
	if _, err := c.Advance(start.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if r, again, ok := sent.Receipt(); !ok || again || r.Status != chain.StatusIncluded || r.Block != 1 {
		t.Errorf("receipt %+v, %v, %v", r, again, ok)
	}
	taken, err := c.Send(validator, ledger.Commit{Data: []byte("never")})
	if err != nil {
		t.Fatal(err)
	}
	taken.Withdraw()
	if _, err := c.Advance(start.Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := taken.Receipt(); ok {
		t.Error("a call that was withdrawn has a receipt")
	}
}

func TestReorganise(t *testing.T) {
	c := newChain(t)
	for i := range 4 {
		if _, err := c.Advance(start.Add(time.Duration(i+1) * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	var before, after [5]chain.Block
	for i := range before {
		before[i], _ = c.Block(t.Context(), uint64(i))
	}
	c.Reorganise(2)
	for i := range after {
		after[i], _ = c.Block(t.Context(), uint64(i))
		if changed := after[i].Hash != before[i].Hash; changed != (i > 2) {
			t.Errorf("block %d changed: %v", i, changed)
		}
		if i > 0 && after[i].Parent != after[i-1].Hash {
			t.Errorf("block %d does not follow block %d", i, i-1)
		}
	}
	c.Reorganise(100)
	if genesis, _ := c.Block(t.Context(), 0); genesis != before[0] {
		t.Error("the genesis changed")
	}
}
