package node

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"templar/internal/chain/cometbft"
	"templar/internal/chain/ledger"
	"templar/internal/checkpoint"
	"templar/internal/config"
	"templar/internal/dashboard/collect"
	"templar/internal/harness"
	"templar/internal/harness/testnet"
	"templar/internal/parts"
	"templar/internal/role"
	"templar/internal/run"
	"templar/internal/score"
	"templar/internal/store"
	"templar/internal/store/fs"
	"templar/internal/telemetry"
	"templar/internal/versioned"
	"templar/wire"
)

// Each file of a node's own directory that is of another version ends the role, before it does anything.
func TestFilesOfOtherVersionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		node, file, content string
	}{
		{"miner-0", "start.json", `{"version":9,"content":{"window":7}}`},
		{"miner-0", "final.json", `{"version":9,"content":[]}`},
		{"miner-0", "keys.json", `{"version":9,"content":{"7":""}}`},
		{"validator-0", "start.json", `{"version":9,"content":{"window":7}}`},
		{"validator-0", "final.json", `{"version":9,"content":[]}`},
		{"validator-0", "scores.json", `{"schema":9,"miners":{}}`},
		{"aggregator-0", "start.json", `{"version":9,"content":{"window":7}}`},
	} {
		t.Run(c.node+" "+c.file, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 1, Validators: 1}, func(net *testnet.Network) {
				net.CommitAll()
				net.Start("miner-0", "validator-0", "aggregator-0") // the chain alone
				x := net.Refreshed(c.node)
				// The announcement is known, so that the role reaches its other files.
				announced := wire.StartWindow{Run: net.Run.Hash, StartWindow: 1, StateHash: checkpoint.HashOfTheta0(net.Run)}
				if err := store.SaveFile(net.Context(), x.Local, versioned.File{Name: "start.json", Version: 1}, announced); err != nil {
					t.Fatal(err)
				}
				if err := store.PutBytes(net.Context(), x.Local, c.file, []byte(c.content), store.PutOptions{}); err != nil {
					t.Fatal(err)
				}
				work, err := x.Work(net.Node(c.node).Role, role.Config{})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(net.Context(), time.Minute) // of virtual time: a role that starts does not end
				defer cancel()
				requireRefusal(t, work.Run(ctx), c.file, c.content)
			})
		})
	}
}

// requireRefusal demands a sentence with the file, both versions and a remedy.
func requireRefusal(t *testing.T, err error, file, content string) {
	t.Helper()
	if !versioned.Is(err) {
		t.Fatalf("%s with %s: %v", file, content, err)
	}
	text := err.Error()
	for _, part := range []string{filepath.Base(file) + " is of ", "version 9, and this release reads ", ": "} {
		if !strings.Contains(text, part) {
			t.Errorf("%s: %q lacks %q", file, text, part)
		}
	}
	if _, remedy, _ := strings.Cut(text, "this release reads"); len(remedy) < 30 {
		t.Errorf("%s: %q has no remedy", file, text)
	}
}

// Folders have the version of what is in them.
func TestFoldersOfOtherVersionsAreRefused(t *testing.T) {
	data := t.TempDir()
	params := must(run.New(testnet.Params(), harness.Methods()))(t)
	open := func() error {
		n, err := assemble(t, config.Node{DataDir: data, Buckets: config.Buckets{
			Aggregator: config.Bucket{Endpoint: "file://" + t.TempDir(), Name: "aggregates"},
		}}, parts.Spec{Role: telemetry.Aggregator, Run: params})
		if closing := n.Close(); closing != nil {
			t.Error(closing)
		}
		return err
	}
	home := filepath.Join(t.TempDir(), "chain")
	if err := cometbft.Init(home, ledger.Genesis{ChainID: "ours", Params: ledger.DefaultParams()}); err != nil {
		t.Fatal(err)
	}
	chain := func() error {
		n, err := cometbft.New(cometbft.Config{Home: home, Listen: "127.0.0.1:0"})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return n.Run(ctx) // ends at once
	}
	objects := t.TempDir()
	files := func(shared bool) func() error {
		return func() error {
			_, err := fs.Open(objects, fs.Options{Shared: shared})
			return err
		}
	}
	for _, c := range []struct {
		file string
		open func() error
	}{
		{filepath.Join(data, "data.json"), open},
		{filepath.Join(data, "layout.json"), open},
		{filepath.Join(objects, "layout.json"), files(false)},
		{filepath.Join(objects, "layout.json"), files(true)},
		{filepath.Join(home, "chain.json"), chain},
	} {
		if err := c.open(); err != nil {
			t.Fatalf("%s: this release's own: %v", c.file, err)
		}
		raw, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		var mark map[string]int
		if err := json.Unmarshal(raw, &mark); err != nil {
			t.Fatal(err)
		}
		for key := range mark {
			other := fmt.Sprintf(`{"version":%d,"protocol":%d,"new":[]}`, mark["version"], mark["protocol"])
			other = strings.Replace(other, fmt.Sprintf("%q:%d", key, mark[key]), fmt.Sprintf("%q:9", key), 1)
			if err := os.WriteFile(c.file, []byte(other), 0o600); err != nil {
				t.Fatal(err)
			}
			requireRefusal(t, c.open(), c.file, other)
		}
		if err := os.Remove(c.file); err != nil {
			t.Fatal(err)
		}
		if err := c.open(); err != nil {
			t.Errorf("%s: of a release without versions: %v", c.file, err)
		}
	}
}

// Files of other packages are refused by their version, whatever else is in them.
func TestDecodersRefuseOtherVersions(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report.json")
	const content = `{"version":9,"new":[]}`
	if err := os.WriteFile(report, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := collect.ReadJSON(report)
	requireRefusal(t, err, report, content)
	_, err = score.DecodeBook([]byte(`{"schema":9,"new":[]}`))
	requireRefusal(t, err, "scores.json", `{"schema":9,"new":[]}`)
}
