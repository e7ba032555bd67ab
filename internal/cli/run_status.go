package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/bulletin"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/human"
	"templar/internal/dashboard/tui"
	"templar/internal/node"
	"templar/internal/observe"
	"templar/internal/schedule"
	"templar/internal/telemetry"
	"templar/protocol"
)

// seen is what is said of both commands.
const seen = `
The network is read from outside: the chain, the heads of the newest Aggregates, and what validators have
signed and reported. No identity is needed, and nothing is written: any node's configuration will do,
while that node runs too. Signatures of Aggregates are not checked; "templar verify" does. The
utilisation of a miner and the loss on held-out text are not published in buckets: they are unknown
from outside, and in the metrics of the nodes themselves.`

// outside reads a network over its configuration, again and again.
type outside struct {
	reading *node.Reading
	windows int
}

func openOutside(ctx context.Context, std Std, b *node.Backends, file string, windows int) (*outside, error) {
	c, _, err := config.Load(telemetry.Evaluator, config.Sources{File: file, Environ: std.Environ})
	if err == nil {
		err = c.ValidateReading(b.Build())
	}
	if err != nil {
		return nil, usageError{err}
	}
	r, err := node.OpenReading(ctx, c, quiet(b))
	return &outside{r, windows}, err
}

func (o *outside) look(ctx context.Context) (*observe.Network, error) {
	records, err := recordsOf(ctx, o.reading)
	if err != nil {
		return nil, err
	}
	board := &bulletin.Board{Run: o.reading.Run, Schedule: schedule.Schedule{Params: o.reading.Params, Blocks: o.reading.Chain, Clock: clock.Wall{}}, Directory: o.reading.Directory}
	look := observe.Observer{Records: records, Windows: o.windows, Board: board, Neurons: o.reading.Chain}
	return look.Look(ctx)
}

func runStatus(std Std, b *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "Show a running network from outside, once",
		Long: `Show which window the network is in and what it does, which state is final, the newest Aggregates with
who is in and who was left out and why, the peer list, each miner's score, weight and pay, and the loss
that a validator measured.
` + seen + `

With --data-dir the folder of a localnet is read instead, with nothing running.`,
		Example: `  templar run status --config miner.yaml
  templar run status --config net/nodes/miner-0.json --windows 20 --json
  templar run status --data-dir templar-localnet`,
		Args: noArgs,
	}
	var e evidence
	e.flags(cmd)
	f := cmd.Flags()
	windows := f.Int("windows", 5, "newest Aggregates to show")
	asJSON := f.Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := e.check(); err != nil {
			return err
		}
		if *windows < 1 || *windows > 1000 {
			return usagef("--windows: %d is not valid: want 1 to 1000", *windows)
		}
		n, err := lookOnce(cmd.Context(), std, b, e, *windows)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), n)
		}
		return printNetwork(cmd.OutOrStdout(), n)
	}
	return cmd
}

func lookOnce(ctx context.Context, std Std, b *node.Backends, e evidence, windows int) (_ *observe.Network, err error) {
	if e.dataDir != "" {
		records, err := localRecords(ctx, b, e.dataDir)
		if err != nil {
			return nil, err
		}
		look := observe.Observer{Records: records, Windows: windows}
		return look.Look(ctx)
	}
	o, err := openOutside(ctx, std, b, e.config, windows)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.reading.Close()) }()
	return o.look(ctx)
}

func printNetwork(w io.Writer, n *observe.Network) error {
	fmt.Fprintf(w, "run         %q, hash %v\n", n.Run, n.Hash)
	if n.Block > 0 {
		fmt.Fprintf(w, "chain       block %d, %s\n", n.Block, n.Time.UTC().Format(time.DateTime+" UTC"))
	}
	if n.Window > 0 {
		fmt.Fprintf(w, "window      %d: %s\n", n.Window, n.Phase)
	} else {
		fmt.Fprintf(w, "phase       %s\n", n.Phase)
	}
	if n.Start != nil {
		fmt.Fprintf(w, "start       window %d, theta_0 %s\n", n.Start.Window, n.Start.Theta0.Short())
	}
	if f := n.Final; f != nil {
		fmt.Fprintf(w, "final       window %d, state %s, signed by a stake of %d of %d\n", f.Window, f.State.Short(), f.Stake, f.Of)
	} else {
		fmt.Fprintln(w, "final       no state is known to be")
	}
	if l := n.Loss; l != nil {
		fmt.Fprintf(w, "loss        %.4f nats a token before window %d, by validator uid %d on drawn pages of %d miners\n", l.Nats, l.Window, l.Validator, l.Miners)
	} else {
		fmt.Fprintln(w, "loss        unknown: no report of a validator has one")
	}
	fmt.Fprintln(w, "held-out    unknown: no bucket has it")
	if p := n.Peers; p != nil {
		from := ""
		if p.From > 0 {
			from = fmt.Sprintf(" from window %d on", p.From)
		}
		fmt.Fprintf(w, "peers       uids %v%s, reserves %v\n", p.Selected, from, p.Reserves)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(n.Windows) > 0 {
		fmt.Fprintln(t, "\naggregate\tstep\tin\tleft out\tbytes\tafter T\t")
		for i := range n.Windows {
			a := &n.Windows[i]
			left := strings.Join(a.LeftOut(), ", ")
			if left == "" {
				left = "-"
			}
			fmt.Fprintf(t, "%d\t%d\t%v\t%s\t%s\t%.1f s\t\n", a.Window, a.Step, a.Included, left, human.Size(a.Bytes), a.Published)
		}
	}
	if len(n.Miners) > 0 {
		fmt.Fprintln(t, "\nminer\tpeer\tin\tlast\tscore\tweight\tpay\tutilisation\t")
		for _, m := range n.Miners {
			peer, last := "no", m.Verdict
			if m.Selected {
				peer = "yes"
			}
			if last == "" {
				last = "-"
			}
			fmt.Fprintf(t, "uid %d\t%s\t%d of %d\t%s\t%s\t%s\t%s\tunknown\t\n", m.UID, peer, m.In, len(n.Windows), last, known(m.Final, 3), percent(m.Weight), percent(m.Incentive))
		}
	}
	if len(n.Validators) > 0 {
		fmt.Fprintln(t, "\nvalidator\tstake\tsigned\tstate\t")
		for _, v := range n.Validators {
			signed, state := "-", "-"
			if v.Signed > 0 {
				signed, state = fmt.Sprint(v.Signed), v.State.Short()
			}
			fmt.Fprintf(t, "uid %d\t%d\t%s\t%s\t\n", v.UID, v.Stake, signed, state)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, what := range n.Unread {
		fmt.Fprintf(w, "\nnot read: %s\n", collect.Printable(what))
	}
	return nil
}

func known(v *float64, digits int) string {
	if v == nil {
		return "-"
	}
	return human.Fixed(collect.Measure(*v), digits)
}

func percent(v *float64) string {
	if v == nil {
		return "-"
	}
	return human.Percent(*v)
}

func runTop(std Std, b *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "top", Short: "Watch a running network from outside",
		Long: `Show a network in the terminal until Ctrl-C: the window, who is in the Aggregates and who is left out,
scores and weights, and which window each validator has signed.
` + seen,
		Example: `  templar run top --config miner.yaml
  templar run top --config net/nodes/miner-0.json --every 1s`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	file := f.String("config", "", "configuration file of any node")
	every := f.Duration("every", 2*time.Second, "time between two looks")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case *file == "":
			return usagef("--config: missing: name the configuration of any node of the run")
		case *every < 200*time.Millisecond:
			return usagef("--every: %v is not valid: want 200ms or more", *every)
		case !isTerminal(std.Out):
			return usagef("standard output is no terminal: \"templar run status\" prints once")
		}
		ctx, cancel := context.WithCancel(cmd.Context())
		defer cancel()
		const looksBack = 10
		o, err := openOutside(ctx, std, b, *file, looksBack)
		if err != nil {
			return err
		}
		defer o.reading.Close()
		return watch(ctx, cancel, std, o, *every)
	}
	return cmd
}

// watch draws a network until the context ends or Ctrl-C is pressed.
func watch(ctx context.Context, cancel func(), std Std, o *outside, every time.Duration) error {
	p := o.reading.Params
	c := collect.NewCollector(collect.Meta{
		Title: "templar run", Preset: p.Run, Seed: p.Seed, UnigramEntropy: float64(collect.Unknown()), BlocksPerWindow: p.BlocksPerWindow, BlockTime: p.BlockTime(),
	})
	log := slog.New(c.LogHandler(slog.LevelInfo))
	events := observe.Events{Clock: clock.Wall{}, Sink: c}
	live := tui.Live{Collector: c, Clock: clock.Wall{}, In: std.In, Out: std.Out, Environ: std.Environ, Colour: tui.UseColour(std.Out, std.getenv), Cancel: cancel}
	done := make(chan error, 1)
	go func() { done <- live.Run(ctx) }()
	parameters, said := p.Model.Layout().Size(), ""
	var final observe.Final
	var judged protocol.Window
	for {
		n, err := o.look(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil && err.Error() != said:
			said = err.Error()
			log.Warn("not read", "err", err)
		case err == nil:
			said = ""
			events.Report(n, parameters)
			if f := n.Final; f != nil && *f != final {
				final = *f
				log.Info(fmt.Sprintf("window %d is final: state %s", f.Window, f.State.Short()))
			}
			if l := n.Loss; l != nil && l.Window > judged {
				judged = l.Window
				log.Info(fmt.Sprintf("window %d: validator uid %d measured a loss of %.4f nats a token on drawn pages", l.Window, l.Validator, l.Nats))
			}
		}
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return <-done
		case <-time.After(every):
		}
	}
}
