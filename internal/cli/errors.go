package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"templar/internal/config"
)

// usageError is wrong input: nothing was started, and a retry cannot help.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// report writes an error, a line for each fault.
func report(w io.Writer, err error) {
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintln(w, "templar:", line)
		}
	}
}

// advise adds a hint to errors of the operating system.
func advise(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "listen" {
		return fmt.Errorf("%w: %s", err, adviseListen(op))
	}
	for _, known := range []struct {
		cause error
		hint  string
	}{
		{syscall.ECONNREFUSED, "nothing listens there: start it, or correct the address"},
		{context.DeadlineExceeded, "is the other side running, and is the address right?"},
		{syscall.ENOSPC, "free some space, or choose another data directory"},
		{syscall.EDQUOT, "free some space, or choose another data directory"},
		{syscall.EROFS, "choose a writable data directory"},
		{fs.ErrPermission, "change its mode or owner, or choose another path"},
	} {
		if errors.Is(err, known.cause) {
			return fmt.Errorf("%w: %s", err, known.hint)
		}
	}
	return err
}

// adviseListen is the hint for an address that a server cannot take: the same for every server.
func adviseListen(err error) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "stop the process that listens there, or choose another address"
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.As(err, &dns):
		return "this machine does not have that address: choose one that it has, or 0.0.0.0 for all"
	case errors.Is(err, fs.ErrPermission):
		return "only root takes this port: choose one from 1024 on"
	}
	return "want host:port, like 127.0.0.1:9000, port 0 for a free one"
}

// flagError explains a command line that does not parse.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	var bare *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	case errors.As(err, &invalid):
		return usagef("--%s: %q is not valid: want %s", invalid.GetFlag().Name, invalid.GetValue(), valueOf(invalid.GetFlag()))
	case errors.As(err, &bare):
		return usagef("--%s: the value is missing: want %s", bare.GetFlag().Name, valueOf(bare.GetFlag()))
	}
	return usagef("%w: see %q", err, cmd.CommandPath()+" --help")
}

// originalFlags are flags of Templar v0.2.82 and of Bittensor that a role's command may lack, each with
// what to type instead.
var originalFlags = map[string]string{
	"device":              "this role has no model to compute: leave it out",
	"store-gathers":       "this role gathers nothing: leave it out",
	"test":                "this role gathers nothing: leave it out",
	"peers":               "this role gathers nothing: leave it out",
	"actual-batch-size":   "batches are divided to fit the memory: leave it out, or set --memory",
	"logging.info":        "this is the default: leave it out",
	"logging.record_log":  "the log goes to standard error: redirect it to a file",
	"logging.logging_dir": "the log goes to standard error: redirect it to a file",
	"no_prompt":           "a role asks nothing: leave it out",
	"no_version_checking": "no version is checked over the network: leave it out",
	"strict":              "settings are always checked: leave it out",
	"subtensor._mock":     "there is no mock chain: \"templar chain start\" runs a real one, \"templar sim\" needs none",
	"wallet.coldkey":      "a node never reads a coldkey: leave it out",
	"neuron.device":       "type --device",
	"neuron.use_wandb":    "set WANDB_API_KEY, or leave it out",
	"subtensor.register":  "type \"templar chain register\" first",
	"axon.port":           "no other node connects to a node: leave it out",
}

func unknownFlag(cmd *cobra.Command, e *pflag.NotExistError) error {
	if letters := e.GetSpecifiedShortnames(); letters != "" {
		return usagef("unknown flag -%s: flags have two dashes, see %q", letters, cmd.CommandPath()+" --help")
	}
	name := e.GetSpecifiedName()
	if advice, ok := originalFlags[name]; ok && cmd.Flags().Lookup("wallet.hotkey") != nil {
		return usagef("--%s: %s", name, advice)
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near := config.Nearest(name, known); near != "" {
		return usagef("unknown flag --%s: did you mean --%s?", name, near)
	}
	return usagef("unknown flag --%s: see %q", name, cmd.CommandPath()+" --help")
}

func unknownCommand(parent *cobra.Command, name string) error {
	var known []string
	for _, c := range parent.Commands() {
		known = append(known, c.Name())
	}
	if near := config.Nearest(name, known); near != "" {
		return usagef("unknown command %q: did you mean %q?", name, parent.CommandPath()+" "+near)
	}
	return usagef("unknown command %q: see %q", name, parent.CommandPath()+" --help")
}

// noArgs refuses positional arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("%q is not expected here: see %q", args[0], cmd.CommandPath()+" --help")
}

func valueOf(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int", "int64":
		return "a whole number"
	case "uint64":
		return "a whole number, 0 or more"
	case "uint16":
		return "a whole number from 0 to 65535"
	case "float64":
		return "a number"
	case "duration":
		return "a time like 500ms or 12s"
	case "bool":
		return "true or false"
	}
	return f.Usage
}
