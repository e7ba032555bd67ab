package tui

import (
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
)

// column describes one column of a table. The first rank to go when room is short
// is the highest; rank 0 stays.
type column struct {
	title string
	width int
	left  bool
	rank  int
}

// fit returns the columns that width has room for, with the indices that they have
// among cols.
func fit(cols []column, width int) []int {
	keep := make([]int, len(cols))
	for i := range keep {
		keep[i] = i
	}
	for total(cols, keep) > width {
		drop := slices.MaxFunc(keep, func(a, b int) int { return cols[a].rank - cols[b].rank })
		if cols[drop].rank == 0 {
			break
		}
		keep = slices.DeleteFunc(keep, func(i int) bool { return i == drop })
	}
	return keep
}

func total(cols []column, keep []int) int {
	n := max(0, len(keep)-1)
	for _, i := range keep {
		n += cols[i].width
	}
	return n
}

// row lays cells out in the kept columns, one space apart.
func row(cols []column, keep []int, cell func(i int) string) string {
	cells := make([]string, len(keep))
	for k, i := range keep {
		cells[k] = pad(cell(i), cols[i].width, cols[i].left)
	}
	return strings.TrimRight(strings.Join(cells, " "), " ")
}

// pad fills or cuts s to width cells of a terminal.
func pad(s string, width int, left bool) string {
	s = cut(s, width)
	fill := strings.Repeat(" ", max(0, width-lipgloss.Width(s)))
	if left {
		return s + fill
	}
	return fill + s
}

// cut shortens s, which may be styled, to width cells.
func cut(s string, width int) string {
	if lipgloss.Width(s) <= width {
		return s
	}
	if width <= 0 {
		return ""
	}
	return lipgloss.NewStyle().MaxWidth(width).Render(s)
}
