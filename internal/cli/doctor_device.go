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
// command that installs it. It fails when the user names a device that cannot be opened.
func withDevices(cmd *cobra.Command) *cobra.Command {
	name := cmd.Flags().String("device", "", "device to open, like cuda:1 or plugin:PATH (default the first GPU, where its plug-in is installed)")
	before := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		spec, err := device.Parse(cmp.Or(*name, "cuda:all"))
		if err != nil && *name != cpuDevice {
			return usagef("--device: %w", err)
		}
		if err := before(cmd, args); err != nil || *name == cpuDevice {
			return err
		}
		lines, opened := deviceLines(cmd.Context(), spec, *name != "")
		for _, line := range lines {
			fmt.Fprintln(cmd.OutOrStdout(), line)
		}
		if *name != "" && !opened {
			return fmt.Errorf("%s cannot be used", *name)
		}
		return nil
	}
	return cmd
}

// cpuDevice is the processor.
const cpuDevice = "cpu"

// driverFile exists where NVIDIA's driver is loaded.
const driverFile = "/proc/driver/nvidia/version"

// deviceLines describe a device, and say whether it was opened. Without a driver and a plug-in, one that the user did not name is not.
func deviceLines(ctx context.Context, spec device.Spec, named bool) (lines []string, opened bool) {
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
		return lines, false
	} else {
		say("engines", "%s", program)
	}
	plugin, err := spec.Find()
	if err != nil {
		say("plug-in", "no: %v", err)
		return lines, false
	}
	say("plug-in", "%s", plugin)
	if driver == nil && !named {
		return lines, false
	}
	info, err := device.Probe(ctx, spec)
	if err != nil {
		say("device", "no: %v", err)
		return lines, false
	}
	say("platform", "%s %s, PJRT %s, StableHLO %s", info.Platform, strings.Join(strings.Fields(info.Version), " "), info.Interface, info.StableHLO)
	for i, d := range info.Devices {
		size := "memory not given"
		if d.Bytes > 0 {
			size = fmt.Sprintf("%s, %s in use", memory.Format(d.Bytes), memory.Format(d.Used))
		}
		say("device", "%d: %s, %s", i, d.Kind, size)
	}
	return lines, true
}
