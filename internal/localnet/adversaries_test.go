package localnet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"templar/internal/adversary"
	"templar/internal/dashboard/collect"
	"templar/internal/telemetry"
)

// checkCheaters: the report names the cheaters nan, lazy and noise, and they cost the two honest
// miners nothing.
func checkCheaters(t *testing.T, r collect.Summary) (err error) {
	t.Helper()
	var names []string
	for _, m := range r.Miners {
		names = append(names, m.Node)
	}
	if want := []string{"miner-0", "miner-1", "nan-0", "lazy-0", "noise-0"}; !slices.Equal(names, want) {
		t.Errorf("the report names %v, want %v", names, want)
	}
	for _, w := range r.Windows {
		if got := telemetry.Skipped(w.Skipped); got != "4 non-finite, 5 missing" || len(w.Gathered) != 3 {
			err = errors.Join(err, fmt.Errorf("window %d: skipped %s, included %v", w.Window, got, w.Gathered))
		}
	}
	return err
}

func mix(t *testing.T, text string) adversary.Mix {
	t.Helper()
	m, err := adversary.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A data directory remembers its cheaters, and is for no others.
func TestAdversariesAreRemembered(t *testing.T) {
	o := options(t, 1)
	o.Adversaries = mix(t, "lazy,sybil")
	commands, err := Prepare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lazy-0", "sybil-0", "sybil-1"} { // a miner's command would make them honest
		if want := fmt.Sprintf("templar localnet cheat %s --data-dir %s --windows 1", name, o.DataDir); !slices.Contains(commands, want) {
			t.Errorf("no command %q in\n%s", want, strings.Join(commands, "\n"))
		}
	}
	n, err := load(&o)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"validator-0", "miner-0", "lazy-0", "sybil-0", "sybil-1"} {
		if m := n.names()[i]; m.name != name || int(m.uid) != i || (m.corrupt != nil) != (i > 1) {
			t.Errorf("node %d is %+v, want %s", i, m, name)
		}
	}
	o.Adversaries = mix(t, "lazy=2")
	if _, err := load(&o); err == nil || !strings.Contains(err.Error(), "--adversaries is lazy=1,sybil=2 there, not lazy=2") {
		t.Errorf("other cheaters: %v", err)
	}
	if err := Cheat(t.Context(), o, "lazy-1"); err == nil || !strings.HasSuffix(err.Error(), `has no adversary "lazy-1": have lazy-0, sybil-0, sybil-1`) {
		t.Errorf("an unknown adversary: %v", err)
	}
	o.DataDir = t.TempDir()
	if err := Cheat(t.Context(), o, "lazy-0"); err == nil || !strings.Contains(err.Error(), `holds no network`) || !strings.Contains(err.Error(), `"templar localnet prepare`) {
		t.Errorf("an empty folder: %v", err)
	}
}
