package scores

import (
	"fmt"
	"strings"
)

// table is a table in Markdown.
type table struct {
	columns int
	out     strings.Builder
}

func header(titles ...string) *table {
	t := &table{columns: len(titles)}
	for _, title := range titles {
		fmt.Fprintf(&t.out, "| %s ", title)
	}
	fmt.Fprintf(&t.out, "|\n%s|\n", strings.Repeat("|---", len(titles)))
	return t
}

func (t *table) add(cells ...any) {
	for _, c := range cells {
		if f, ok := c.(float64); ok {
			c = fmt.Sprintf("%.3f", f)
		}
		fmt.Fprintf(&t.out, "| %v ", c)
	}
	t.out.WriteString("|\n")
}

func (t *table) String() string { return t.out.String() }
