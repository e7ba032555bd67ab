package vectors

import (
	"strings"

	"templar/internal/chain/ledger/yuma"
	"templar/internal/chain/ledger/yuma/epochs"
)

// verifyYuma runs every epoch; its error is the number of fields of the state that
// differ in any place.
func verifyYuma(b []byte) ([]Case, error) {
	vectors, err := epochs.Read(b)
	if err != nil {
		return nil, err
	}
	var cases []Case
	for _, e := range vectors {
		got, err := yuma.Run(e.In)
		if err != nil {
			cases = append(cases, failed(e.Name, err))
			continue
		}
		differ := epochs.Differ(got, e.Want)
		c := within(e.Name, float64(len(differ)), 0)
		if len(differ) > 0 {
			c.Fault = strings.Join(differ, ", ")
		}
		cases = append(cases, c)
	}
	return cases, nil
}
