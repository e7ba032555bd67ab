package cli

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"templar/internal/dashboard/tui"
)

// LevelTrace is for what is more detailed than debug.
const LevelTrace = slog.LevelDebug - 4

func parseLevel(name string) (slog.Level, bool) {
	switch name {
	case "trace":
		return LevelTrace, true
	case "debug":
		return slog.LevelDebug, true
	case "info":
		return slog.LevelInfo, true
	case "warn":
		return slog.LevelWarn, true
	case "error":
		return slog.LevelError, true
	}
	return 0, false
}

func logFlags(f *pflag.FlagSet) {
	f.String("log-level", "info", "least level to log: trace, debug, info, warn or error")
	f.Bool("debug", false, "short for --log-level debug")
	f.Bool("trace", false, "short for --log-level trace")
	f.Bool("logging.debug", false, "Bittensor's name for --debug")
	f.Bool("logging.trace", false, "Bittensor's name for --trace")
	for _, alias := range []string{"logging.debug", "logging.trace"} {
		f.Lookup(alias).Hidden = true
	}
	f.Bool("log-json", false, "log JSON, a line for each record")
}

// logger writes to standard error as the command's flags say.
func logger(cmd *cobra.Command, std Std) (*slog.Logger, error) {
	level, err := logLevel(cmd.Flags(), std)
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: nameTrace}
	switch {
	case isSet(cmd.Flags(), "log-json"):
		return slog.New(slog.NewJSONHandler(std.Err, options)), nil
	case isTerminal(std.Err):
		return slog.New(tint.NewTextHandler(std.Err, &tint.Options{
			Level: level, ReplaceAttr: nameTrace, TimeFormat: time.TimeOnly, NoColor: !tui.UseColour(std.Err, std.getenv),
		})), nil
	}
	return slog.New(slog.NewTextHandler(std.Err, options)), nil
}

func nameTrace(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.LevelKey && a.Value.Any() == LevelTrace {
		return slog.String(slog.LevelKey, "TRACE")
	}
	return a
}

// logLevel takes --trace, --debug, --log-level and the variable DEBUG, in this order.
func logLevel(f *pflag.FlagSet, std Std) (slog.Level, error) {
	name := f.Lookup("log-level").Value.String()
	level, ok := parseLevel(name)
	debug, _ := strconv.ParseBool(std.getenv("DEBUG")) // whatever it is, it is no reason not to start
	switch {
	case !ok:
		return 0, usagef("--log-level: %q is not a level: want trace, debug, info, warn or error", name)
	case isSet(f, "trace"), isSet(f, "logging.trace"):
		return LevelTrace, nil
	case isSet(f, "debug"), isSet(f, "logging.debug"), debug && !f.Changed("log-level"):
		return slog.LevelDebug, nil
	}
	return level, nil
}

func isSet(f *pflag.FlagSet, name string) bool { return f.Lookup(name).Value.String() == "true" }
