package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"templar/internal/audit"
	"templar/internal/chain/ledger"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/node"
	"templar/internal/store"
	"templar/internal/store/fs"
	"templar/internal/strictjson"
	"templar/internal/telemetry"
	"templar/internal/wallet"
	"templar/protocol"
)

// evidence holds the flags that name the source of a run's objects.
type evidence struct{ config, dataDir string }

func (e *evidence) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&e.config, "config", "", "configuration file of any node: read the run over the network")
	f.StringVar(&e.dataDir, "data-dir", "", "data directory of a localnet: read it there, with nothing running")
}

func (e *evidence) check() error {
	if (e.config == "") == (e.dataDir == "") {
		return usagef("name the run: either --config FILE of any of its nodes, or --data-dir of a localnet")
	}
	return nil
}

// open finds the run's nodes. close releases the resources.
func (e *evidence) open(ctx context.Context, std Std, b *node.Backends, log *slog.Logger) (r *audit.Records, close func() error, err error) {
	if e.dataDir != "" {
		r, err = localRecords(ctx, b, e.dataDir)
		return r, func() error { return nil }, err
	}
	return networkRecords(ctx, e.config, std, b, log)
}

// networkRecords reads the chain and the nodes' buckets over the network. It takes no locks, so
// a node may run from the same configuration.
func networkRecords(ctx context.Context, file string, std Std, b *node.Backends, log *slog.Logger) (*audit.Records, func() error, error) {
	c, warnings, err := config.Load(telemetry.Evaluator, config.Sources{File: file, Environ: std.Environ})
	for _, w := range warnings {
		log.Warn(w)
	}
	if err != nil {
		return nil, nil, usageError{err}
	}
	if err := c.ValidateReading(b.Build()); err != nil {
		return nil, nil, usageError{err}
	}
	n, err := node.OpenReading(ctx, c, node.Env{Backends: *b, Log: log, Clock: clock.Wall{}})
	if err != nil {
		return nil, nil, err
	}
	r, err := recordsOf(ctx, n)
	if err != nil {
		return nil, nil, errors.Join(err, n.Close())
	}
	return r, n.Close, nil
}

// recordsOf lists the nodes that the chain knows.
func recordsOf(ctx context.Context, n *node.Reading) (*audit.Records, error) {
	if err := n.Directory.Refresh(ctx); err != nil {
		return nil, err
	}
	r := &audit.Records{Run: n.Run, Clock: clock.Wall{}, Chain: n.Chain, Aggregator: n.Aggregator, Dataset: n.Dataset}
	for _, v := range n.Directory.Validators() {
		r.Validators = append(r.Validators, audit.Party{UID: v.UID, Hotkey: v.Hotkey, Stake: v.Stake, Bucket: v.Bucket})
	}
	for _, m := range n.Directory.Candidates() {
		r.Miners = append(r.Miners, audit.Party{UID: m.UID, Hotkey: m.Hotkey, Bucket: m.Bucket})
	}
	return r, nil
}

// localRecords reads a localnet's directory.
func localRecords(ctx context.Context, b *node.Backends, dir string) (*audit.Records, error) {
	run, err := b.LoadRun(filepath.Join(dir, "run.json"))
	if err != nil {
		return nil, usageError{fmt.Errorf("--data-dir: %s holds no localnet: %w", dir, err)}
	}
	files, err := fs.Open(filepath.Join(dir, "store"), fs.Options{Shared: true})
	if err != nil {
		return nil, err
	}
	r := &audit.Records{
		Run: run, Clock: clock.Wall{}, Aggregator: files.Bucket("aggregator"),
		Dataset: []store.Reader{files.Bucket("dataset")},
	}
	buckets, err := files.Buckets()
	if err != nil {
		return nil, usageError{fmt.Errorf("--data-dir: %w", err)}
	}
	stakes, err := localStakes(filepath.Join(dir, "chain", "config", "genesis.json"))
	if err != nil {
		return nil, usageError{fmt.Errorf("--data-dir: %w", err)}
	}
	for _, b := range buckets {
		w, err := wallet.Load(filepath.Join(dir, "wallets"), "localnet", b.Name)
		if err != nil {
			continue // the dataset's and the aggregator's bucket belong to no neuron
		}
		p := audit.Party{Hotkey: w.Hotkey(), Stake: stakes[w.Hotkey()], Bucket: store.ReadOnly(files.Bucket(b.Name))}
		var found bool
		if p.UID, found, err = uidOf(ctx, p.Bucket); err != nil {
			return nil, err
		}
		switch {
		case !found: // has left nothing
		case strings.HasPrefix(b.Name, string(telemetry.Validator)):
			r.Validators = append(r.Validators, p)
		default:
			r.Miners = append(r.Miners, p)
		}
	}
	byUID := func(a, b audit.Party) int { return int(a.UID) - int(b.UID) }
	slices.SortFunc(r.Validators, func(a, b audit.Party) int { return cmp.Or(cmp.Compare(b.Stake, a.Stake), byUID(a, b)) })
	slices.SortFunc(r.Miners, byUID)
	if len(r.Validators) == 0 {
		return nil, fmt.Errorf("%s: no validator has left anything there yet", dir)
	}
	return r, nil
}

// localStakes reads the validators' stakes from a localnet's genesis. They do not change while
// it runs.
func localStakes(file string) (map[protocol.Hotkey]uint64, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var doc struct {
		AppState json.RawMessage `json:"app_state"`
	}
	if err := strictjson.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	g, err := ledger.DecodeGenesis(doc.AppState)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	stakes := make(map[protocol.Hotkey]uint64, len(g.Founders))
	for _, f := range g.Founders {
		stakes[f.Hotkey] = f.Stake
	}
	return stakes, nil
}

// uidOf reads a node's uid from the newest of its objects that names it.
func uidOf(ctx context.Context, b store.Reader) (uid protocol.UID, found bool, err error) {
	err = store.EachKey(ctx, b, protocol.KindSample.Prefix(), func(_ string, k protocol.Key) {
		if k.Kind == protocol.KindSample {
			uid, found = k.UID, true
		}
	})
	return uid, found, err
}

// statusLine shows on a terminal what is being done, in one line that is rewritten.
type statusLine struct {
	w    io.Writer
	live bool
}

func newStatusLine(std Std) *statusLine { return &statusLine{std.Err, isTerminal(std.Err)} }

func (l *statusLine) show(format string, args ...any) {
	if l.live {
		fmt.Fprintf(l.w, "\r\x1b[K"+format, args...)
	}
}

func (l *statusLine) clear() { l.show("") }
