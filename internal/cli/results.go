package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/node"
	"templar/internal/parts"
	"templar/internal/results"
	"templar/internal/store"
	"templar/internal/store/fs"
	"templar/internal/strictjson"
	"templar/internal/tasks"
	"templar/internal/telemetry"
	"templar/internal/wallet"
	"templar/protocol"
)

type resultsFlags struct {
	config  string
	share   bool
	windows int
	json    bool
}

func resultsCommand(std Std, b *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "results [ADDRESS|DIR...]", Short: "Read and compare what evaluators have published",
		Long: `Read the signed results of evaluators: the held-out loss, and the share of right answers on
multiple-choice tasks (acc_norm where the task has it, else acc), after each window. Signature,
hotkey and run of each record are checked.

An evaluator is named by the address file that its operator hands out, by the data directory of
a localnet, or by its own configuration. With several evaluators, the records of the same
windows are compared: the same states and files give the same results, but for rounding. The
exit code is 1 when they contradict each other. To check an evaluator, run another one with the
same files.`,
		Example: `  templar results templar-localnet
  templar results --config evaluator.json --share > evaluator-0.json   # to hand out
  templar results evaluator-0.json evaluator-1.json --json`,
	}
	var o resultsFlags
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.config, "config", "", "configuration file of the evaluator")
	f.BoolVar(&o.share, "share", false, "print the evaluator's address, with the key that reads its bucket")
	f.IntVar(&o.windows, "windows", 20, "records to read: the newest ones, 0 for all")
	f.BoolVar(&o.json, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case o.windows < 0:
			return usagef("--windows: %d is not valid: want 0 or more", o.windows)
		case o.share && (o.config == "" || len(args) > 0):
			return usagef("--share: name the evaluator's configuration with --config, and nothing else")
		case o.config == "" && len(args) == 0:
			return usagef("name an evaluator: an address file, the data directory of a localnet, or --config")
		}
		return o.run(cmd, std, b, args)
	}
	return cmd
}

// resultsAddress is where an evaluator's results are, and who signs them.
type resultsAddress struct {
	Hotkey protocol.Hotkey `json:"hotkey"`
	Run    protocol.Hash   `json:"run"`
	Bucket struct {
		Endpoint string `json:"endpoint"`
		Region   string `json:"region,omitempty"`
		Name     string `json:"name"`
		KeyID    string `json:"key_id,omitempty"`
		Secret   string `json:"key_secret,omitempty"`
	} `json:"bucket"`

	store string // folder of a localnet's store, read without its server
}

func (a *resultsAddress) location() store.Location {
	b := a.Bucket
	return store.Location{Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Name, AccessKey: b.KeyID, Secret: store.Secret(b.Secret)}
}

// published is what an evaluator has published.
type published struct {
	Hotkey  protocol.Hotkey   `json:"hotkey"`
	Run     protocol.Hash     `json:"run"`
	Records []*results.Record `json:"records"` // ascending by window
}

func (o *resultsFlags) run(cmd *cobra.Command, std Std, b *node.Backends, args []string) error {
	var addresses []resultsAddress
	if o.config != "" {
		a, err := configuredResults(b, std, o.config)
		if err != nil {
			return err
		}
		if o.share {
			return printJSON(cmd.OutOrStdout(), a)
		}
		addresses = append(addresses, a)
	}
	for _, arg := range args {
		a, err := readAddress(b, arg)
		if err != nil {
			return err
		}
		addresses = append(addresses, a)
	}
	buckets := b.Buckets()
	defer buckets.Close()
	var all []published
	for _, a := range addresses {
		p, err := o.read(cmd.Context(), buckets, a)
		if err != nil {
			return fmt.Errorf("results of %v: %w", a.Hotkey, err)
		}
		all = append(all, p)
	}
	differences := contradictions(all)
	w := cmd.OutOrStdout()
	var err error
	if o.json {
		err = printJSON(w, struct {
			Evaluators  []published `json:"evaluators"`
			Differences []string    `json:"differences"`
		}{all, differences})
	} else {
		err = printResults(w, all, differences)
	}
	if err == nil && len(differences) > 0 {
		err = errors.New("the evaluators contradict each other: measure again with the same files and engine")
	}
	return err
}

// configuredResults is the address of an evaluator that a configuration describes.
func configuredResults(b *node.Backends, std Std, file string) (a resultsAddress, err error) {
	c, _, err := config.Load(telemetry.Evaluator, config.Sources{File: file, Environ: std.Environ})
	if err != nil {
		return a, usageError{err}
	}
	l := c.Buckets.Results.Reading()
	if l.Bucket == "" {
		return a, usagef("%s: it names no bucket for results: set buckets.results", file)
	}
	run, err := b.LoadRun(c.Run)
	if err != nil {
		return a, err
	}
	w, err := wallet.Load(c.Wallet.Path, c.Wallet.Name, c.Wallet.Hotkey)
	if err != nil {
		return a, err
	}
	return addressOf(w.Hotkey(), run.Hash, l), nil
}

func addressOf(hotkey protocol.Hotkey, run protocol.Hash, l store.Location) (a resultsAddress) {
	a.Hotkey, a.Run = hotkey, run
	a.Bucket.Endpoint, a.Bucket.Region, a.Bucket.Name, a.Bucket.KeyID, a.Bucket.Secret = l.Endpoint, l.Region, l.Bucket, l.AccessKey, l.Secret.Reveal()
	return a
}

// maxAddress bounds an address file, in bytes.
const maxAddress = 64 << 10

// readAddress reads an address file, or finds the evaluator of a localnet.
func readAddress(b *node.Backends, name string) (a resultsAddress, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return a, usageError{fmt.Errorf("%w: name an address file of \"templar results --share\", or the data directory of a localnet", err)}
	}
	if info.IsDir() {
		run, err := b.LoadRun(filepath.Join(name, "run.json"))
		if err != nil {
			return a, usageError{fmt.Errorf("%s holds no localnet: %w", name, err)}
		}
		const evaluator = "evaluator-0"
		w, err := wallet.Load(filepath.Join(name, "wallets"), "localnet", evaluator)
		if err != nil {
			return a, err
		}
		a = addressOf(w.Hotkey(), run.Hash, store.Location{Bucket: evaluator})
		a.store = filepath.Join(name, "store")
		return a, nil
	}
	if info.Size() > maxAddress {
		return a, usagef("%s: larger than an address file", name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return a, err
	}
	if err := strictjson.Config(text, &a); err != nil {
		return a, usageError{fmt.Errorf("%s is not the address of an evaluator: %w", name, err)}
	}
	if a.Hotkey.IsZero() || a.Bucket.Name == "" {
		return a, usagef("%s is not the address of an evaluator: hotkey or bucket is missing", name)
	}
	return a, nil
}

// open opens the bucket to read.
func (a *resultsAddress) open(d *node.Buckets) (store.Reader, error) {
	if a.store != "" {
		files, err := fs.Open(a.store, fs.Options{Shared: true})
		if err != nil {
			return nil, err
		}
		return files.Bucket(a.Bucket.Name), nil
	}
	b, err := d.Dial(a.location())
	if err != nil {
		return nil, err
	}
	return parts.Steady(b, 0, store.RetryPolicy{}, clock.Wall{}), nil
}

func (o *resultsFlags) read(ctx context.Context, d *node.Buckets, a resultsAddress) (p published, err error) {
	p = published{Hotkey: a.Hotkey, Run: a.Run, Records: []*results.Record{}}
	b, err := a.open(d)
	if err != nil {
		return p, err
	}
	var windows []protocol.Window
	err = store.EachKey(ctx, b, protocol.KindEvaluation.Prefix(), func(_ string, k protocol.Key) {
		if k.Kind == protocol.KindEvaluation {
			windows = append(windows, k.Window)
		}
	})
	if err != nil {
		return p, err
	}
	slices.SortFunc(windows, cmp.Compare[protocol.Window])
	if o.windows > 0 {
		windows = windows[max(0, len(windows)-o.windows):]
	}
	for _, w := range windows {
		key := protocol.EvaluationKey(w)
		raw, _, err := store.ReadAll(ctx, b, key, results.MaxSize)
		if err != nil {
			return p, err
		}
		r, by, err := results.Decode(raw)
		switch {
		case err != nil:
			return p, fmt.Errorf("%s: %w", key, err)
		case by != a.Hotkey:
			return p, fmt.Errorf("%s: signed by %v", key, by)
		case r.Run != a.Run || r.Window != w:
			return p, fmt.Errorf("%s: it is of another run or window", key)
		}
		p.Records = append(p.Records, r)
	}
	return p, nil
}

// contradictions compares the records that evaluators have of the same windows.
func contradictions(all []published) []string {
	out := []string{}
	for i, a := range all {
		for _, b := range all[i+1:] {
			theirs := make(map[protocol.Window]*results.Record)
			for _, r := range b.Records {
				theirs[r.Window] = r
			}
			for _, r := range a.Records {
				if o := theirs[r.Window]; o != nil {
					for _, d := range results.Compare(r, o) {
						out = append(out, fmt.Sprintf("window %d: %s (%v and %v)", r.Window, d, a.Hotkey, b.Hotkey))
					}
				}
			}
		}
	}
	return out
}

func printResults(w io.Writer, all []published, differences []string) error {
	for i, p := range all {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "evaluator %v, run %s\n", p.Hotkey, p.Run.Short())
		if len(p.Records) == 0 {
			fmt.Fprintln(w, "no results yet")
			continue
		}
		names := make(map[string]bool)
		for _, r := range p.Records {
			for _, t := range r.Tasks {
				names[t.Name] = true
			}
		}
		columns := slices.Sorted(maps.Keys(names))
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprint(t, "window\tstate\tengine\theld-out\tbits/byte")
		for _, c := range columns {
			fmt.Fprintf(t, "\t%s", c)
		}
		fmt.Fprintln(t)
		for _, r := range p.Records {
			h := telemetry.HeldOut{Loss: float64(r.HeldOut.Loss), Tokens: int(r.HeldOut.Tokens), Bytes: r.HeldOut.Bytes}
			fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s", r.Window, r.State.Short(), cmp.Or(r.Engine, "-"), decimals(defined(h.Loss)), decimals(defined(h.BitsPerByte())))
			for _, c := range columns {
				task, ok := r.Task(c)
				fmt.Fprintf(t, "\t%s", taskShare(task, ok))
			}
			fmt.Fprintln(t)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if len(all) > 1 && len(differences) == 0 {
		fmt.Fprintln(w, "\nthey agree where they measured the same")
	}
	for _, d := range differences {
		if _, err := fmt.Fprintln(w, d); err != nil {
			return err
		}
	}
	return nil
}

// taskShare is a task's result, with its standard error.
func taskShare(t results.Task, ok bool) string {
	if !ok {
		return "-"
	}
	s, normed := t.Scores()
	if tasks.Normed(t.Name) {
		s = normed
	}
	if math.IsNaN(s.StdErr) {
		return fmt.Sprintf("%.4f", s.Value)
	}
	return fmt.Sprintf("%.4f±%.4f", s.Value, s.StdErr)
}
