package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"templar/internal/engine/device"
	"templar/internal/memory"
)

func engineGroup() *cobra.Command {
	g := group("engine", "Install the engines of GPUs", `The engine of a GPU is a plug-in of XLA's and NVIDIA's libraries, which are not part of this program.`)
	g.AddCommand(engineInstall())
	return g
}

func engineInstall() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "install cuda13", Short: "Download the plug-in and NVIDIA's libraries for GPUs",
		Long: `Download XLA's plug-in for CUDA 13 and NVIDIA's libraries, 2.5 GB (3.8 GiB on disk), into a folder of their
own, where --device cuda finds them. Pip downloads wheels by hash; nothing of Python runs afterwards. The driver
(580 or later) is the machine's own. NVIDIA's licences are those of its packages on PyPI.`,
		Example: `  templar engine install cuda13
  templar engine install cuda13 --dir /opt/templar/cuda13
  templar doctor                        # shows the GPUs`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] != "cuda13" {
				return usageError{errors.New("name the engine to install: cuda13")}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder (default templar/engine/cuda13 in the user's cache folder)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		usual, err := device.Folder(args[0])
		if dir == "" {
			if err != nil {
				return err
			}
			dir = usual
		}
		if err := device.Install(cmd.Context(), args[0], dir, cmd.ErrOrStderr()); err != nil {
			return err
		}
		size, err := device.Size(dir)
		if err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		fmt.Fprintf(out, "installed %s in %s\n", memory.Format(size), dir)
		if dir != usual {
			fmt.Fprintf(out, "export %s=%s\n", device.PluginVariable, dir)
		}
		_, err = fmt.Fprintln(out, "check     templar doctor")
		return err
	}
	return cmd
}
