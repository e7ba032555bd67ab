package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"templar/internal/engine/device"
	"templar/internal/memory"
)

// withDevices adds the devices beside the processor to a command: what is there, what is missing, and the
// command that installs it.
func withDevices(cmd *cobra.Command) *cobra.Command {
	name := cmd.Flags().String("device", "", "device to open, like cuda:1 or plugin:PATH (default the first GPU, where its plug-in is installed)")
	before := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		spec, err := device.Parse(cmp.Or(*name, "cuda:all"))
		if err != nil {
			return usagef("--device: %w", err)
		}
		if err := before(cmd, args); err != nil {
			return err
		}
		for _, line := range deviceLines(cmd.Context(), spec, *name != "") {
			fmt.Fprintln(cmd.OutOrStdout(), line)
		}
		return nil
	}
	return cmd
}

// driverFile exists where NVIDIA's driver is loaded.
const driverFile = "/proc/driver/nvidia/version"

// deviceLines describe a device. Without a driver and a plug-in, one that the user did not name is not
// opened.
func deviceLines(ctx context.Context, spec device.Spec, named bool) (lines []string) {
	say := func(what, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("%-9s %s", what, fmt.Sprintf(format, args...)))
	}
	driver, err := os.ReadFile(driverFile)
	if first, _, _ := strings.Cut(string(driver), "\n"); err == nil {
		say("driver", "%s", first)
	} else {
		say("driver", "none of NVIDIA's is loaded")
	}
	if program, err := device.Program(); err != nil {
		say("engines", "no: %v", err)
		return lines
	} else {
		say("engines", "%s", program)
	}
	plugin, err := spec.Find()
	if err != nil {
		say("plug-in", "no: %v", err)
		return lines
	}
	say("plug-in", "%s", plugin)
	if driver == nil && !named {
		return lines
	}
	info, err := device.Probe(ctx, spec)
	if err != nil {
		say("device", "no: %v", err)
		return lines
	}
	say("platform", "%s %s, PJRT %s, StableHLO %s", info.Platform, strings.Join(strings.Fields(info.Version), " "), info.Interface, info.StableHLO)
	for i, d := range info.Devices {
		size := "memory not given"
		if d.Bytes > 0 {
			size = fmt.Sprintf("%s, %s in use", memory.Format(d.Bytes), memory.Format(d.Used))
		}
		say("device", "%d: %s, %s", i, d.Kind, size)
	}
	return lines
}
