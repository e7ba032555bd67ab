package admit

import "context"

// Line lets a few compute at a time, in order of arrival, so that a crowd costs each of its
// members a wait and leaves the machine's other work its share of the processors.
type Line chan struct{}

// NewLine returns a line in front of n places.
func NewLine(n int) Line {
	l := make(Line, n)
	for range n {
		l <- struct{}{}
	}
	return l
}

// Do waits for a place, and calls f there.
func (l Line) Do(ctx context.Context, f func()) error {
	select {
	case <-l: // waiting receivers are served in order of arrival
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { l <- struct{}{} }()
	f()
	return nil
}
