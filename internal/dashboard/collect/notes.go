package collect

import (
	"context"
	"log/slog"
	"strings"
	"time"
	"unicode"
)

// Note is one line worth a person's attention.
type Note struct {
	Time  time.Time
	Level slog.Level
	Text  string // printable, one line
}

// note keeps the newest notes. Text can quote another node or the chain, so control
// characters are removed.
func (b *board) note(t time.Time, level slog.Level, text string) {
	const kept = 64
	text = Printable(text)
	if len(b.notes) >= kept {
		b.notes = append(b.notes[:0], b.notes[len(b.notes)-kept+1:]...)
	}
	b.notes = append(b.notes, Note{Time: t, Level: level, Text: text})
}

// Printable replaces control characters by spaces.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}

// LogHandler is a slog handler that shows records of at least level as notes in
// the live view: while it owns the terminal, nothing else may write there.
func (c *Collector) LogHandler(level slog.Leveler) slog.Handler {
	return &noteHandler{collector: c, level: level}
}

type noteHandler struct {
	collector *Collector
	level     slog.Leveler
	group     string // prefix of keys
	attrs     string // formatted already
}

func (h *noteHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *noteHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message + h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		writeAttr(&b, h.group, a)
		return true
	})
	h.collector.mu.Lock()
	defer h.collector.mu.Unlock()
	h.collector.mu.board.note(r.Time, r.Level, b.String())
	return nil
}

func (h *noteHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	for _, a := range attrs {
		writeAttr(&b, h.group, a)
	}
	with := *h
	with.attrs += b.String()
	return &with
}

func (h *noteHandler) WithGroup(name string) slog.Handler {
	with := *h
	if name != "" {
		with.group += name + "."
	}
	return &with
}

func writeAttr(b *strings.Builder, group string, a slog.Attr) {
	v := a.Value.Resolve()
	switch {
	case a.Equal(slog.Attr{}):
	case v.Kind() == slog.KindGroup:
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			writeAttr(b, group, inner)
		}
	default:
		b.WriteString(" " + group + a.Key + "=" + v.String())
	}
}
