package cli

import (
	"cmp"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"templar/protocol"
)

func (a App) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of the program and of the protocol", Args: noArgs,
		Example: "  templar version",
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintf(cmd.OutOrStdout(), "templar %s (protocol %d, %s %s/%s)\n",
				cmp.Or(a.Version, "unknown"), protocol.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}
