package cli

import (
	_ "embed"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"templar/internal/chain/ledger"
	"templar/internal/config"
	"templar/internal/node"
	"templar/internal/wallet"
	"templar/protocol"
)

// flagValues lists the values of flags that take one of a few words, for completion in shells.
func flagValues(b *node.Backends) map[string][]string {
	build := b.Build()
	return map[string][]string{
		"log-level":         {"trace", "debug", "info", "warn", "error"},
		"preset":            protocol.Presets(),
		"device":            build.Devices,
		"precision":         {"float32", "bf16"},
		"blas":              {"builtin", "openblas", "auto"},
		"chain.backend":     build.Chains,
		"subtensor.network": {"finney", "test", "archive", "local"},
	}
}

// fileExtensions narrow the completion of flags that name files. Other flags of pathFlags take
// any file.
var fileExtensions = map[string][]string{
	"config":    {"json", "yaml", "yml"},
	"run":       {"json"},
	"json":      {"json"},
	"tokenizer": {"json"},
	"plot":      {"png"},
}

// directoryFlags name folders.
var directoryFlags = []string{"data-dir", "home", "model", "wallet.path", "chain.state"}

// fieldFlags take name=value, by the path of their command.
var fieldFlags = map[string]func() []string{
	"templar chain params --set": chainParamNames,
	"templar chain init --set":   chainParamNames,
}

func chainParamNames() []string {
	defaults := ledger.DefaultParams()
	b, err := defaults.Encode()
	if err != nil {
		panic(err) // they are constants
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		panic(err)
	}
	return slices.Sorted(maps.Keys(fields))
}

// argValues are what the arguments of commands may be, by the command's path. Those of other commands are files.
var argValues = map[string]func(*cobra.Command) ([]string, cobra.ShellCompDirective){
	"templar status":     directories,
	"templar open":       directories,
	"templar model info": directories,
	"templar engine install": func(*cobra.Command) ([]string, cobra.ShellCompDirective) {
		return []string{"cuda13"}, cobra.ShellCompDirectiveNoFileComp
	},
	"templar store keys": bucketsOfFile,
}

func directories(*cobra.Command) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// bucketsOfFile lists the buckets of a store's file.
func bucketsOfFile(c *cobra.Command) ([]string, cobra.ShellCompDirective) {
	s, err := config.LoadStore(c.Flag("config").Value.String())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return s.Buckets, cobra.ShellCompDirectiveNoFileComp
}

// completeWallets lists the wallets of the folder that the command line names, or the hotkeys of its wallet.
func completeWallets(flag string) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) (names []string, _ cobra.ShellCompDirective) {
		all, _ := wallet.List(c.Flag("wallet.path").Value.String()) // without the folder there are none
		for _, w := range all {
			if flag != "wallet.hotkey" {
				names = append(names, w.Name)
			} else if c.Flag("wallet.name").Value.String() == w.Name {
				for _, k := range w.Hotkeys {
					names = append(names, k.Name)
				}
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlags has each command of the tree offer the values of its flags.
func completeFlags(root *cobra.Command, b *node.Backends) {
	values := flagValues(b)
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		offer := func(f *pflag.Flag) {
			var complete cobra.CompletionFunc
			fields := fieldFlags[c.CommandPath()+" --"+f.Name]
			switch {
			case fields != nil:
				var names []string
				for _, name := range fields() {
					names = append(names, name+"=")
				}
				complete = cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace)
			case f.Name == "wallet.name", f.Name == "wallet.hotkey", f.Name == "wallets":
				complete = completeWallets(f.Name)
			case f.Value.Type() == "bool":
				return
			case values[f.Name] != nil:
				complete = cobra.FixedCompletions(values[f.Name], cobra.ShellCompDirectiveNoFileComp)
			case slices.Contains(directoryFlags, f.Name):
				complete = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
			case fileExtensions[f.Name] != nil:
				complete = cobra.FixedCompletions(fileExtensions[f.Name], cobra.ShellCompDirectiveFilterFileExt)
			case slices.Contains(pathFlags, f.Name):
				return // any file: what shells do without advice
			default:
				complete = cobra.NoFileCompletions
			}
			if err := c.RegisterFlagCompletionFunc(f.Name, complete); err != nil {
				panic(err) // a flag was registered twice: a fault of this file
			}
		}
		if values := argValues[c.CommandPath()]; values != nil {
			c.ValidArgsFunction = func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) { return values(c) }
		}
		c.LocalNonPersistentFlags().VisitAll(offer)
		if !c.HasParent() {
			c.PersistentFlags().VisitAll(offer)
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
}

// bashAlone lets the script for bash work without the package bash-completion, which servers often lack.
//
//go:embed completion.bash
var bashAlone string

// loadCompletion loads the completions in a running shell.
var loadCompletion = map[string]string{
	"bash":       "source <(templar completion bash)",
	"zsh":        "source <(templar completion zsh)",
	"fish":       "templar completion fish | source",
	"powershell": "templar completion powershell | Out-String | Invoke-Expression",
}

// addCompletion adds the commands that print the scripts for shells.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	bash, _, err := root.Find([]string{"completion", "bash"})
	if err != nil {
		panic(err) // the library has no such command any more
	}
	for _, c := range bash.Parent().Commands() {
		c.Example = "  " + loadCompletion[c.Name()]
	}
	bash.Long = strings.ReplaceAll(bash.Long, bashPackage, "")
	script := bash.RunE
	bash.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := io.WriteString(cmd.OutOrStdout(), bashAlone); err != nil {
			return err
		}
		return script(cmd, args)
	}
}

// bashPackage is what the library's help says of that package.
const bashPackage = `This script depends on the 'bash-completion' package.
If it is not installed already, you can install it via your OS's package manager.

`
