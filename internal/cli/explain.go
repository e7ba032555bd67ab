package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"templar/internal/audit"
	"templar/internal/node"
	windowreport "templar/internal/report"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/protocol"
)

type explainFlags struct {
	evidence
	uid, validator int
	window         uint64
	windows        int
	json           bool
}

func explainCommand(std Std, b *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "explain", Short: "Explain a miner's score, and what would raise it",
		Long: `Explain in plain words why a miner's score is what it is. Validators write a signed report on
every window; this command reads the newest ones of one validator and says, for each window:
whether the gradient was found and what was wrong with it, whether it was evaluated and what
it did to the loss, the rank among the others, how far the model is from the validator's,
penalties, and the resulting score and weight; and whether the window is final, charged by
validators, or replaced. Below that it lists what would raise them.

Reports are read over the network with the configuration of any node, or from the directory
of a localnet, which need not be running. To check a report, see "templar verify".`,
		Example: `  templar explain --uid 3 --config miner.yaml
  templar explain --uid 3 --data-dir templar-localnet
  templar explain --uid 3 --window 17 --validator 1 --data-dir templar-localnet --json`,
		Args: noArgs,
	}
	var o explainFlags
	f := cmd.Flags()
	f.SortFlags = false
	f.IntVar(&o.uid, "uid", -1, "the miner")
	f.Uint64Var(&o.window, "window", 0, "the window to begin with, going back (default the newest)")
	f.IntVar(&o.windows, "windows", 3, "number of windows to explain")
	f.IntVar(&o.validator, "validator", -1, "uid of the validator (default the one with the highest stake that has reports)")
	o.flags(cmd)
	f.BoolVar(&o.json, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case o.uid < 0 || o.uid > 65535:
			return usagef("--uid: missing or out of range: want the miner's uid")
		case o.windows < 1:
			return usagef("--windows: %d is not valid: want 1 or more", o.windows)
		case o.validator < -1 || o.validator > 65535:
			return usagef("--validator: %d is not a uid", o.validator)
		}
		if err := o.check(); err != nil {
			return err
		}
		return o.run(cmd, std, b)
	}
	return cmd
}

func (o *explainFlags) run(cmd *cobra.Command, std Std, b *node.Backends) error {
	log, err := logger(cmd, std)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	records, done, err := o.open(ctx, std, b, log)
	if err != nil {
		return err
	}
	defer func() { _ = done() }()
	reports, err := o.reports(ctx, records, log)
	if err != nil {
		return err
	}
	if newest := uint64(reports[0].Window); o.window > newest {
		log.Warn(fmt.Sprintf("no report on window %d: explaining window %d and before", o.window, newest))
	}
	e, ok := windowreport.Explain(reports, protocol.UID(o.uid), records.Run.Params)
	if !ok {
		return fmt.Errorf("validator uid %d looked at no miner with uid %d in window %d; it looked at %s",
			reports[0].UID, o.uid, reports[0].Window, uidList(reports[0]))
	}
	docket := records.Docket(ctx)
	for i := range e.Windows {
		s := &e.Windows[i]
		s.Lines = append(s.Lines, windowreport.Line{About: "aggregate", Says: records.StandingOf(ctx, docket, s.Window).String()})
	}
	if o.json {
		return printJSON(cmd.OutOrStdout(), e)
	}
	return printExplanation(cmd.OutOrStdout(), e)
}

func uidList(r *windowreport.Report) string {
	var out []protocol.UID
	for i := range r.Miners {
		out = append(out, r.Miners[i].UID)
	}
	return fmt.Sprint(out)
}

// reports returns the reports of one validator to explain, newest first.
func (o *explainFlags) reports(ctx context.Context, r *audit.Records, log *slog.Logger) ([]*windowreport.Report, error) {
	validators := r.Validators
	if o.validator >= 0 {
		v, err := r.Validator(protocol.UID(o.validator))
		if err != nil {
			return nil, err
		}
		validators = []audit.Party{v}
	}
	var failed error
	for _, v := range validators {
		out, err := o.reportsOf(ctx, r, v)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		failed = errors.Join(failed, err)
		if len(out) > 0 {
			if failed != nil {
				log.Warn("reports left out", "err", failed)
			}
			return out, nil
		}
	}
	if failed != nil {
		return nil, failed
	}
	if o.window > 0 {
		return nil, fmt.Errorf("no validator has a report on window %d or one before it; reports are kept for %d windows", o.window, schedule.Retention(r.Run.Params))
	}
	return nil, errors.New("no validator has a report yet: validators judge windows some time after they end")
}

func (o *explainFlags) reportsOf(ctx context.Context, r *audit.Records, v audit.Party) ([]*windowreport.Report, error) {
	windows, err := r.Windows(ctx, v)
	if err != nil {
		return nil, err
	}
	slices.Reverse(windows)
	var out []*windowreport.Report
	for _, w := range windows {
		if o.window > 0 && w > protocol.Window(o.window) {
			continue
		}
		if len(out) == o.windows {
			break
		}
		rep, err := r.Report(ctx, v, w)
		if errors.Is(err, store.ErrNotFound) {
			continue // has just been pruned
		}
		if err != nil {
			return out, err
		}
		out = append(out, rep)
	}
	return out, nil
}

func printExplanation(w io.Writer, e windowreport.Explanation) error {
	fmt.Fprintf(w, "uid %d (%s), as validator uid %d sees it\n", e.UID, e.Hotkey, e.Validator)
	if e.Engine != "" {
		fmt.Fprintf(w, "losses measured by engine %s\n", e.Engine)
	}
	for _, s := range e.Windows {
		fmt.Fprintf(w, "\nwindow %d\n", s.Window)
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, l := range s.Lines {
			fmt.Fprintf(table, "  %s\t%s\n", l.About, l.Says)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintln(w, "\nwhat would raise it")
	for _, a := range e.Advice {
		if _, err := fmt.Fprintf(w, "  - %s\n", a); err != nil {
			return err
		}
	}
	return nil
}
