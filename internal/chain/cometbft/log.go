package cometbft

import (
	"errors"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"sync/atomic"

	cmtlog "github.com/cometbft/cometbft/libs/log"
)

// cometLogger passes CometBFT's messages to slog at level debug, drops its debug
// messages, and remembers why consensus failed.
type cometLogger struct {
	out    *slog.Logger
	failed *atomic.Pointer[string] // shared by all loggers of a node
}

var _ cmtlog.Logger = (*cometLogger)(nil)

func newLogger(out *slog.Logger) *cometLogger {
	return &cometLogger{out: out, failed: new(atomic.Pointer[string])}
}

func (*cometLogger) Debug(string, ...any) {}

func (l *cometLogger) Info(msg string, keyvals ...any) { l.log(msg, keyvals) }

func (l *cometLogger) Error(msg string, keyvals ...any) {
	if strings.HasPrefix(msg, "CONSENSUS FAILURE") {
		why := msg
		for i := 0; i+1 < len(keyvals); i += 2 {
			if keyvals[i] == "err" {
				why = fmt.Sprint(keyvals[i+1])
			}
		}
		l.failed.CompareAndSwap(nil, &why)
	}
	l.log(msg, keyvals)
}

func (l *cometLogger) With(keyvals ...any) cmtlog.Logger {
	return &cometLogger{out: l.out.With(keyvals...), failed: l.failed}
}

func (l *cometLogger) log(msg string, keyvals []any) {
	l.out.Debug(msg, keyvals...)
}

// failure is why consensus failed.
func (l *cometLogger) failure() error {
	if why := l.failed.Load(); why != nil {
		return errors.New(*why)
	}
	return errors.New("unknown reason")
}

// standard is the logger for package http.
func (l *cometLogger) standard() *log.Logger {
	return slog.NewLogLogger(l.out.Handler(), slog.LevelDebug)
}
