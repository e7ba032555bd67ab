package localnet

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"templar/internal/config"
	"templar/internal/node"
	"templar/internal/telemetry"
)

func hosts() Hosts {
	return Hosts{Store: "store:9000", Chain: []string{"chain-0", "chain-1"}, Admin: "0.0.0.0:9300", Aggregators: 2}
}

// Each folder is enough for its process, names the hosts, and holds no other's secret.
func TestFolders(t *testing.T) {
	o := options(t, 1)
	o.Miners, o.BlockTime = 2, 2*time.Second
	commands, err := Folders(t.Context(), o, hosts())
	if err != nil {
		t.Fatal(err)
	}
	if want := "cd " + o.path("miner-1") + " && templar miner --config node.json"; commands[5] != want || len(commands) != 1+2+1+2+2+1 {
		t.Errorf("%d commands, the sixth is %q, want %q", len(commands), commands[5], want)
	}
	secrets := map[string]string{} // a secret's text, and the folder that has it
	for _, m := range []struct {
		folder string
		role   telemetry.Role
	}{{"validator-0", telemetry.Validator}, {"miner-0", telemetry.Miner}, {"miner-1", telemetry.Miner}, {"aggregator-0", telemetry.Aggregator}, {"aggregator-1", telemetry.Aggregator}, {"evaluator-0", telemetry.Evaluator}} {
		t.Chdir(o.path(m.folder))
		c, warnings, err := config.Load(m.role, config.Sources{File: "node.json"})
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%s: %v %q", m.folder, err, warnings)
		}
		if err := c.Validate(m.role, o.Backends.Build()); err != nil {
			t.Errorf("%s: %v", m.folder, err)
		}
		if !strings.HasPrefix(c.Chain.Endpoint, "http://chain-") || c.Buckets.Aggregator.Endpoint != "http://store:9000" || c.Chain.Verify == "" {
			t.Errorf("%s: chain %+v, aggregator at %s", m.folder, c.Chain, c.Buckets.Aggregator.Endpoint)
		}
		p, err := node.LoadParams(c.Run)
		if err != nil || p.BlockTime() != o.BlockTime || len(p.Aggregators) != 2 {
			t.Errorf("%s: run parameters %+v, %v", m.folder, p, err)
		}
		if m.role == telemetry.Miner {
			secrets[c.Buckets.Gradients.Write.Secret.Reveal()] = m.folder
		}
		key, err := os.ReadFile(filepath.Join("wallets", walletName, "hotkeys", m.folder))
		if err != nil {
			t.Fatal(err)
		}
		secrets[string(key)] = m.folder
	}
	for _, f := range []string{"chain-0", "chain-1"} {
		key, err := os.ReadFile(o.path(f, "config", "priv_validator_key.json"))
		if err != nil {
			t.Fatal(err)
		}
		secrets[string(key)] = f
	}
	walk(t, o.DataDir, func(folder, path string, body []byte, mode fs.FileMode) {
		for secret, owner := range secrets {
			if bytes.Contains(body, []byte(secret)) && folder != owner && folder != "store" {
				t.Errorf("%s holds a secret of %s", path, owner)
			} else if folder == owner && bytes.Contains(body, []byte(secret)) && mode.Perm()&0o077 != 0 {
				t.Errorf("others may read %s: %v", path, mode)
			}
		}
	})
}

func walk(t *testing.T, dir string, f func(folder, path string, body []byte, mode fs.FileMode)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		body, err := os.ReadFile(path)
		folder, _, _ := strings.Cut(rel, string(filepath.Separator))
		f(folder, path, body, info.Mode())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFoldersAreMadeOnce(t *testing.T) {
	o := options(t, 1)
	first, err := Folders(t.Context(), o, hosts())
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(o.path("miner-0", "node.json"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Folders(t.Context(), o, hosts())
	if err != nil || strings.Join(first, "\n") != strings.Join(again, "\n") {
		t.Errorf("the second call gives %q, %v", again, err)
	}
	if after, err := os.ReadFile(o.path("miner-0", "node.json")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the second call changed a configuration, %v", err)
	}
	other := hosts()
	other.Chain = other.Chain[:1]
	if _, err := Folders(t.Context(), o, other); err == nil || !strings.Contains(err.Error(), "other options") {
		t.Errorf("other hosts: %v", err)
	}
	o.DataDir = t.TempDir()
	if err := os.WriteFile(o.path("mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Folders(t.Context(), o, hosts()); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a folder with a file of another's: %v", err)
	}
}

// A folder is installed whole, and once: what its process wrote since stays.
func TestInstall(t *testing.T) {
	o := options(t, 1)
	if _, err := Folders(t.Context(), o, hosts()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(o.path("store", objectsFolder)); err != nil { // as in a secret
		t.Fatal(err)
	}
	for folder, want := range map[string][]string{
		"store":   {storeFile, "objects/buckets/dataset"},
		"chain-0": {"config/genesis.json", "data/priv_validator_state.json"},
		"miner-0": {"node.json", "run.json", "wallets/localnet/hotkeys/miner-0"},
	} {
		to := filepath.Join(t.TempDir(), "home")
		if installed, err := Install(t.Context(), o, o.path(folder), to); err != nil || !installed {
			t.Fatalf("%s: %v, %v", folder, installed, err)
		}
		for _, file := range want {
			if info, err := os.Stat(filepath.Join(to, filepath.FromSlash(file))); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %s: %v, %v", folder, file, info, err)
			}
		}
		if err := node.DataFolder.Check(to); err != nil { // of none of the files above does it read its version
			t.Errorf("%s as a data directory: %v", folder, err)
		}
		state := filepath.Join(to, "state")
		if err := os.WriteFile(state, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		if installed, err := Install(t.Context(), o, o.path(folder), to); err != nil || installed {
			t.Errorf("%s, again: %v, %v", folder, installed, err)
		}
		if b, err := os.ReadFile(state); err != nil || string(b) != "mine" {
			t.Errorf("%s: the second call left %q, %v", folder, b, err)
		}
	}
	p, err := node.LoadParams(o.path("miner-0", "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	_, _, hash, err := buildDataset(t.Context(), &o, t.TempDir())
	if err != nil || hash != p.DatasetHash {
		t.Errorf("the dataset made again has the hash %v, the run parameters say %v; %v", hash, p.DatasetHash, err)
	}
}
