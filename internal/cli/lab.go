package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"templar/internal/dashboard/human"
	"templar/internal/dashboard/output"
	"templar/internal/dashboard/tui"
	"templar/internal/engine"
	"templar/internal/lab"
	"templar/internal/node"
	"templar/internal/workers"
	"templar/protocol"
)

// laboratory holds the flags of lab.
type laboratory struct {
	env     lab.Env
	variant lab.Variant
	file    string
	name    string
	seed    uint64
	threads int
	dir     string
	json    string
	plot    string
}

func (a App) lab(std Std) *cobra.Command {
	o := laboratory{env: labEnv(&a.Backends, a.Version), variant: lab.Default()}
	cmd := &cobra.Command{
		Use: "lab", Short: "Train a whole network in virtual time, as fast as the cores compute",
		Long: `Lab trains a network of the real miners, validators and aggregator, with the real engine, on a
simulated chain and store in virtual time: no node waits, and the same flags give the same
model, to the last bit, on any number of cores. It writes what localnet writes: a report, a
plot of the losses and a model for "templar generate".

The network is described by flags, or by a variant of a file (docs/lab.md), whose keys also set
any run parameter, the speed of machines and connections, and faults. "templar lab compare" trains
several variants with several seeds and compares them. To test a network under faults, see
"templar sim"; to run one as it is, over real connections, "templar localnet".`,
		Example: `  templar lab
  templar lab --preset tiny-loco --miners 8
  templar lab --miners 6 --adversaries noise=2 --windows 60
  templar lab --file bench/learning/main.yaml --variant "sparseloco, k 64, 2 bits"
  templar lab compare bench/learning/main.yaml --seeds 5`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.file, "file", "", "file with variants; the network's flags change the one that is trained")
	f.StringVar(&o.name, "variant", "", "the file's variant to train (default its only one)")
	v := &o.variant
	f.StringVar(&v.Preset, "preset", v.Preset, "model and run parameters: "+strings.Join(protocol.Presets(), ", "))
	f.IntVar(&v.Windows, "windows", v.Windows, "windows to train")
	f.IntVar(&v.Miners, "miners", v.Miners, "miners")
	f.IntVar(&v.Validators, "validators", v.Validators, "validators")
	f.StringVar(&v.Adversaries, "adversaries", "", "adversaries beside the honest miners, like lazy=1,noise=2 (kinds: see \"templar localnet --help\")")
	f.StringVar(&v.Corpus, "corpus", "", "text file or directory to train on (default Newton's Opticks)")
	f.StringVar(&v.Include, "include", "", "files of the corpus directory to take, like '*.go' (default all text)")
	f.Float64Var(&v.Machine.TokensPerSecond, "speed", 0, "tokens a second that each node's engine trains on (default enough for its work)")
	f.Float64Var(&v.Machine.UpMbit, "up", 0, "megabits a second that each node sends (default without limit)")
	f.Float64Var(&v.Machine.DownMbit, "down", 0, "megabits a second that each node fetches (default without limit)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the initial parameters, the pages and all else that is drawn")
	f.IntVar(&o.threads, "threads", workers.Cores(), "cores to use; the result does not depend on it")
	f.StringVar(&o.dir, "out", "templar-lab", "folder for the results")
	f.StringVar(&o.json, "json", "", "write the report to this file, too")
	f.StringVar(&o.plot, "plot", "", "file of the loss plot (default loss.png in the folder)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := o.check(f); err != nil {
			return err
		}
		return o.train(cmd.Context(), std)
	}
	cmd.AddCommand(a.labCompare(std))
	return cmd
}

func labEnv(b *node.Backends, version string) lab.Env {
	return lab.Env{
		Methods: b.Methods, Build: cmp.Or(version, "unknown"),
		Engine: func(m protocol.Model) (engine.Engine, error) { return b.Engine("", m, node.EngineOptions{Threads: 1}) },
	}
}

// check reads the file and applies the flags that were given.
func (o *laboratory) check(f *pflag.FlagSet) error {
	flags := o.variant
	flags.Name = flags.Preset
	if o.file == "" {
		if o.name != "" {
			return usagef("--variant chooses from a file: name it with --file")
		}
		o.variant = flags
	} else if err := o.choose(f, flags); err != nil {
		return usagef("--file: %w", err)
	}
	switch {
	case o.threads < 1:
		return usagef("--threads: %d is not valid: want 1 or more", o.threads)
	case o.dir == "":
		return usagef("--out: the name is empty: leave the flag out for templar-lab")
	}
	if err := checkCorpus(o.variant.Corpus); err != nil {
		return err
	}
	if err := o.variant.Check(); err != nil {
		return usagef("%w", err)
	}
	if _, err := os.Stat(filepath.Join(o.dir, "network.json")); err == nil {
		return usagef("--out: %s is a localnet's data directory: choose another folder", o.dir)
	}
	return nil
}

// choose takes a variant of the file, changed by the flags that were given.
func (o *laboratory) choose(f *pflag.FlagSet, flags lab.Variant) error {
	all, err := lab.ReadFile(o.file)
	if err != nil {
		return err
	}
	names, err := lab.Names(all)
	if err != nil {
		return err
	}
	at := slices.Index(names, o.name)
	switch {
	case o.name == "" && len(all) == 1:
		at = 0
	case at < 0:
		return fmt.Errorf("choose one with --variant: %q", names)
	}
	v := all[at]
	given := map[string]func(){
		"preset": func() { v.Preset = flags.Preset }, "windows": func() { v.Windows = flags.Windows }, "miners": func() { v.Miners = flags.Miners },
		"validators": func() { v.Validators = flags.Validators }, "adversaries": func() { v.Adversaries = flags.Adversaries },
		"corpus": func() { v.Corpus = flags.Corpus }, "include": func() { v.Include = flags.Include },
		"speed": func() { v.Machine.TokensPerSecond = flags.Machine.TokensPerSecond },
		"up":    func() { v.Machine.UpMbit = flags.Machine.UpMbit }, "down": func() { v.Machine.DownMbit = flags.Machine.DownMbit },
	}
	f.Visit(func(flag *pflag.Flag) {
		if set := given[flag.Name]; set != nil {
			set()
		}
	})
	o.variant = v
	return nil
}

// train trains the variant and writes the results, also those of a part when it is interrupted.
func (o *laboratory) train(ctx context.Context, std Std) error {
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return fmt.Errorf("folder for the results: %w", err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a network makes much garbage
	began := time.Now()
	show := newLine(std)
	last := lab.Point{}
	t, err := o.variant.Train(ctx, o.env, lab.Options{
		Seed: o.seed, Threads: o.threads,
		HeldOut: func(p lab.Point) { last = p },
		Window: func(w int) {
			o.progress(show, w, last, time.Since(began))
		},
	})
	show.clear()
	stopped := ctx.Err() != nil && errors.Is(err, context.Canceled)
	if err != nil && !stopped {
		return err
	}
	if stopped && len(t.Points) < 2 {
		return err
	}
	files := output.Files{Dir: o.dir, JSON: o.json, Plot: o.plot}
	params := o.variant.Run().Model
	if err := files.Write(&t.Report, params, t.Model); err != nil {
		return err
	}
	if err := tui.Table(std.Out, t.Report, tui.TableOptions{Colour: tui.UseColour(std.Out, std.getenv)}); err != nil {
		return err
	}
	if err := output.Agreed(t.Report); err != nil {
		return err
	}
	o.say(std.Out, &t, files, stopped)
	return nil
}

// progress shows the window that begins. The last ones are those in which validators score the run's last.
func (o *laboratory) progress(show *line, window int, last lab.Point, spent time.Duration) {
	all := o.variant.Windows
	if window >= all {
		show.say("%d windows trained, the last are being scored", all)
		return
	}
	loss, left := "", ""
	if last.Loss > 0 {
		loss = fmt.Sprintf(", held-out loss %.4f after window %d", last.Loss, last.Window)
	}
	if window > 0 {
		left = ", " + human.Elapsed(spent*time.Duration(all-window)/time.Duration(window)) + " left"
	}
	show.say("window %d of %d%s%s", window+1, all, loss, left)
}

func (o *laboratory) say(w io.Writer, t *lab.Trained, files output.Files, stopped bool) {
	fmt.Fprintf(w, "\ncomputed in %s", human.Elapsed(time.Duration(t.Wall*float64(time.Second))))
	if t.Virtual > 0 {
		fmt.Fprintf(w, "; the times above are virtual")
	}
	fmt.Fprintf(w, "\nloss plot   %s\n", files.PlotFile())
	if stopped {
		fmt.Fprintf(w, "stopped after window %d of %d: the same command begins again\n", t.Last().Window, o.variant.Windows)
		return
	}
	fmt.Fprintf(w, "state       %s\ntry         templar generate --model %s --prompt \"Light is\"\n", t.State.Short(), t.Report.Checkpoint)
}

// line shows progress: in one line of a terminal, else a line now and then.
type line struct {
	out   io.Writer
	live  bool
	shown time.Time
}

func newLine(std Std) *line { return &line{out: std.Err, live: isTerminal(std.Err)} }

func (l *line) say(format string, args ...any) {
	pause := 10 * time.Second
	if l.live {
		pause = 200 * time.Millisecond
	}
	if time.Since(l.shown) < pause {
		return
	}
	l.shown = time.Now()
	text := fmt.Sprintf(format, args...)
	if l.live {
		fmt.Fprintf(l.out, "\r%s\033[K", text)
	} else {
		fmt.Fprintln(l.out, text)
	}
}

func (l *line) clear() {
	if l.live {
		fmt.Fprint(l.out, "\r\033[K")
	}
}

// comparing holds the flags of lab compare.
type comparing struct {
	study    lab.Study
	json     string
	markdown bool
	plot     string
	x        string
	only     []string
}

func (a App) labCompare(std Std) *cobra.Command {
	var o comparing
	o.study.Env = labEnv(&a.Backends, a.Version)
	cmd := &cobra.Command{
		Use: "compare FILE...", Short: "Train variants with several seeds, side by side, and compare what they learn",
		Long: `Compare trains the variants of files (docs/lab.md), each with several seeds, and compares the losses on
held-out text: at the end, at equal tokens, at equal windows and at equal bytes; the bytes that a
miner sends and fetches, the share of time in which miners compute, and the pay of honest miners.
Seeds are the same for all variants: "against the first" is the mean difference of pairs with its
95 % interval, and "chance" where that includes 0. The plot shows means and the range of seeds.

Each run that is finished is kept in the folder: after Ctrl-C, or with more seeds or variants, the
same command computes only what is missing.`,
		Example: `  templar lab compare bench/learning/main.yaml --seeds 5
  templar lab compare a.yaml b.yaml --seeds 3 --json comparison.json
  templar lab compare bench/learning/main.yaml --only diloco --only dctsign --x bytes`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name one or more files with variants, like bench/learning/main.yaml")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.IntVar(&o.study.Seeds, "seeds", 5, "seeds of each variant")
	f.Uint64Var(&o.study.First, "first-seed", 1, "the first of them")
	f.StringArrayVar(&o.only, "only", nil, "train this variant only; may be repeated")
	f.StringVar(&o.study.Dir, "out", "templar-lab", "folder for the results, and for finished runs")
	f.StringVar(&o.json, "json", "", "write the comparison to this file, - for standard output")
	f.BoolVar(&o.markdown, "markdown", false, "print the table in Markdown")
	f.StringVar(&o.plot, "plot", "", "file of the plot (default compare.png in the folder)")
	f.StringVar(&o.x, "x", string(lab.Tokens), "horizontal axis of the plot: "+strings.Join(lab.Axes(), ", "))
	f.IntVar(&o.study.Threads, "threads", workers.Cores(), "cores to use; the results do not depend on it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := o.check(args); err != nil {
			return err
		}
		return o.run(cmd.Context(), std)
	}
	return cmd
}

func (o *comparing) check(files []string) error {
	for _, file := range files {
		variants, err := lab.ReadFile(file)
		if err != nil {
			return usagef("%w", err)
		}
		o.study.Variants = append(o.study.Variants, variants...)
	}
	names, err := lab.Names(o.study.Variants)
	if err != nil {
		return usagef("%w", err)
	}
	for _, name := range o.only {
		if !slices.Contains(names, name) {
			return usagef("--only: no variant %q: have %q", name, names)
		}
	}
	if len(o.only) > 0 {
		o.study.Variants = slices.DeleteFunc(o.study.Variants, func(v lab.Variant) bool { return !slices.Contains(o.only, v.Name) })
	}
	switch {
	case o.study.Seeds < 1:
		return usagef("--seeds: %d is not valid: want 1 or more", o.study.Seeds)
	case o.study.Threads < 1:
		return usagef("--threads: %d is not valid: want 1 or more", o.study.Threads)
	case !slices.Contains(lab.Axes(), o.x):
		return usagef("--x: %q is not valid: want %s", o.x, strings.Join(lab.Axes(), ", "))
	}
	return nil
}

func (o *comparing) run(ctx context.Context, std Std) error {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	show, done := newLine(std), 0
	o.study.Notify = func(p lab.Progress) {
		done = p.Done
		left := "time not known yet"
		if p.Left >= 0 {
			left = human.Elapsed(p.Left) + " left"
		}
		if r := p.Finished; r != nil {
			show.clear()
			fmt.Fprintf(std.Err, "%s, seed %d: %.4f in %s\n", r.Variant, r.Seed, r.Last().Loss, human.Elapsed(time.Duration(r.Wall*float64(time.Second))))
		}
		show.say("run %d of %d (%d were there), %s", min(p.Done+1, p.Runs), p.Runs, p.Kept, left)
	}
	c, err := o.study.Run(ctx)
	show.clear()
	if err != nil {
		if ctx.Err() != nil {
			fmt.Fprintf(std.Err, "%d of %d runs are kept in %s; the same command goes on from there\n", done, len(o.study.Variants)*o.study.Seeds, o.study.Dir)
		}
		return err
	}
	return o.write(std.Out, &c)
}

func (o *comparing) write(w io.Writer, c *lab.Comparison) error {
	plot := cmp.Or(o.plot, filepath.Join(o.study.Dir, "compare.png"))
	title := fmt.Sprintf("%d variants, %d seeds: mean and range", len(c.Variants), o.study.Seeds)
	if err := c.Plot(title, lab.Axis(o.x)).Write(plot); err != nil {
		return err
	}
	if o.json == "-" {
		return json.NewEncoder(w).Encode(c)
	}
	if o.json != "" {
		if err := c.WriteJSON(o.json); err != nil {
			return err
		}
	}
	if builds := c.Builds(); len(builds) > 1 {
		fmt.Fprintf(w, "the kept runs are of several versions of the program: %s; remove %s to compute all with this one\n", strings.Join(builds, ", "), filepath.Join(o.study.Dir, "runs"))
	}
	if o.markdown {
		return c.Markdown(w)
	}
	if err := c.Table(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nplot  %s\n", plot)
	return err
}
