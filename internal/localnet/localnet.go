// Package localnet runs a whole Templar network in one process: an S3 server, a chain,
// miners, validators and an aggregator, talking over loopback. The roles are started
// by the same constructor as the commands, from the same configuration files.
//
// All data is kept in one data directory, from which an interrupted or killed run continues.
package localnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"templar/internal/adversary"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/output"
	"templar/internal/dashboard/tui"
	"templar/internal/node"
	"templar/internal/telemetry"
	eventlog "templar/internal/telemetry/log"
	"templar/internal/workers"
	"templar/protocol"
)

// Options describe the network to run.
type Options struct {
	Backends   node.Backends
	Windows    uint64 // counted from the run's start
	Miners     int
	Validators int
	// Adversaries take part beside the honest miners.
	Adversaries adversary.Mix
	Chaos       bool // one request to the object store in ten meets a fault
	Preset      string
	Seed        uint64
	DataDir     string
	Corpus      string   // text file or directory; empty is the embedded book
	Include     string   // glob on a directory's files
	JSON        string   // file for the report; empty for none
	Plot        string   // file for the loss plot; empty is loss.png in DataDir
	Tasks       string   // multiple-choice tasks, which the evaluator measures too
	OTLP        string   // collector for the traces of miners, validators and the aggregator; empty: none
	Devices     []string // of validators and miners, in turn of their uids; the first one's is the evaluator's too
	Memory      int64    // that the process may use, in bytes; 0: nine tenths of the machine's

	// Chain, when its endpoint is set, is an existing chain, on which the
	// network is to be formed by hand (Prepare): of the wallets of WalletPath, in the order
	// of validators, miners and the aggregator, if any are named.
	Chain      config.Chain
	BlockTime  time.Duration
	WalletPath string
	Wallets    []string

	// Admin is the address of the admin server, or config.AdminOff; Profile serves profiles there.
	// With Serve it stays after the last window, until the context ends.
	Admin   string
	Profile bool
	Serve   bool
	Version string // of the program

	Live    bool // draw the live view on Out
	Log     *slog.Logger
	In      io.Reader
	Out     io.Writer
	Environ []string
	Colour  bool
}

// path is a file of the data directory.
func (o *Options) path(elem ...string) string {
	return filepath.Join(append([]string{o.DataDir}, elem...)...)
}

// Run prepares the network if necessary, runs it for its windows, and writes a report, a plot
// and a trained model. When ctx ends it stops cleanly and reports the results so far.
func Run(ctx context.Context, o Options) error {
	n, err := prepare(ctx, &o)
	if errors.Is(err, context.Canceled) {
		return tui.ErrInterrupted // nothing was kept, and there is nothing to report
	}
	if err != nil {
		return err
	}
	unlock, err := lock(o.path("store"))
	if err != nil {
		return err
	}
	defer unlock()
	c, err := o.collector(n)
	if err != nil {
		return err
	}
	console, err := o.openConsole(c)
	if err != nil {
		return err
	}
	defer console.close()
	o.introduce(n, console)
	trained, err := o.live(ctx, n, c, console)
	stopped := errors.Is(err, context.Canceled)
	if err != nil && !stopped {
		return err
	}
	if err := o.finish(c, trained, stopped); err != nil {
		return err
	}
	return o.serve(ctx, console)
}

// collector continues the report of an earlier process.
func (o *Options) collector(n *network) (*collect.Collector, error) {
	meta := collect.Meta{
		Preset: n.Preset, Seed: n.Seed, Windows: int(o.Windows), Corpus: n.Corpus, TokenUnit: "byte",
		UnigramEntropy: n.UnigramEntropy, BlocksPerWindow: n.params.BlocksPerWindow, BlockTime: n.params.BlockTime(), DataDir: o.DataDir, Cores: workers.Cores(),
	}
	for _, m := range n.members() {
		meta.Nodes = append(meta.Nodes, collect.Member{Name: m.name, Role: m.role, UID: m.uid, Hotkey: m.hotkey})
	}
	c := collect.NewCollector(meta)
	earlier, err := collect.ReadJSON(o.path(output.Report))
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("report of the earlier run: %w; remove it to continue without it", err)
	default:
		c.Resume(earlier)
	}
	return c, nil
}

// live runs the network under the live view, or with log lines.
func (o *Options) live(ctx context.Context, n *network, c *collect.Collector, console *console) (*evaluated, error) {
	if !o.Live {
		return o.operate(ctx, n, telemetry.Tee(c, console, eventlog.New(o.Log)), c, console.monitor)
	}
	o.Log = slog.New(c.LogHandler(slog.LevelWarn))
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	drawing, erase := context.WithCancel(context.WithoutCancel(ctx))
	defer erase()
	type outcome struct {
		trained *evaluated
		err     error
	}
	done := make(chan outcome, 1)
	go func() {
		e, err := o.operate(running, n, telemetry.Tee(c, console), c, console.monitor)
		done <- outcome{e, err}
		erase()
	}()
	view := tui.Live{Collector: c, Clock: clock.Wall{}, In: o.In, Out: o.Out, Environ: o.Environ, Colour: o.Colour, Cancel: cancel}
	err := view.Run(drawing)
	if errors.Is(err, tui.ErrInterrupted) {
		return nil, err // the user does not want to wait; what still runs ends with the process
	}
	if err != nil {
		cancel() // without the view its progress is not visible
	}
	out := <-done
	if err != nil {
		return nil, err
	}
	return out.trained, out.err
}

// finish writes the results and prints the summary, also when a file cannot be written.
func (o *Options) finish(c *collect.Collector, trained *evaluated, stopped bool) error {
	r := c.Summary()
	var lost error
	if trained != nil {
		lost = o.files().Write(&r, trained.node.Run.Params.Model, trained.Model())
	} else {
		lost = o.files().Write(&r, protocol.Model{}, nil)
	}
	if stopped && len(r.Windows) == 0 {
		fmt.Fprintln(o.Out, "stopped before the first window was done; run the same command again to continue")
		return lost
	}
	shown := r
	shown.Checkpoint = short(r.Checkpoint)
	if !o.Live {
		fmt.Fprintln(o.Out) // behind the lines of the progress
	}
	if err := tui.Table(o.Out, shown, tui.TableOptions{Colour: o.Colour}); err != nil {
		return err
	}
	if err := errors.Join(lost, output.Agreed(r)); err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "\nloss plot   %s\n", short(o.files().PlotFile()))
	if missing := o.Windows - min(o.Windows, uint64(len(r.Windows))); stopped || missing > 0 {
		fmt.Fprintf(o.Out, "stopped with %d of %d windows to go; run the same command again to continue\n", missing, o.Windows)
	}
	table := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
	for i, s := range Suggest(o.DataDir, r) {
		fmt.Fprintf(table, "%-11s %s\t# %s\n", []string{"try", ""}[min(i, 1)], s.Command, s.Purpose)
	}
	return table.Flush()
}

func (o *Options) files() output.Files {
	return output.Files{Dir: o.DataDir, JSON: o.JSON, Plot: o.Plot}
}
