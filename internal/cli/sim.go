package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/engine"
	"templar/internal/node"
	"templar/internal/sim"
	"templar/internal/workers"
	"templar/protocol"
)

// simulation holds the flags of sim.
type simulation struct {
	config sim.Config
	seeds  uint64
	faults string // random, byzantine, none, or a file
	engine string
	trace  bool
	json   bool
	show   bool
	save   string
	tries  int
}

func simCommand(std Std, b *node.Backends) *cobra.Command {
	var o simulation
	cmd := &cobra.Command{
		Use: "sim", Short: "Test a network of the real roles under faults, in virtual time",
		Long: `Sim runs the real miners, validators and aggregators in virtual time, on a simulated chain,
store and disks, and injects faults: crashes, lost and slow requests, partitions, wrong
clocks, a chain that stalls or reorganises, a store that loses data, a byzantine aggregator.
It checks that all honest nodes hold the same parameters after every window, that a window
never has two Aggregates, that nothing durable is lost, and that every node without faults
keeps up.

A run depends on its flags alone: the same flags give the same run. When a check fails, sim
looks for a smaller run in which it fails too, saves that run's faults, and prints the
command that repeats it; the exit code is 1.

Faults are drawn from the seed (random), left out (none), or read from a file with one
statement a line: docs/sim.md describes the language. With byzantine, nothing else goes
wrong: in one of eight windows an aggregator lies or equivocates, and validators with less
than half of the stake help it, sign and charge falsely, and forge checkpoints. That needs
three validators and two aggregators.`,
		Example: `  templar sim --faults random
  templar sim --seeds 200 --windows 40 --miners 5 --faults random
  templar sim --windows 1000 --miners 64 --engine cheap --faults random
  templar sim --faults byzantine --validators 4 --aggregators 2
  templar sim --faults outage.txt --trace
  templar sim --faults random --print-faults > faults.txt`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.Uint64Var(&o.config.Seed, "seed", 1, "seed of all random draws")
	f.Uint64Var(&o.seeds, "seeds", 1, "how many seeds to run, from --seed on")
	f.IntVar(&o.config.Windows, "windows", 40, "windows of each run")
	f.IntVar(&o.config.Miners, "miners", 8, "miners")
	f.IntVar(&o.config.Validators, "validators", 3, "validators")
	f.IntVar(&o.config.Aggregators, "aggregators", 1, "aggregators; all but the first stand by")
	f.StringVar(&o.engine, "engine", string(sim.Cheap), "engine: cheap (a stand-in, for large networks) or real (the LLaMA)")
	f.StringVar(&o.faults, "faults", "random", "random, byzantine, none, or a file with a script")
	f.BoolVar(&o.trace, "trace", false, "print the events, one a line")
	f.BoolVar(&o.json, "json", false, "print the results as JSON")
	f.BoolVar(&o.show, "print-faults", false, "print the faults as a script and run nothing")
	f.StringVar(&o.save, "save", "sim-failure.txt", "file for the faults of a run that failed")
	f.IntVar(&o.tries, "shrink", 100, "runs to spend on looking for a smaller failure")
	f.IntVar(&o.config.Threads, "threads", workers.Cores(), "cores to use; the result does not depend on it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.config.Engine = sim.Engine(o.engine)
		o.config.NewEngine = func(_ string, m protocol.Model) (engine.Engine, error) {
			return b.Engine("", m, node.EngineOptions{Threads: 1})
		}
		o.config.Methods = b.Methods
		if err := o.check(); err != nil {
			return err
		}
		return o.run(cmd.Context(), std)
	}
	return cmd
}

func (o *simulation) check() error {
	switch {
	case o.seeds < 1:
		return usagef("--seeds: 0 is not valid: want 1 or more")
	case o.seeds > 1 && o.trace:
		return usagef("--trace prints the events of one run: leave out --seeds")
	}
	drawn := o.faults == "random" || o.faults == "none" || o.faults == "byzantine"
	if o.faults == "byzantine" && (o.config.Validators < 3 || o.config.Aggregators < 2) {
		return usagef("--faults byzantine: %d validators and %d aggregators are too few for hostile ones among them: want --validators 3 and --aggregators 2, or more", o.config.Validators, o.config.Aggregators)
	}
	if !drawn {
		text, err := os.ReadFile(o.faults)
		if err != nil {
			return usagef("--faults: %w: want random, byzantine, none, or a file with a script", err)
		}
		if o.config.Faults, err = sim.Parse(string(text)); err != nil {
			return usagef("--faults: %s: %w", o.faults, err)
		}
	}
	if err := o.config.Check(); err != nil {
		return usagef("%w", err)
	}
	return nil
}

// run simulates one seed after the other, up to the first that fails.
func (o *simulation) run(ctx context.Context, std Std) error {
	if o.trace {
		o.config.Trace = std.Out
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a network is small, and makes much garbage
	var results []sim.Result
	var failed error
	began := time.Now()
	for i := uint64(0); i < o.seeds && failed == nil; i++ {
		c := o.config
		c.Seed += i
		switch o.faults {
		case "random":
			c.Faults = sim.Random(c)
		case "byzantine":
			c.Faults = sim.Byzantine(c)
		}
		if o.show {
			fmt.Fprint(std.Out, c.Faults)
			continue
		}
		r, err := o.one(ctx, std, c)
		if err != nil {
			return err
		}
		results = append(results, r)
		if r.Failed() {
			failed = o.fails(ctx, std, c, r)
		}
	}
	if o.show {
		return nil
	}
	if o.json {
		return errors.Join(json.NewEncoder(std.Out).Encode(results), failed)
	}
	o.summarise(std.Out, results, time.Since(began))
	return failed
}

// one simulates one seed and prints how it ended.
func (o *simulation) one(ctx context.Context, std Std, c sim.Config) (sim.Result, error) {
	live := isTerminal(std.Err) && !o.trace
	if live {
		shown := time.Now()
		c.Progress = func(window int) {
			if time.Since(shown) > 200*time.Millisecond {
				shown = time.Now()
				fmt.Fprintf(std.Err, "\rseed %d: window %d of %d\033[K", c.Seed, window, c.Windows)
			}
		}
	}
	r, err := sim.Run(ctx, c)
	if live {
		fmt.Fprint(std.Err, "\r\033[K")
	}
	if err == nil && !o.json {
		fmt.Fprintf(std.Out, "seed %-6d %4d windows  state %s  applied %d, mismatches %d, provisional %d, final %d, undone %d, crashes %d, failures %d\n",
			r.Seed, r.Windows, r.State.Short(), r.Applied, r.Mismatches, r.Provisional, r.Final, r.Undone, r.Crashes, r.Failures)
	}
	return r, err
}

// summarise prints the totals of the runs.
func (o *simulation) summarise(w io.Writer, results []sim.Result, took time.Duration) {
	var applied, mismatches, failed int
	var virtual time.Duration
	for _, r := range results {
		applied, mismatches, virtual = applied+r.Applied, mismatches+r.Mismatches, virtual+r.Virtual
		if r.Failed() {
			failed++
		}
	}
	fmt.Fprintf(w, "runs %d, failed %d: windows applied %d, mismatches %d; %v of virtual time in %v\n",
		len(results), failed, applied, mismatches, virtual.Round(time.Second), took.Round(time.Millisecond))
}

// fails prints the check that failed, looks for a smaller run that fails it, and saves that run.
func (o *simulation) fails(ctx context.Context, std Std, c sim.Config, r sim.Result) error {
	out := std.Err
	for _, v := range r.Violations[:min(len(r.Violations), 5)] {
		fmt.Fprintln(out, v)
	}
	small, smallest, err := sim.Shrink(ctx, c, r, o.tries)
	if err != nil && ctx.Err() != nil {
		err = nil // use the larger run
	}
	if err != nil {
		return err
	}
	replay := fmt.Sprintf("templar sim --seed %d --windows %d --miners %d --validators %d --aggregators %d --engine %s --faults %s --trace",
		small.Seed, small.Windows, small.Miners, small.Validators, small.Aggregators, cmp.Or(small.Engine, sim.Cheap), o.save)
	text := fmt.Sprintf("# %v\n# %s\n%v", smallest.Violations[0], replay, small.Faults)
	if err := os.WriteFile(o.save, []byte(text), 0o644); err != nil {
		return fmt.Errorf("save the faults of the run that failed: %w", err)
	}
	fmt.Fprintf(out, "The smallest run found with this failure has %d windows, %d nodes and %d faults. To repeat it:\n  %s\n",
		small.Windows, small.Miners+small.Validators+small.Aggregators, len(small.Faults), replay)
	return fmt.Errorf("seed %d: %v", c.Seed, smallest.Violations[0])
}
