package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"templar/protocol"
)

// build is what "templar version" prints.
type build struct {
	Version  string            `json:"version"`
	Commit   string            `json:"commit,omitempty"`
	Modified bool              `json:"modified,omitempty"` // the source differed from the commit
	Date     string            `json:"date,omitempty"`     // of the commit
	Protocol int               `json:"protocol"`
	Go       string            `json:"go"`
	System   string            `json:"system"`
	Modules  map[string]string `json:"modules,omitempty"`
}

func (a App) build() build {
	b := build{Version: cmp.Or(a.Version, "unknown"), Protocol: protocol.Version, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	b.Modules = make(map[string]string, len(info.Deps))
	for _, m := range info.Deps {
		b.Modules[m.Path] = m.Version
	}
	return b
}

func (a App) version() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version of the program and of the protocol", Args: noArgs,
		Long: `Nodes of different releases work together when their protocol versions are equal; objects
of another protocol version have other names, and are not read.`,
		Example: "  templar version\n  templar version --json     # with the versions of all modules",
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, out := a.build(), cmd.OutOrStdout()
			if asJSON {
				e := json.NewEncoder(out)
				e.SetIndent("", "  ")
				return e.Encode(b)
			}
			fmt.Fprintf(out, "templar %s (protocol %d, %s %s)\n", b.Version, b.Protocol, b.Go, b.System)
			if b.Commit != "" {
				modified := ""
				if b.Modified {
					modified = ", with changes"
				}
				fmt.Fprintf(out, "commit %s of %s%s\n", b.Commit, b.Date, modified)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with the modules")
	return cmd
}
