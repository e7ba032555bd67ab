package report

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// List is a list of miners or their records. It reads no more entries than a report may hold, which
// bounds the memory that a small document can allocate.
type List[T any] []T

// UnmarshalJSON reads a JSON array.
func (l *List[T]) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	switch begin, err := dec.Token(); {
	case err != nil || begin == nil:
		return err
	case begin != json.Delim('['):
		return fmt.Errorf("report: %v at the start of a list", begin)
	}
	for *l = (List[T]{}); dec.More(); {
		if len(*l) == maxMiners {
			return fmt.Errorf("report: more than %d miners", maxMiners)
		}
		*l = append(*l, *new(T))
		if err := dec.Decode(&(*l)[len(*l)-1]); err != nil {
			return err
		}
	}
	return nil
}
