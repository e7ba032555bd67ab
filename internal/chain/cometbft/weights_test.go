package cometbft_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/chaintest"
	"templar/internal/chain/cometbft"
	"templar/internal/chain/ledger/ledgertest"
)

// The suite passes when weights are committed and revealed.
func TestConformanceReveal(t *testing.T) {
	chaintest.Run(t, func(t *testing.T) chaintest.Subject {
		t.Parallel()
		g, _ := ledgertest.Genesis(t)
		g.WeightsReveal = 5
		n := start(t, initHome(t, g), "127.0.0.1:0")
		dir := t.TempDir()
		c, err := cometbft.Dial(t.Context(), cometbft.Opts{Endpoint: n.Endpoint(), Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		s := ledgertest.Subject(t, c)
		s.MissReveal = func(testing.TB) { c.LoseNextCommit() }
		return s
	})
}

// A process that begins after the one that committed reveals, from the folder.
func TestRevealAfterRestart(t *testing.T) {
	g, validator := ledgertest.Genesis(t)
	g.WeightsReveal = 20
	n := start(t, initHome(t, g), "127.0.0.1:0")
	dir := t.TempDir()
	open := func() *cometbft.Client {
		c, err := cometbft.Dial(t.Context(), cometbft.Opts{Endpoint: n.Endpoint(), Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	first := open()
	r, err := first.SetWeights(t.Context(), validator, chain.Weights{Entries: []chain.Weight{{UID: 1, Value: 9}}})
	if err != nil || r.Status != chain.StatusPending || r.EffectiveAt != r.Block+20 {
		t.Fatal(r, err)
	}
	first.Close()
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 {
		t.Fatalf("kept: %v", files)
	} else if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: others can read weights that are secret", info.Mode(), err)
	}
	second := open()
	second.Resume(validator)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	settled, err := second.Settle(ctx, validator, r)
	if err != nil || settled.Status != chain.StatusIncluded || settled.EffectiveAt < r.EffectiveAt {
		t.Fatal(settled, err)
	}
	within(t, time.Minute, "the commit's file to go", func() bool {
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		return len(files) == 0
	})
	if again, err := open().Settle(ctx, validator, r); err != nil || again.Status != chain.StatusIncluded {
		t.Error("seen from another process:", again, err)
	}
}

// A hotkey registers itself where the chain asks for work.
func TestRegisterWithWork(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	g.RegistrationWork = 6
	home := initHome(t, g)
	n := start(t, home, "127.0.0.1:0")
	for i, c := range []*cometbft.Client{dial(t, n.Endpoint()), dialVerified(t, n.Endpoint(), home)} {
		r, err := c.Register(t.Context(), chaintest.Key(t, uint64(50+i)), chain.Registration{})
		if err != nil || r.Status != chain.StatusIncluded {
			t.Errorf("%+v, %v", r, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	g.RegistrationWork = 30
	hard := dial(t, start(t, initHome(t, g), "127.0.0.1:0").Endpoint())
	if r, err := hard.Register(ctx, chaintest.Key(t, 60), chain.Registration{}); err == nil {
		t.Errorf("%+v", r)
	}
}
