package localnet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"templar/internal/dashboard/collect"
	"templar/protocol"
)

// What is suggested exists: a model that was saved, objects that are there, a miner that was scored.
func TestSuggest(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a net/network.json", "a net/model/config.json", "report.json"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	abs, err := filepath.Abs("a net/model")
	if err != nil {
		t.Fatal(err)
	}
	run := collect.Summary{Windows: []collect.Window{{Window: 7}}, Miners: []collect.Miner{{UID: 2}}, ScoredBy: "validator-0", Checkpoint: abs}
	for want, got := range map[string][]Suggestion{
		`templar generate --model 'a net/model' --prompt "Light is"; templar open 'a net'; templar explain --uid 2 --data-dir 'a net'; templar verify --window 7 --scores --data-dir 'a net'`: Suggest("a net", run),
		`templar generate --model 'a net/model' --prompt "Light is"; templar open report.json`:                                                                                                Suggest("report.json", run),
		`templar open 'a net'; templar verify --window 7 --scores --data-dir 'a net'`:                                                                                                         Suggest("a net", collect.Summary{Windows: run.Windows, Miners: run.Miners}),
		`templar open report.json`: Suggest("report.json", collect.Summary{}),
	} {
		var commands []string
		for _, s := range got {
			commands = append(commands, s.Command)
		}
		if have := strings.Join(commands, "; "); have != want {
			t.Errorf("suggested\n%s\nwant\n%s", have, want)
		}
	}
}

// One line a window, and none for what an earlier process measured or what is measured again at the end.
func TestProgress(t *testing.T) {
	o := options(t, 3)
	p := progress{o: &o}
	r := collect.Summary{StartWindow: 4, Windows: []collect.Window{{Window: 4, Gathered: []protocol.UID{1, 2}}, {Window: 5}}}
	for _, w := range []protocol.Window{3, 4, 5, 5, 6, 6} {
		p.show(w, 2.5, r)
	}
	got := strings.Split(strings.TrimSpace(o.Out.(interface{ String() string }).String()), "\n")
	if len(got) != 3 || got[0] != "window 4    1 of 3, held-out loss 2.5000 nats per byte, gradients of 2 miners" || !strings.HasSuffix(got[1], " left") || strings.HasSuffix(got[2], " left") {
		t.Errorf("progress:\n%s", strings.Join(got, "\n"))
	}
	o.Live = true
	p.show(7, 1, r)
	if n := strings.Count(o.Out.(interface{ String() string }).String(), "\n"); n != 3 {
		t.Errorf("%d lines beside the live view", n)
	}
}
