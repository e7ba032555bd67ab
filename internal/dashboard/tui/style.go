package tui

import (
	"io"
	"os"

	"charm.land/lipgloss/v2"
	"golang.org/x/term"
)

// UseColour reports whether what is written to w may be coloured: w is a terminal
// that can show it, and NO_COLOR (see no-color.org) is not set.
func UseColour(w io.Writer, getenv func(string) string) bool {
	f, ok := w.(*os.File)
	return ok && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// palette says how things are emphasised. The zero palette writes plain text.
type palette struct{ title, faint, good, bad, warn, bar lipgloss.Style }

func newPalette(colour bool) palette {
	if !colour {
		return palette{}
	}
	s := lipgloss.NewStyle
	return palette{
		title: s().Bold(true),
		faint: s().Foreground(lipgloss.BrightBlack),
		good:  s().Foreground(lipgloss.Green),
		bad:   s().Foreground(lipgloss.Red),
		warn:  s().Foreground(lipgloss.Yellow),
		bar:   s().Foreground(lipgloss.Cyan),
	}
}
