// Package tui shows a run on a terminal: a live view while it goes on, and a table when it
// has ended.
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"templar/internal/clock"
	"templar/internal/dashboard/collect"
)

// ErrInterrupted is what Live.Run returns when Ctrl-C was pressed a second time:
// the user does not want to wait for the clean stop.
var ErrInterrupted = errors.New("interrupted")

// Live is the live view on a terminal. It owns the terminal while it runs: logs go
// through Collector.LogHandler.
type Live struct {
	Collector *collect.Collector
	Clock     clock.Clock
	In        io.Reader // the terminal's keys; nil: none are read
	Out       io.Writer // the terminal
	Environ   []string  // as os.Environ gives it: TERM and NO_COLOR count
	Colour    bool      // see UseColour
	Cancel    func()    // asks the run to stop, without waiting; called at the first Ctrl-C
}

// Run draws until ctx ends, then restores the terminal as it was before and returns
// nil. It returns ErrInterrupted at the second Ctrl-C. ctx ends when the network has
// stopped, not when Cancel is called, so that the user sees it stop.
//
// The caller ends ctx on a signal; the terminal sends none for Ctrl-C while Live reads its
// keys.
func (l *Live) Run(ctx context.Context) error {
	// The renderer's own ticker needs to be no quicker than the frames come.
	const framesPerSecond = 8
	program := tea.NewProgram(&screen{live: l, palette: newPalette(l.Colour)},
		tea.WithInput(l.In), tea.WithOutput(l.Out), tea.WithEnvironment(l.Environ),
		tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond))
	ctx, stop := context.WithCancel(ctx)
	var drawing sync.WaitGroup
	drawing.Go(func() { drive(ctx, program, time.Second/framesPerSecond) })
	_, err := program.Run()
	stop()
	drawing.Wait()
	if err != nil && !errors.Is(err, tea.ErrInterrupted) {
		return fmt.Errorf("live view: %w", err)
	}
	if err != nil {
		return ErrInterrupted
	}
	return nil
}

// redraw asks for a new frame.
type redraw struct{}

// drive makes program draw at intervals, and quit when ctx ends. The view
// is for people and not part of the run: it uses wall time.
func drive(ctx context.Context, program *tea.Program, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			program.Quit()
			return
		case <-tick.C:
			program.Send(redraw{})
		}
	}
}

// screen is the view's model in Bubble Tea's sense.
type screen struct {
	live          *Live
	width, height int
	stopping      bool
	palette
}

func (s *screen) Init() tea.Cmd { return nil }

func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		if msg.String() == "ctrl+c" {
			return s, s.interrupt()
		}
	}
	return s, nil
}

func (s *screen) interrupt() tea.Cmd {
	if s.stopping {
		return tea.Interrupt
	}
	s.stopping = true
	if s.live.Cancel != nil {
		s.live.Cancel()
	}
	return nil
}

func (s *screen) View() tea.View {
	view := tea.NewView(render(frame{
		State: s.live.Collector.State(), now: s.live.Clock.Now(),
		width: s.width, height: s.height, stopping: s.stopping, palette: s.palette,
	}))
	view.AltScreen = true
	return view
}
