package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"templar/internal/store"
	"templar/internal/store/fs"
	"templar/protocol"
)

// TestScripts runs the command in child processes, as the scripts say.
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some windows of wall time")
	}
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: installSelf,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"directories": directories, "chainaddr": chainAddr, "newestsample": newestSample,
		},
	})
}

// installSelf puts the test binary on the path as templar.
func installSelf(e *testscript.Env) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bin := filepath.Join(e.WorkDir, ".bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		return err
	}
	e.Setenv("PATH", bin+string(filepath.ListSeparator)+e.Getenv("PATH"))
	e.Setenv(asCommand, "1")
	return os.Symlink(self, filepath.Join(bin, "templar"))
}

// directories NET: turns the buckets of a prepared network into directories of their own,
// NET/buckets/<name>. It writes reader.json, which can read the run and nothing else.
func directories(ts *testscript.TestScript, _ bool, args []string) {
	net := ts.MkAbs(args[0])
	endpoint := "file://" + filepath.Join(net, "buckets")
	run := filepath.Join(net, "run.json")
	p, err := protocol.DecodeParams([]byte(ts.ReadFile(run)))
	ts.Check(err)
	p.Stores = []string{endpoint}
	writeJSON(ts, run, p)
	nodes, err := filepath.Glob(filepath.Join(net, "nodes", "*.json"))
	ts.Check(err)
	for _, file := range nodes {
		var c map[string]any
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &c))
		for _, b := range c["buckets"].(map[string]any) {
			b, ok := b.(map[string]any)
			if !ok {
				continue // the list of mirrors, which is empty
			}
			b["endpoint"] = endpoint
			for _, key := range []string{"key", "read", "write"} {
				delete(b, key) // a directory has none
			}
		}
		writeJSON(ts, file, c)
		if filepath.Base(file) == "miner-0.json" {
			delete(c, "wallet")
			delete(c, "data_dir")
			delete(c["buckets"].(map[string]any), "gradients")
			writeJSON(ts, ts.MkAbs("reader.json"), c)
		}
	}
	ts.Check(copyBucket(context.Background(), filepath.Join(net, "store"), filepath.Join(net, "buckets", "dataset"), "dataset"))
}

func writeJSON(ts *testscript.TestScript, file string, v any) {
	b, err := json.Marshal(v)
	ts.Check(err)
	ts.Check(os.WriteFile(file, b, 0o600))
}

func copyBucket(ctx context.Context, from, to, name string) error {
	source, err := fs.Open(from, fs.Options{Shared: true})
	if err != nil {
		return err
	}
	target, err := fs.Open(to, fs.Options{})
	if err != nil {
		return err
	}
	if err := target.CreateBucket(name); err != nil {
		return err
	}
	all, err := source.Bucket(name).List(ctx, "", "", 1000)
	if err != nil {
		return err
	}
	for _, o := range all {
		body, _, err := source.Bucket(name).Get(ctx, o.Key, -1)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(body)
		body.Close()
		if err != nil {
			return err
		}
		if _, err := target.Bucket(name).Put(ctx, o.Key, bytes.NewReader(b), int64(len(b)), store.PutOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// chainaddr NET NAME: sets a variable to the address that a network's chain has.
func chainAddr(ts *testscript.TestScript, _ bool, args []string) {
	var net struct{ Chain string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(filepath.Join(args[0], "network.json"))), &net))
	ts.Setenv(args[1], net.Chain)
}

// newestsample NET NODE NAME: sets a variable to the last window that a node has signed the
// state after.
func newestSample(ts *testscript.TestScript, _ bool, args []string) {
	files, err := fs.Open(filepath.Join(ts.MkAbs(args[0]), "buckets", args[1]), fs.Options{Shared: true})
	ts.Check(err)
	newest := protocol.Window(0)
	ts.Check(store.EachKey(context.Background(), files.Bucket(args[1]), protocol.KindSample.Prefix(), func(_ string, k protocol.Key) {
		newest = max(newest, k.Window)
	}))
	if newest == 0 {
		ts.Fatalf("%s has signed no state", args[1])
	}
	ts.Setenv(args[2], fmt.Sprint(newest))
}
