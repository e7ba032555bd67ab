package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"templar/internal/engine/device"
	"templar/internal/memory"
	"templar/internal/model"
	"templar/internal/node"
	"templar/internal/plan"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/internal/userfile"
	"templar/protocol"
	"templar/state"
)

func runGroup(std Std, b *node.Backends) *cobra.Command {
	cmd := group("run", "Make, check, start and watch a run",
		`Commands for the owner of a run. All nodes of a run have the same parameters, in a file that
the owner publishes; their hash is announced with the first window. A plan says what they ask of
machines and links before anything begins; status and top show a network from outside.`)
	cmd.Example = `  templar run init --preset 1b --name winter --dataset HASH --aggregator SS58 --store https://ACCOUNT.r2.cloudflarestorage.com
  templar run plan run.json --link 300M
  templar run check run.json --config aggregator.yaml
  templar run start run.json --config validator.yaml --in 30m
  templar run top --config miner.yaml`
	cmd.AddCommand(runInit(b), runPlan(b), runCheck(std, b), runStart(std, b), runStatus(std, b), runTop(std, b))
	return cmd
}

// planFlags are the machines that a plan assumes.
type planFlags struct {
	link, server, store, tokens, flops, device string
	miners, validators                         int
	operations                                 float64     // --flops, read
	speeds                                     plan.Speeds // measured once
	json                                       bool
}

// usualFlops is 40 % of the 989 TFLOP/s that an H100's data sheet gives for products in bfloat16.
const usualFlops = "400T"

func (o *planFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&o.link, "link", "300M", "link of a miner or validator in bits a second, UP or UP/DOWN")
	f.StringVar(&o.server, "server-link", "1G", "link of the aggregator, UP or UP/DOWN")
	f.StringVar(&o.store, "store-link", "1G", "link of the store of the aggregator bucket, UP or UP/DOWN")
	f.StringVar(&o.tokens, "tokens-per-second", "", "tokens a second that a miner's engine trains (default from --flops)")
	f.StringVar(&o.flops, "flops", usualFlops, "operations a second that a miner's engine reaches; 400T is 40 % of an H100")
	f.StringVar(&o.device, "device", device.CUDA, "device of miners and validators, which decides what they hold in the machine's memory: cuda or cpu")
	f.IntVar(&o.miners, "miners", 0, "miners (default max_topk_peers)")
	f.IntVar(&o.validators, "validators", 4, "validators")
	f.BoolVar(&o.json, "json", false, "print JSON")
}

// link reads UP or UP/DOWN.
func link(flag, text string) (plan.Link, error) {
	up, down, both := strings.Cut(text, "/")
	if strings.HasPrefix(down, "s") { // 300Mb/s
		up, down, both = text, "", false
	}
	if !both {
		down = up
	}
	var l plan.Link
	var err, bad error
	l.Up, err = userfile.Quantity(up, "b/s")
	l.Down, bad = userfile.Quantity(down, "b/s")
	if err = errors.Join(err, bad); err != nil {
		return l, usagef("--%s: %w", flag, err)
	}
	return l, nil
}

// machines are those of the flags.
func (o *planFlags) machines() (m plan.Machines, err error) {
	m = plan.Machines{Miners: o.miners, Validators: o.validators}
	if m.Miners < 0 || m.Validators < 1 {
		return m, usagef("--miners and --validators must be positive")
	}
	for _, l := range []struct {
		flag, text string
		to         *plan.Link
	}{{"link", o.link, &m.Node}, {"server-link", o.server, &m.Server}, {"store-link", o.store, &m.Store}} {
		if *l.to, err = link(l.flag, l.text); err != nil {
			return m, err
		}
	}
	if o.tokens != "" {
		if m.TokensPerSecond, err = userfile.Quantity(o.tokens, ""); err != nil {
			return m, usagef("--tokens-per-second: %w", err)
		}
	}
	if _, err := device.Parse(o.device); err != nil && o.device != cpuDevice {
		return m, usagef("--device: %w", err)
	}
	if o.operations, err = userfile.Quantity(o.flops, "FLOP/s"); err != nil {
		return m, usagef("--flops: %w", err)
	}
	return m, nil
}

// plan plans a run on machines. It measures the method's steps on this machine.
func (o *planFlags) plan(r run.Run, m plan.Machines, b *node.Backends) (_ *plan.Plan, err error) {
	m.Miners = cmp.Or(m.Miners, r.Params.MaxTopKPeers)
	m.TokensPerSecond = cmp.Or(m.TokensPerSecond, o.operations/plan.FlopsPerToken(r.Params.Model, r.Params.SequenceLength))
	if o.speeds == (plan.Speeds{}) {
		if o.speeds, err = plan.Measure(*r.Params, b.Methods); err != nil {
			return nil, err
		}
	}
	m.Speeds = o.speeds
	return plan.Of(r, m, func(role telemetry.Role) (memory.Need, error) { return b.Memory(role, r, o.device, 0) })
}

// show prints a plan, and is an error when the run does not fit.
func (o *planFlags) show(cmd *cobra.Command, p *plan.Plan) error {
	out := cmd.OutOrStdout()
	if o.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		if err := e.Encode(p); err != nil {
			return err
		}
	} else if err := p.Write(out); err != nil {
		return err
	}
	if len(p.Faults) > 0 {
		return errors.New("the run does not fit these machines: change its parameters or ask for other machines")
	}
	return nil
}

func runPlan(b *node.Backends) *cobra.Command {
	var o planFlags
	cmd := &cobra.Command{
		Use: "plan FILE", Short: "Plan what a run asks of machines and links",
		Long: `Print, for the run parameters in a file or for a preset: the seconds of each phase of a window, the
bytes of each role, its memory and its bucket, and the share of a window in which a miner trains.
Sizes are the most that the method allows. The speeds of compression and of applying updates are
measured on this machine; --flops or --tokens-per-second gives the speed of training. The exit code
is 1 when the run does not fit.`,
		Example: `  templar run plan run.json --link 300M --server-link 1G
  templar run plan 1b --link 100M/500M --tokens-per-second 40000 --miners 16 --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("name a file of run parameters, or a preset: %s", strings.Join(protocol.Presets(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := loadOrPreset(b, args[0])
			if err != nil {
				return err
			}
			m, err := o.machines()
			if err != nil {
				return err
			}
			p, err := o.plan(r, m, b)
			if err != nil {
				return err
			}
			return o.show(cmd, p)
		},
	}
	cmd.Flags().SortFlags = false
	o.flags(cmd.Flags())
	return cmd
}

func loadOrPreset(b *node.Backends, name string) (run.Run, error) {
	if p, err := protocol.Preset(name); err == nil {
		return run.New(p, b.Methods)
	}
	r, err := b.LoadRun(name)
	if errors.Is(err, fs.ErrNotExist) {
		return r, usagef("%w: name a file, or a preset: %s", err, strings.Join(protocol.Presets(), ", "))
	}
	if err != nil {
		return r, usageError{err}
	}
	return r, nil
}

type initFlags struct {
	planFlags
	preset, scores, name, dataset, out string
	theta0                             string
	seed                               uint64
	aggregators, stores, set           []string
	blockTime                          time.Duration
	force, fit                         bool
}

func runInit(b *node.Backends) *cobra.Command {
	var o initFlags
	cmd := &cobra.Command{
		Use: "init", Short: "Write the parameters of a new run, with a plan",
		Long: `Write the file of a run's parameters, from a preset and changes, and print the plan of
"templar run plan". Nothing is written when the run does not fit, unless --force is given.
Publish the file: every node names it with --run, and nodes refuse a run with another hash.`,
		Example: `  templar run init --preset 150m --name winter --dataset 9f2c... --aggregator 5F3s... --store https://ACCOUNT.r2.cloudflarestorage.com
  templar run init --preset 1b-loco --set blocks_per_window=60 --set method.params.topk=32 ...`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd, b) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.preset, "preset", "1b", "model and run parameters to start from: "+strings.Join(protocol.Presets(), ", "))
	f.StringVar(&o.name, "name", "", "name of the run: two runs never share objects")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the initial parameters")
	f.StringVar(&o.theta0, "theta-0", "", "folder of a model to begin with, as \"templar model import\" writes it (default drawn from the seed)")
	f.StringVar(&o.dataset, "dataset", "", "hash that \"templar dataset build\" printed")
	f.StringSliceVar(&o.aggregators, "aggregator", nil, "hotkey whose Aggregates count, in order of precedence; several with commas between them")
	f.StringSliceVar(&o.stores, "store", nil, "endpoint of stores that the run trusts; several with commas between them")
	f.StringVar(&o.scores, "scores", "work", "rules of pay, draws and peer lists: work, or described for those of Templar v0.2.82")
	f.DurationVar(&o.blockTime, "block-time", 0, "time between blocks of the run's chain, with which the run's other times grow (default the preset's)")
	f.StringArrayVar(&o.set, "set", nil, "another value of a parameter, KEY=VALUE, with dots into objects; may be repeated")
	f.BoolVar(&o.fit, "fit", false, "set the deadlines of uploads, gathers and publication to what the links need and a quarter more")
	f.StringVar(&o.out, "out", "run.json", "file to write")
	f.BoolVar(&o.force, "force", false, "write the file in spite of a plan that does not fit, and over an older file")
	o.flags(f)
	return cmd
}

func (o *initFlags) run(cmd *cobra.Command, b *node.Backends) error {
	p, err := o.params()
	if err != nil {
		return err
	}
	r, err := run.New(p, b.Methods)
	if err != nil {
		return usageError{err}
	}
	if _, err := os.Lstat(o.out); err == nil && !o.force {
		return usagef("--out: %s exists: name another file, or give --force", o.out)
	}
	m, err := o.machines()
	if err != nil {
		return err
	}
	made, err := o.plan(r, m, b)
	if err == nil && o.fit {
		made.Fit(&p)
		if r, err = run.New(p, b.Methods); err != nil {
			return usagef("--fit: %w: raise blocks_per_window with --set, or ask for faster links", err)
		}
		made, err = o.plan(r, m, b)
	}
	if err != nil {
		return err
	}
	if err := o.show(cmd, made); err != nil && !o.force {
		return fmt.Errorf("%w; %s was not written (--force writes it)", err, o.out)
	}
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.out, append(text, '\n'), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s, hash %v: publish it, and start the validators, the aggregator and miners with --run %s\n", o.out, r.Hash, o.out)
	return nil
}

// params are the preset's, with the changes.
func (o *initFlags) params() (protocol.Params, error) {
	p, err := protocol.Preset(o.preset)
	if err != nil {
		return p, usagef("--preset: %w", err)
	}
	switch o.scores {
	case "work":
	case "described":
		p.DescribedScores()
	default:
		return p, usagef("--scores: %q is not known: want work or described", o.scores)
	}
	if o.blockTime < 0 {
		return p, usagef("--block-time: %v is not valid: want a time like 2s", o.blockTime)
	}
	if o.blockTime > 0 {
		p.Pace(o.blockTime)
	}
	var missing []string
	for _, f := range []struct {
		flag  string
		given bool
	}{{"name", o.name != ""}, {"dataset", o.dataset != ""}, {"aggregator", len(o.aggregators) > 0}, {"store", len(o.stores) > 0}} {
		if !f.given {
			missing = append(missing, "--"+f.flag)
		}
	}
	if missing != nil {
		return p, usagef("%s: missing; \"templar run plan %s\" plans a run without them", strings.Join(missing, ", "), o.preset)
	}
	p.Run, p.Seed, p.Stores = o.name, o.seed, o.stores
	if err := p.DatasetHash.UnmarshalText([]byte(o.dataset)); err != nil {
		return p, usagef("--dataset: %w: want the hash that \"templar dataset build\" prints", err)
	}
	for _, a := range o.aggregators {
		h, err := protocol.ParseHotkey(a)
		if err != nil {
			return p, usagef("--aggregator: %w", err)
		}
		p.Aggregators = append(p.Aggregators, h)
	}
	if o.theta0 != "" {
		if err := o.imported(&p); err != nil {
			return p, usagef("--theta-0: %w", err)
		}
	}
	return o.change(p)
}

// imported takes the shape and the hash of the model that the run begins with.
func (o *initFlags) imported(p *protocol.Params) error {
	m, params, err := model.Load(o.theta0)
	if err != nil {
		return err
	}
	m.InitStd, p.Model = p.Model.InitStd, m // nothing is drawn
	space, err := state.New(m.Layout())
	if err == nil {
		p.Theta0 = space.Hash(params)
	}
	return err
}

// change applies --set to the JSON form of the parameters, so that names and checks are those of the file.
func (o *initFlags) change(p protocol.Params) (protocol.Params, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return p, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // a seed may be larger than a float64 holds exactly
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		return p, err
	}
	for _, s := range o.set {
		path, value, ok := strings.Cut(s, "=")
		if !ok {
			return p, usagef("--set %s: want KEY=VALUE", s)
		}
		at, keys := doc, strings.Split(path, ".")
		for _, k := range keys[:len(keys)-1] {
			inner, ok := at[k].(map[string]any)
			if !ok {
				return p, usagef("--set %s: the parameters have no object %q", s, k)
			}
			at = inner
		}
		last := keys[len(keys)-1]
		if _, ok := at[last]; !ok {
			return p, usagef("--set %s: the parameters have no %q", s, path)
		}
		at[last] = value
		if _, err := strconv.ParseFloat(value, 64); err == nil {
			at[last] = json.Number(value)
		}
	}
	if raw, err = json.Marshal(doc); err != nil {
		return p, err
	}
	p, err = protocol.DecodeParams(raw)
	if err != nil && len(o.set) == 0 { // what the preset, the model and other flags make together
		return p, usagef("%w: change one of them with --set, or take another preset", err)
	}
	if err != nil {
		return p, usagef("--set: %w", err)
	}
	return p, nil
}
