package runtime

import (
	"errors"
	"fmt"
)

// Event is an event of a block.
type Event struct {
	Pallet, Name string
	Extrinsic    int // index in the block, -1 for events of no extrinsic
	Value        any
}

// DecodeEvents reads System.Events of a block.
func (m *Metadata) DecodeEvents(raw []byte) ([]Event, error) {
	it, err := m.Item("System", "Events")
	if err != nil {
		return nil, err
	}
	v, err := m.DecodeValue(it, raw)
	if err != nil {
		return nil, err
	}
	list, _ := v.([]any)
	events := make([]Event, 0, len(list))
	for _, x := range list {
		e, err := event(x)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

func event(x any) (Event, error) {
	record, _ := x.(Struct)
	phase, ok1 := record["phase"].(Variant)
	pallet, ok2 := record["event"].(Variant)
	inner, ok3 := pallet.Value.(Variant)
	if !ok1 || !ok2 || !ok3 {
		return Event{}, errors.New("events: a record of another form than phase and event")
	}
	e := Event{Pallet: pallet.Name, Name: inner.Name, Value: inner.Value, Extrinsic: -1}
	if phase.Name == "ApplyExtrinsic" {
		n, err := U64(phase.Value)
		if err != nil {
			return Event{}, fmt.Errorf("events: phase: %w", err)
		}
		e.Extrinsic = int(n)
	}
	return e, nil
}

// DispatchError is why an extrinsic, or a call inside it, had no effect.
type DispatchError struct {
	Pallet, Name string // Name of the error; Pallet of a module's one, or the kind, as Token
}

// Error is Pallet.Name.
func (e *DispatchError) Error() string {
	if e.Pallet == "" {
		return e.Name
	}
	return e.Pallet + "." + e.Name
}

// Outcome says what became of the extrinsic with an index: nil when it succeeded, a
// *DispatchError when it had no effect, another error when the events do not show it.
func (m *Metadata) Outcome(events []Event, index int) error {
	result := errors.New("the block's events do not tell what became of the extrinsic")
	for _, e := range events {
		if e.Extrinsic != index {
			continue
		}
		switch e.Pallet + "." + e.Name {
		case "System.ExtrinsicSuccess":
			var d *DispatchError
			if !errors.As(result, &d) {
				result = nil
			}
		case "System.ExtrinsicFailed":
			s, _ := e.Value.(Struct)
			return m.dispatchError(s["dispatch_error"])
		case "Sudo.Sudid", "Proxy.ProxyExecuted": // a call inside, with a result of its own
			if err := m.inner(e.Value); err != nil {
				result = err
			}
		}
	}
	return result
}

// inner reads the result of a call that another one made.
func (m *Metadata) inner(v any) error {
	s, _ := v.(Struct)
	for _, name := range []string{"sudo_result", "result"} {
		if r, ok := s[name].(Variant); ok && r.Name == "Err" {
			return m.dispatchError(r.Value)
		}
	}
	if r, ok := v.(Variant); ok && r.Name == "Err" { // older forms have no names
		return m.dispatchError(r.Value)
	}
	return nil
}

// dispatchError names an error by the metadata of its block. One without a name shows
// its numbers.
func (m *Metadata) dispatchError(v any) error {
	d, ok := v.(Variant)
	if !ok {
		return fmt.Errorf("the runtime's error has an unknown form: %v", v)
	}
	if d.Name != "Module" {
		if kind, ok := d.Value.(Variant); ok {
			return &DispatchError{d.Name, kind.Name}
		}
		return &DispatchError{"", d.Name}
	}
	s, _ := d.Value.(Struct)
	index, err1 := U64(s["index"])
	raw, ok := s["error"].([]byte)
	if err1 != nil || !ok || len(raw) == 0 || index > 255 {
		return fmt.Errorf("the runtime's error has an unknown form: %v", v)
	}
	pallet, name, ok := m.ErrorName(uint8(index), raw[0])
	if !ok {
		return &DispatchError{fmt.Sprintf("pallet %d", index), fmt.Sprintf("error %d", raw[0])}
	}
	return &DispatchError{pallet, name}
}
