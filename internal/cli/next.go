package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"templar/internal/admin"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/dashboard/collect"
	"templar/internal/localnet"
	"templar/internal/node"
	"templar/internal/store/check"
	"templar/internal/telemetry"
	"templar/internal/userfile"
	"templar/protocol"
)

// finding is something of this program's in a folder, and what can be done with it.
type finding struct {
	what  string
	steps []localnet.Suggestion
}

const (
	maxEntries = 200     // files of a folder that are looked at
	maxSniffed = 1 << 20 // bytes of a file that is looked into
)

// whatNext prints what can be done in a folder, from what it holds. It starts nothing and asks nothing over the network,
// but whether a node whose folder names an admin server still answers.
func whatNext(ctx context.Context, out io.Writer, dir string, std Std, b *node.Backends) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var all []finding
	see := func(path string) {
		if f, ok := lookAt(ctx, path, std, b); ok {
			all = append(all, f)
		}
	}
	if net, ok := network(dir); ok {
		all = append(all, net) // its other files are parts of it
		entries = nil
	}
	for _, e := range entries[:min(len(entries), maxEntries)] {
		see(filepath.Join(dir, e.Name()))
	}
	if len(all) == 0 {
		all = []finding{{"This folder holds no network, configuration or run.", []localnet.Suggestion{
			{Command: "templar localnet", Purpose: "train a model with a whole network on this machine, in minutes"},
			{Command: "templar init miner --run FILE", Purpose: "take part in a run: FILE is what its owner published"},
			{Command: "templar run plan 1b", Purpose: "what a run of your own asks of machines and links"},
		}}}
	}
	for _, f := range all {
		fmt.Fprintln(out, f.what)
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, s := range f.steps {
			fmt.Fprintf(table, "  %s\t# %s\n", s.Command, s.Purpose)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "\nAll commands: templar --help\n")
	return err
}

// lookAt recognises a file or folder.
func lookAt(ctx context.Context, path string, std Std, b *node.Backends) (finding, bool) {
	info, err := os.Stat(path)
	if err != nil || strings.HasPrefix(info.Name(), ".") {
		return finding{}, false
	}
	if info.IsDir() {
		if f, ok := network(path); ok {
			return f, true
		}
		return chainHome(path)
	}
	if info.Size() > maxSniffed {
		return finding{}, false
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json", ".yaml", ".yml":
	default:
		return finding{}, false
	}
	if role, ok := config.Sniff(path); ok {
		return nodeFile(ctx, path, cmp.Or(role, telemetry.Miner), std, b), true
	}
	if r, err := collect.ReadJSON(path); err == nil && r.Preset != "" {
		return finding{fmt.Sprintf("%s is the report of a localnet: %s, %d windows.", path, r.Preset, len(r.Windows)), localnet.Suggest(path, r)}, true
	}
	if f, ok := runFileFound(path); ok {
		return f, true
	}
	if c, err := config.LoadStore(path); err == nil && c.Dir != "" {
		return finding{fmt.Sprintf("%s configures an S3 server for %d buckets.", path, len(c.Buckets)), []localnet.Suggestion{
			{Command: "templar store serve --config " + word(path), Purpose: "serve them; --addr chooses the address"},
		}}, true
	}
	return finding{}, false
}

// network recognises the data directory of a localnet.
func network(dir string) (finding, bool) {
	if _, err := os.Stat(filepath.Join(dir, "network.json")); err != nil {
		return finding{}, false
	}
	r, err := collect.ReadJSON(filepath.Join(dir, "report.json"))
	again := localnet.Suggestion{Command: "templar localnet --data-dir " + word(dir), Purpose: "continue; flags that differ from the defaults are needed again"}
	if err != nil || len(r.Windows) == 0 {
		return finding{fmt.Sprintf("%s holds a localnet that has done no window yet.", this(dir)), []localnet.Suggestion{again}}, true
	}
	f := finding{fmt.Sprintf("%s holds a localnet: %s, %d windows done.", this(dir), r.Preset, len(r.Windows)), localnet.Suggest(dir, r)}
	f.steps = append(f.steps, again)
	return f, true
}

func this(dir string) string {
	if dir == "." {
		return "This folder"
	}
	return dir
}

// chainHome recognises the folder of a chain node.
func chainHome(dir string) (finding, bool) {
	for _, name := range []string{"genesis.json", "node_key.json"} {
		if _, err := os.Stat(filepath.Join(dir, "config", name)); err != nil {
			return finding{}, false
		}
	}
	return finding{fmt.Sprintf("%s is the folder of a chain node.", dir), []localnet.Suggestion{
		{Command: "templar chain start --home " + word(dir), Purpose: "run it; --rpc chooses the address, --block-time the pace"},
	}}, true
}

func runFileFound(path string) (finding, bool) {
	b, err := os.ReadFile(path)
	if err == nil {
		b, err = userfile.JSON(b)
	}
	if err != nil || !bytes.Contains(b, []byte(`"dataset_hash"`)) {
		return finding{}, false
	}
	p, err := protocol.DecodeParams(b)
	at := word(path)
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return finding{fmt.Sprintf("%s looks like run parameters, and is not valid: %s", path, first), []localnet.Suggestion{
			{Command: "templar run plan " + at, Purpose: "all faults"},
		}}, true
	}
	return finding{fmt.Sprintf("%s has the parameters of the run %q.", path, p.Run), []localnet.Suggestion{
		{Command: "templar run plan " + at, Purpose: "what it asks of machines and links"},
		{Command: "templar run check " + at + " --config NODE", Purpose: "whether its stores and chain are ready; NODE is your configuration"},
		{Command: "templar init miner --run " + at, Purpose: "take part; also: init validator, aggregator, evaluator"},
	}}, true
}

// nodeFile says of a node's configuration what is missing, as far as files show, and how to start it.
func nodeFile(ctx context.Context, path string, role telemetry.Role, std Std, b *node.Backends) finding {
	f := finding{what: fmt.Sprintf("%s configures a node: %s.", path, role)}
	at := word(path)
	n, _, err := config.Load(role, config.Sources{File: path, Environ: std.Environ})
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		f.what = fmt.Sprintf("%s configures a node and has a fault: %s", path, first)
		f.steps = []localnet.Suggestion{{Command: fmt.Sprintf("templar doctor --config %s", at), Purpose: "all faults"}}
		return f
	}
	if url, err := admin.Find(n.DataDir); err == nil {
		if _, err := fetchStatus(ctx, url); err == nil {
			f.what = fmt.Sprintf("%s configures a node that runs: %s.", path, role)
			f.steps = []localnet.Suggestion{{Command: "templar status " + word(n.DataDir), Purpose: "what it is doing; its page is " + url}}
			return f
		}
	}
	doctor := localnet.Suggestion{Command: "templar doctor --config " + at, Purpose: "check clock, chain, registration and buckets too"}
	var unset []string
	ok := node.HasFiles(n, role, node.Env{Backends: *b, Log: slog.New(slog.DiscardHandler), Clock: clock.Wall{}}, func(r check.Result) {
		if r.Status != check.Fail {
			return
		}
		if key, missing := strings.CutSuffix(r.Detail, ": missing"); missing {
			unset = append(unset, key)
			return
		}
		f.what += fmt.Sprintf("\n  %s: %s", r.Name, r.Detail)
		if r.Fix != "" {
			f.what += fmt.Sprintf("\n    -> %s", r.Fix)
		}
	})
	if len(unset) > 0 {
		f.what += fmt.Sprintf("\n  missing: %s", strings.Join(unset[:min(len(unset), 3)], ", "))
		if more := len(unset) - 3; more > 0 {
			f.what += fmt.Sprintf(" and %d more", more)
		}
	}
	if !ok {
		f.steps = []localnet.Suggestion{{Command: doctor.Command, Purpose: "all that is missing, and how to mend it"}}
		return f
	}
	f.steps = []localnet.Suggestion{doctor, {Command: fmt.Sprintf("templar %s --config %s", role, at), Purpose: "start it"}}
	return f
}

// word is a path as one word of a command line.
func word(path string) string { return localnet.Quote(path) }
