package cli

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"templar/internal/adversary"
	"templar/internal/config"
	"templar/internal/dashboard/tui"
	"templar/internal/localnet"
	"templar/internal/tasks"
	"templar/internal/telemetry/otlp"
	"templar/internal/userfile"
	"templar/internal/wallet"
	"templar/protocol"
)

const (
	defaultWindows = 80
	maxNodes       = 64 // of each role: more than one machine can run
)

func (a App) localnet(std Std) *cobra.Command {
	o := localnet.Options{Backends: a.Backends, Version: a.Version, In: std.In, Out: std.Out, Environ: std.Environ}
	cmd := &cobra.Command{
		Use: "localnet", Short: "Train a real model with a whole network on this machine",
		Long: `Localnet runs miners, validators, an aggregator, a chain and an object store in this one
process, over loopback, and trains one model on a text: Newton's Opticks, or yours.

While it runs it shows the state of the network; at the end, every node's scores, the loss
before and after, and where the model is. Ctrl-C stops cleanly. The same command with the same
--data-dir continues where it stopped; name another one, or remove it, to start again.

With --adversaries, adversaries take part beside the honest miners, to show how they are scored:
` + adversaryKinds(),
		Example: `  templar localnet
  templar localnet --miners 4 --adversaries lazy,noise=2,sybil=3
  templar localnet --windows 8 --json out.json
  templar localnet --serve              # and look at the page that it names
  templar localnet --serve --tasks piqa=piqa_val.jsonl,hellaswag=hellaswag_val.jsonl
  templar localnet --corpus "$(go env GOROOT)/src" --include '*.go' --data-dir gosrc`,
		Args: noArgs,
	}
	cheaters := localnetFlags(cmd.Flags(), &o)
	f := cmd.Flags()
	f.StringVar(&o.JSON, "json", "", "write a report to this file")
	f.StringVar(&o.Plot, "plot", "", "file of the loss plot (default loss.png in the data directory)")
	size := f.String("memory", "", "memory that the process may use, like 16GiB (default nine tenths of the machine's)")
	f.StringSliceVar(&o.Devices, "device", nil, "devices of the validators and miners, in turn: cpu, cuda, cuda:N or plugin:PATH (default cpu)")
	noLive := f.Bool("no-live", false, "log lines instead of the live view")
	f.StringVar(&o.Admin, "admin", config.Default().Admin.Address, "address of the admin server (page, metrics, health, status), or off")
	f.BoolVar(&o.Profile, "pprof", false, "serve profiles on the admin server")
	f.BoolVar(&o.Serve, "serve", false, "keep the admin server after the last window, until Ctrl-C")
	f.StringVar(&o.Tasks, "tasks", "", "multiple-choice tasks to measure too, before the first window, every checkpoint_frequency windows and after the last: NAME=FILE with commas between, or a folder")
	f.StringVar(&o.OTLP, "otlp", "", "collector of OpenTelemetry to send traces of miners, validators and the aggregator to, like http://127.0.0.1:4318")
	f.BoolVar(&o.Chaos, "chaos", false, "one request to the object store in ten is slow, lost, interrupted or unanswered")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkLocalnet(&o, *cheaters); err != nil {
			return err
		}
		if o.Serve && o.Admin == config.AdminOff {
			return usagef("--serve needs the admin server: leave out --admin off")
		}
		if err := checkAdmin(o.Admin); err != nil {
			return err
		}
		if o.OTLP != "" {
			if err := otlp.CheckURL(o.OTLP); err != nil {
				return usagef("--otlp: %w", err)
			}
		}
		if o.Tasks != "" {
			if _, err := tasks.OpenAll(o.Tasks, tasks.Options{}); err != nil { // better now than when the network runs
				return usagef("--tasks: %s", strings.TrimPrefix(err.Error(), "tasks: "))
			}
		}
		var err error
		if o.Memory, err = userfile.Size(*size); err != nil {
			return usagef("--memory: %w", err)
		}
		log, err := logger(cmd, std)
		if err != nil {
			return err
		}
		o.Log, o.Colour = log, tui.UseColour(std.Out, std.getenv)
		o.Live = !*noLive && !isSet(cmd.Flags(), "log-json") && isTerminal(std.Out)
		return untilInterrupted(cmd.Context(), a.Localnet(cmd.Context(), o))
	}
	cmd.AddCommand(a.prepare(std), a.folders(std), a.install(std), a.cheat(std))
	return cmd
}

// adversaryKinds lists the kinds that --adversaries accepts.
func adversaryKinds() string {
	var b strings.Builder
	for _, k := range adversary.Kinds() {
		fmt.Fprintf(&b, "\n  %-18s %s", k, k.Doc())
	}
	return b.String()
}

func (a App) prepare(std Std) *cobra.Command {
	o := localnet.Options{Backends: a.Backends, In: std.In, Out: std.Out, Environ: std.Environ}
	cmd := &cobra.Command{
		Use: "prepare", Short: "Write a localnet's wallets, keys and configurations, to run its parts by hand",
		Long: `Prepare writes the data directory of a localnet (wallets, keys, the run parameters, a
configuration for each node) and prints the commands that form the same network from
separate processes, one in each terminal.`,
		Example: `  templar localnet prepare --data-dir net --miners 2
  templar localnet prepare --data-dir net --miners 4 --adversaries copycat   # kinds: templar localnet --help`,
		Args: noArgs,
	}
	cheaters := localnetFlags(cmd.Flags(), &o)
	f, c := cmd.Flags(), config.Default().Chain
	f.StringVar(&c.Network, "subtensor.network", "", "form it on this network of Bittensor's: finney, test, archive, local or a URL (default a chain of its own)")
	f.StringVar(&c.Endpoint, "subtensor.chain_endpoint", "", "form it on the chain of this endpoint, ws:// or wss://")
	f.Uint16Var(&c.NetUID, "netuid", c.NetUID, "subnet there")
	f.DurationVar(&o.BlockTime, "block-time", 12*time.Second, "time between blocks there")
	f.StringVar(&o.WalletPath, "wallet.path", wallet.DefaultPath, "folder of the wallets that take part there")
	f.StringSliceVar(&o.Wallets, "wallets", nil, "their names, in the order of validators, miners and the aggregator: the hotkey \"default\" of each (default new hotkeys)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkLocalnet(&o, *cheaters); err != nil {
			return err
		}
		log, err := logger(cmd, std)
		if err != nil {
			return err
		}
		o.Log = log
		if o.Chain, err = c.Resolve(cmd.Flags().Changed("netuid")); err != nil {
			return usagef("--subtensor.network: %w", err)
		}
		if o.Chain.Endpoint != "" && (o.Chain.Kind() != config.Bittensor || o.BlockTime <= 0) {
			return usagef("--subtensor.chain_endpoint, --block-time: want a ws:// or wss:// URL, and a time like 12s")
		}
		commands, err := a.Prepare(cmd.Context(), o)
		if err != nil {
			return err
		}
		for _, c := range commands {
			fmt.Fprintln(std.Out, c)
		}
		return nil
	}
	return cmd
}

func (a App) folders(std Std) *cobra.Command {
	o := localnet.Options{Backends: a.Backends, In: std.In, Out: std.Out, Environ: std.Environ, Windows: 1}
	var h localnet.Hosts
	cmd := &cobra.Command{
		Use: "folders", Short: "Write a folder for each process of a network on several hosts",
		Long: `Folders writes one folder for each process of a network whose processes run on hosts of their
own, such as containers: the object store, the chain's authorities, validators, miners,
aggregators and an evaluator. Each folder holds what its process needs and no other's secrets;
move it to its host and run the command that is printed for it in the folder.

--store and --chain name the addresses at which all hosts reach the store and the
authorities, which use the ports 26656 and 26657. Run again with the same flags, it changes
nothing.`,
		Example: `  templar localnet folders --data-dir net --store store:9000 --chain chain-0,chain-1,chain-2,chain-3 --aggregators 2
  cd net/miner-0 && templar miner --config node.json`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&h.Store, "store", "", "host:port of the store")
	f.StringSliceVar(&h.Chain, "chain", nil, "hosts of the chain's authorities: four go on when one is down")
	f.StringVar(&h.Admin, "admin", "0.0.0.0:9300", "address of each node's admin server, or off")
	f.IntVar(&h.Aggregators, "aggregators", 1, "aggregators: the first publishes, the others stand by")
	f.DurationVar(&o.BlockTime, "block-time", 0, "time between blocks, with which the run's other times grow (default the preset's)")
	networkFlags(f, &o, "templar-network")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkLocalnet(&o, ""); err != nil {
			return err
		}
		if err := checkHosts(h, o.BlockTime); err != nil {
			return err
		}
		commands, err := a.Folders(cmd.Context(), o, h)
		if err != nil {
			return err
		}
		for _, c := range commands {
			fmt.Fprintln(std.Out, c)
		}
		return nil
	}
	return cmd
}

func (a App) install(std Std) *cobra.Command {
	o := localnet.Options{Backends: a.Backends}
	cmd := &cobra.Command{
		Use: "install FROM TO", Short: "Copy a process's folder to where it runs, unless it is there",
		Long: `Install copies one of the folders that "templar localnet folders" wrote, once: when TO exists it
changes nothing, so that no state is lost. It is for hosts that get the folder's secrets from
elsewhere, such as a pod's init container. The store's folder gets the dataset of the preset
and corpus, which is made there if FROM does not have it.`,
		Example: `  templar localnet install /secret /data/home`,
		Args:    between(2, 2, "the folder to copy and where to"),
	}
	f := cmd.Flags()
	f.StringVar(&o.Preset, "preset", "tiny", "of the run: "+strings.Join(protocol.Presets(), ", "))
	f.StringVar(&o.Corpus, "corpus", "", "text file or directory of the dataset (default Newton's Opticks)")
	f.StringVar(&o.Include, "include", "", "files of the corpus directory to take")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
			return usagef("%s is not a folder: name one that \"templar localnet folders\" wrote", args[0])
		}
		if err := checkCorpus(o.Corpus); err != nil {
			return err
		}
		installed, err := a.Install(cmd.Context(), o, args[0], args[1])
		if err == nil && !installed {
			fmt.Fprintf(std.Out, "%s is there: nothing is changed\n", args[1])
		}
		return err
	}
	return cmd
}

func checkHosts(h localnet.Hosts, blockTime time.Duration) error {
	if host, port, err := net.SplitHostPort(h.Store); err != nil || host == "" || port == "" {
		return usagef("--store: %q is not an address: want host:port, like store:9000", h.Store)
	}
	if len(h.Chain) == 0 {
		return usagef("--chain: missing: name the hosts of the chain's authorities, like chain-0,chain-1,chain-2,chain-3")
	}
	for _, host := range h.Chain {
		if host == "" || strings.ContainsAny(host, ":/ ") {
			return usagef("--chain: %q is not a host: want names or addresses without a port", host)
		}
	}
	if _, _, err := net.SplitHostPort(h.Admin); err != nil && h.Admin != config.AdminOff {
		return usagef("--admin: %q is not an address: want host:port, or off", h.Admin)
	}
	if h.Aggregators < 1 || h.Aggregators > maxNodes {
		return usagef("--aggregators: %d is not valid: want 1 to %d", h.Aggregators, maxNodes)
	}
	if blockTime != 0 && blockTime < 100*time.Millisecond {
		return usagef("--block-time: %v is not valid: want 100ms or more", blockTime)
	}
	return nil
}

func (a App) cheat(std Std) *cobra.Command {
	o := localnet.Options{Backends: a.Backends, In: std.In, Out: std.Out, Environ: std.Environ}
	cmd := &cobra.Command{
		Use: "cheat NAME", Short: "Run one adversary of a prepared localnet",
		Long: `Cheat runs one of the adversaries that "templar localnet prepare --adversaries" made, beside
the network's other processes. Like a miner it continues where it stopped.`,
		Example: `  templar localnet prepare --data-dir net --adversaries copycat,sybil=2
  templar localnet cheat copycat-0 --data-dir net`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("name one adversary, like copycat-0")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	dataDirFlag(f, &o, localnetDir)
	windowsFlag(f, &o)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkRun(&o); err != nil {
			return err
		}
		log, err := logger(cmd, std)
		if err != nil {
			return err
		}
		o.Log = log
		return untilInterrupted(cmd.Context(), a.Cheat(cmd.Context(), o, args[0]))
	}
	return cmd
}

func windowsFlag(f *pflag.FlagSet, o *localnet.Options) {
	f.Uint64Var(&o.Windows, "windows", defaultWindows, "windows to train")
}

const localnetDir = "templar-localnet"

func dataDirFlag(f *pflag.FlagSet, o *localnet.Options, dir string) {
	f.StringVar(&o.DataDir, "data-dir", dir, "folder for the network's data")
}

// localnetFlags adds the flags that localnet and prepare share. It returns that of --adversaries.
func localnetFlags(f *pflag.FlagSet, o *localnet.Options) (cheaters *string) {
	f.SortFlags = false
	windowsFlag(f, o)
	cheaters = f.String("adversaries", "", "adversaries beside the honest miners, like lazy=1,noise=2,sybil=3 (kinds: see \"templar localnet --help\")")
	networkFlags(f, o, localnetDir)
	return cheaters
}

// networkFlags adds the flags that describe a network.
func networkFlags(f *pflag.FlagSet, o *localnet.Options, dir string) {
	f.IntVar(&o.Miners, "miners", 3, "miners")
	f.IntVar(&o.Validators, "validators", 2, "validators")
	f.StringVar(&o.Preset, "preset", "tiny", "model and run parameters: "+strings.Join(protocol.Presets(), ", "))
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the initial parameters")
	dataDirFlag(f, o, dir)
	f.StringVar(&o.Corpus, "corpus", "", "text file or directory to train on (default Newton's Opticks)")
	f.StringVar(&o.Include, "include", "", "files of the corpus directory to take, like '*.go' (default all text)")
}

// checkLocalnet checks the flags, and parses the adversaries.
func checkLocalnet(o *localnet.Options, cheaters string) (err error) {
	if err := checkRun(o); err != nil {
		return err
	}
	switch {
	case o.Miners < 1 || o.Miners > maxNodes:
		return usagef("--miners: %d is not valid: want 1 to %d", o.Miners, maxNodes)
	case o.Validators < 1 || o.Validators > maxNodes:
		return usagef("--validators: %d is not valid: want 1 to %d", o.Validators, maxNodes)
	case o.Include != "" && o.Corpus == "":
		return usagef("--include chooses files of a directory: name it with --corpus")
	}
	if _, err := filepath.Match(o.Include, ""); err != nil {
		return usagef("--include: %q is not a pattern: want one like '*.go'", o.Include)
	}
	if _, err := protocol.Preset(o.Preset); err != nil {
		return usagef("--preset: %w", err)
	}
	for flag, file := range map[string]string{"json": o.JSON, "plot": o.Plot} {
		if _, err := os.Stat(filepath.Dir(file)); err != nil { // better now than after the training
			return usagef("--%s: %w: make the folder first", flag, err)
		}
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			return usagef("--%s: %s is a folder: name a file", flag, file)
		}
	}
	if o.Adversaries, err = adversary.Parse(cheaters); err != nil {
		return usagef("--adversaries: %w", err)
	}
	return checkCorpus(o.Corpus)
}

// checkRun checks what localnet, prepare and cheat share.
func checkRun(o *localnet.Options) error {
	switch {
	case o.Windows < 1:
		return usagef("--windows: 0 windows train nothing: want 1 or more")
	case o.DataDir == "":
		return usagef("--data-dir: the name is empty: leave the flag out for templar-localnet")
	}
	return nil
}

func checkCorpus(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return usagef("--corpus: %w: want a text file or a directory that you can read", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		_, err = f.ReadDir(1)
	}
	if err != nil {
		return usagef("--corpus: %w: want a text file, or a directory with text files", err)
	}
	return nil
}
