package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	for cause, hint := range map[error]string{
		syscall.EADDRINUSE:       "stop the process that listens there, or choose another address",
		syscall.ECONNREFUSED:     "nothing listens there: start it, or correct the address",
		context.DeadlineExceeded: "is the other side running, and is the address right?",
		syscall.ENOSPC:           "free some space, or choose another data directory",
		syscall.EDQUOT:           "free some space, or choose another data directory",
		syscall.EROFS:            "choose a writable data directory",
		fs.ErrPermission:         "change its mode or owner, or choose another path",
	} {
		if errors.Is(err, cause) {
			return fmt.Errorf("%w: %s", err, hint)
		}
	}
	return err
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

func unknownFlag(cmd *cobra.Command, e *pflag.NotExistError) error {
	if letters := e.GetSpecifiedShortnames(); letters != "" {
		return usagef("unknown flag -%s: flags have two dashes, see %q", letters, cmd.CommandPath()+" --help")
	}
	name := e.GetSpecifiedName()
	if name == "project" { // a flag of Templar v0.2.82
		return usagef("--project: this build sends nothing to Weights & Biases: leave it out")
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
	if f := cmd.Flags().Lookup("peers"); f != nil && f.Changed {
		return usagef("%q is not expected here: give uids in one word, --peers 1,2,3", args[0])
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
