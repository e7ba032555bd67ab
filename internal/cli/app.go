// Package cli is templar's command line: each command reads its flags, checks them,
// calls the package that does the work, and prints its error in one line.
//
// Exit codes: 0 success, or a service that was interrupted and stopped cleanly; 1 failure
// at run time; 2 wrong input (flags, arguments, configuration), nothing was started; 130
// interrupted before there was a result.
package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"templar/internal/config"
	"templar/internal/dashboard/tui"
	"templar/internal/localnet"
	"templar/internal/node"
	"templar/internal/telemetry"
	"templar/internal/userfile"
)

// App is the work behind the commands. Its functions return when their context ends,
// with nil or an error that wraps context.Canceled.
type App struct {
	Version  string
	Backends node.Backends
	// Role runs one role until it is done.
	Role func(ctx context.Context, b node.Backends, role telemetry.Role, n config.Node, log *slog.Logger) error
	// Localnet runs a whole network in this process.
	Localnet func(ctx context.Context, o localnet.Options) error
	// Prepare writes a localnet's data directory without running it, and returns the
	// commands that form the same network from separate processes.
	Prepare func(ctx context.Context, o localnet.Options) (commands []string, err error)
	// Folders writes a folder for each process of a network of several hosts, and returns their
	// commands.
	Folders func(ctx context.Context, o localnet.Options, h localnet.Hosts) (commands []string, err error)
	// Install copies one of these folders to where its process runs, unless something is there.
	Install func(ctx context.Context, o localnet.Options, from, to string) (installed bool, err error)
	// Cheat runs one adversary of a prepared localnet until it is done.
	Cheat func(ctx context.Context, o localnet.Options, name string) error
}

// Std is the environment of a command: its streams and variables.
type Std struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string // as os.Environ
}

// getenv returns the last value of a variable, "" when there is none.
func (s Std) getenv(name string) (value string) {
	for _, pair := range s.Environ {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			value = v
		}
	}
	return value
}

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// Run executes one command line, without the program's name, and returns the exit code.
func (a App) Run(ctx context.Context, args []string, std Std) int {
	root := a.root(std)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled), errors.Is(err, tui.ErrInterrupted):
		report(std.Err, errors.New("interrupted"))
		return exitInterrupted
	case errors.As(err, &usage):
		report(std.Err, err)
		return exitUsage
	}
	report(std.Err, advise(err))
	return exitFailed
}

// Command returns the tree of commands, for generators of documentation.
func (a App) Command(std Std) *cobra.Command { return a.root(std) }

func (a App) root(std Std) *cobra.Command {
	root := group("templar", "Train one language model over the open internet",
		`Templar trains one LLaMA model on machines that need not trust each other: miners train
and upload compressed gradients, an aggregator combines each window's gradients into one
update, validators measure each miner's contribution and set weights on a chain.

Without arguments it says what can be done in this folder.`)
	root.Example = `  templar localnet                      # a whole network on this machine, in minutes
  templar generate --model templar-localnet/model --prompt "Light is"
  templar miner --config miner.yaml     # take part in a run`
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		return whatNext(cmd.Context(), cmd.OutOrStdout(), ".", std, &a.Backends)
	}
	root.SilenceErrors, root.SilenceUsage = true, true
	root.PersistentPreRunE = expandPaths
	root.SetIn(std.In)
	root.SetOut(std.Out)
	root.SetErr(std.Err)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand())
	logFlags(root.PersistentFlags())
	b := &a.Backends
	root.AddCommand(
		a.localnet(std), runGroup(std, b), initGroup(std, b), simCommand(std, b), a.lab(std), generate(b),
		a.role(std, telemetry.Miner), a.role(std, telemetry.Validator), a.role(std, telemetry.Aggregator), a.role(std, telemetry.Evaluator),
		chainGroup(std, b), storeGroup(std, b), walletGroup(), inspect(b), vectorsGroup(), a.version(),
		statusCommand(), a.open(std), explainCommand(std, b), verifyCommand(std, b), resultsCommand(std, b), evalCommand(std, b), modelGroup(), datasetGroup(std, b), withNode(withClocks(withDevices(doctor()), b), std, b), engineGroup(),
	)
	addCompletion(root)
	completeFlags(root, b)
	return root
}

// pathFlags name files and folders.
var pathFlags = []string{
	"config", "corpus", "data-dir", "dir", "file", "genesis", "gradients", "home", "json", "model", "out", "params", "plot",
	"read-secret-file", "run", "save", "secret-file", "tasks", "text", "theta-0", "tokenizer", "wallet.path",
}

// expandPaths reads a "~" in flags that name files, which shells leave alone in --flag=~/x.
func expandPaths(cmd *cobra.Command, _ []string) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() != "string" || !slices.Contains(pathFlags, f.Name) {
			return
		}
		path, bad := userfile.Expand(f.Value.String())
		if bad == nil && path != f.Value.String() {
			bad = f.Value.Set(path)
		}
		if bad != nil {
			err = errors.Join(err, usagef("--%s: %w", f.Name, bad))
		}
	})
	return err
}

// group returns a command that only has subcommands.
func group(use, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Args: cobra.ArbitraryArgs, DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
}

func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [command]", Short: "Explain a command",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			if about, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, c := range about.Commands() {
					if c.IsAvailableCommand() {
						names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(about, strings.Join(rest, " "))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// untilInterrupted returns the outcome of a service: an interrupt is not a failure.
func untilInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
