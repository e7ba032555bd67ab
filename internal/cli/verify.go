package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"templar/internal/audit"
	"templar/internal/node"
	"templar/protocol"
)

type verifyFlags struct {
	evidence
	window    uint64
	scores    bool
	validator int
	threads   int
	device    string
	json      bool
}

func verifyCommand(std Std, b *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify", Short: "Recompute a window from its public objects, and report what differs",
		Long: `Recompute one window from public objects, without trust in any node: the aggregate from the archived
gradients that it names, its signature, learning rate and place in the chain; the parameters,
replayed from the nearest checkpoint, against those that validators and miners reported;
and with --scores what validators reported: the draws, the losses (to 1e-6;
to 1e-5 of another engine in float32, to 1e-3 where one computes in bf16), distances,
copies, ratings, penalties and weights, and that between two reports nothing changed.

The check "start" names the basis of the replay: theta_0, which follows from the seed; a
checkpoint whose state hash validators with most of the stake have signed; or a checkpoint
that only its owner has signed. A checkpoint that more of the stake contradicts than confirms
is reported and skipped, and "replay" compares the state after each window with the signatures.

The check "final" says whether more than half of the validators' stake has signed the state after
the window, which validators charge its aggregate and why, and which terms of it are void
(docs/spec/finality.md). "closing statement" looks for others in the buckets of the miners.

A check is "unknown" when its input was deleted or cannot be reached. With a directory
(--data-dir) no chain is queried: block hashes come from the reports, stakes from the genesis.
Exit code 1 when anything differs; a minority that contradicts a checkpoint or a state is not
a difference.`,
		Example: `  templar verify --window 17 --data-dir templar-localnet
  templar verify --window 17 --scores --config miner.yaml
  templar verify --window 17 --scores --validator 1 --data-dir templar-localnet --json`,
		Args: noArgs,
	}
	var o verifyFlags
	f := cmd.Flags()
	f.SortFlags = false
	f.Uint64Var(&o.window, "window", 0, "the window to verify")
	f.BoolVar(&o.scores, "scores", false, "recompute the reports of validators too")
	f.IntVar(&o.validator, "validator", -1, "uid of the validator whose report is recomputed (default all)")
	f.StringVar(&o.device, "device", "cpu", "device that measures losses: cpu, cuda, cuda:N or plugin:PATH")
	f.IntVar(&o.threads, "threads", 0, "threads that compute (default all cores)")
	o.flags(cmd)
	f.BoolVar(&o.json, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case o.window == 0:
			return usagef("--window: missing: want the window to verify")
		case o.validator < -1 || o.validator > 65535:
			return usagef("--validator: %d is not a uid", o.validator)
		case o.validator >= 0 && !o.scores:
			return usagef("--validator chooses whose report --scores recomputes: give that flag too")
		case o.threads < 0:
			return usagef("--threads must not be negative")
		}
		if err := o.check(); err != nil {
			return err
		}
		return o.run(cmd, std, b)
	}
	return cmd
}

func (o *verifyFlags) run(cmd *cobra.Command, std Std, b *node.Backends) error {
	log, err := logger(cmd, std)
	if err != nil {
		return err
	}
	records, done, err := o.open(cmd.Context(), std, b, log)
	if err != nil {
		return err
	}
	defer func() { _ = done() }()
	line := newStatusLine(std)
	options := audit.Options{Window: protocol.Window(o.window), Scores: o.scores, Progress: line.show}
	if o.validator >= 0 {
		uid := protocol.UID(o.validator)
		options.Validator = &uid
	}
	if o.scores {
		e, err := b.Engine(o.device, records.Run.Params.Model, node.EngineOptions{Threads: o.threads})
		if err != nil {
			return err
		}
		defer e.Close()
		options.Engine = e
	}
	result, err := audit.Verify(cmd.Context(), records, options)
	line.clear()
	if err != nil {
		return err
	}
	if o.json {
		err = printJSON(cmd.OutOrStdout(), result)
	} else {
		err = printResult(cmd.OutOrStdout(), result)
	}
	if err == nil && result.Differs() {
		err = fmt.Errorf("window %d is not what its nodes say", o.window)
	}
	return err
}

func printResult(w io.Writer, r audit.Result) error {
	fmt.Fprintf(w, "window %d, step %d\n", r.Window, r.Step)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", c.Outcome, c.Name, c.Detail)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	unknown := 0
	for _, c := range r.Checks {
		if c.Outcome == audit.Unknown {
			unknown++
		}
		for _, fault := range c.Faults {
			if _, err := fmt.Fprintf(w, "%s: %s\n", c.Name, fault); err != nil {
				return err
			}
		}
	}
	switch {
	case r.Differs():
		return nil
	case unknown > 0:
		_, err := fmt.Fprintf(w, "nothing differs in what is known; unknown: %d of %d checks\n", unknown, len(r.Checks))
		return err
	}
	_, err := fmt.Fprintln(w, "nothing differs")
	return err
}
