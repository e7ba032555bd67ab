package cli

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"templar/internal/node"
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

// completeFlags has each command of the tree offer the values of its flags.
func completeFlags(root *cobra.Command, b *node.Backends) {
	values := flagValues(b)
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		offer := func(f *pflag.Flag) {
			var complete cobra.CompletionFunc
			switch {
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
