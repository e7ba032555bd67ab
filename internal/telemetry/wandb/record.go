package wandb

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of wandb_internal.Record, which holds one of the records below.
const (
	fieldHistory = 2
	fieldSummary = 3
	fieldRun     = 17
	fieldExit    = 18
	fieldHeader  = 21
)

// Value is a named value of a row: a float64, an integer, a bool or a string.
type Value struct {
	Name  string
	Value any
}

// Row is one step of a run.
type Row struct {
	Step    int64
	Runtime float64 // seconds since the run began
	Time    time.Time
	Values  []Value
}

// message is a protobuf message under construction.
type message []byte

func (m message) text(f protowire.Number, s string) message {
	if s == "" {
		return m
	}
	return protowire.AppendString(protowire.AppendTag(m, f, protowire.BytesType), s)
}

func (m message) integer(f protowire.Number, n int64) message {
	if n == 0 {
		return m
	}
	return protowire.AppendVarint(protowire.AppendTag(m, f, protowire.VarintType), uint64(n))
}

func (m message) nested(f protowire.Number, n message) message {
	return protowire.AppendBytes(protowire.AppendTag(m, f, protowire.BytesType), n)
}

func (m message) time(f protowire.Number, t time.Time) message {
	return m.nested(f, message(nil).integer(1, t.Unix()).integer(2, int64(t.Nanosecond())))
}

// item adds {key: 1, value_json: 16}, the form of all named values.
func (m message) item(f protowire.Number, name string, value []byte) message {
	return m.nested(f, message(nil).text(1, name).text(16, string(value)))
}

// encoded is a value as JSON. Numbers that are not finite are the strings of wandb's encoders.
func encoded(v any) []byte {
	if f, ok := v.(float64); ok {
		switch {
		case math.IsNaN(f):
			return []byte(`"NaN"`)
		case math.IsInf(f, 1):
			return []byte(`"Infinity"`)
		case math.IsInf(f, -1):
			return []byte(`"-Infinity"`)
		}
		return strconv.AppendFloat(nil, f, 'g', -1, 64)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null") // of a type that no row contains
	}
	return b
}

// values are a row's values with those that each row has.
func (r Row) values() []Value {
	return append(r.Values[:len(r.Values):len(r.Values)],
		Value{"_step", r.Step}, Value{"_runtime", r.Runtime}, Value{"_timestamp", float64(r.Time.UnixMicro()) / 1e6})
}

func (r Row) record() message {
	var h message
	for _, v := range r.values() {
		h = h.item(1, v.Name, encoded(v.Value))
	}
	return h.nested(2, message(nil).integer(1, r.Step))
}

// summaryOf is the record of a run's newest values.
func summaryOf(values map[string]any) (m message) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		m = m.item(1, name, encoded(values[name]))
	}
	return m
}

func headerRecord(program string) message {
	return message(nil).nested(1, message(nil).text(1, program).text(2, "0.0.1")) // the oldest reader that understands it
}

func (r RunInfo) record() message {
	var config message
	for _, v := range r.Config {
		config = config.item(1, v.Name, encoded(v.Value))
	}
	m := message(nil).text(1, r.ID).text(2, r.Entity).text(3, r.Project).nested(4, config).text(6, r.Group).text(7, r.JobType).text(8, r.Name)
	for _, t := range r.Tags {
		m = m.text(10, t)
	}
	return m.text(13, r.Host).time(17, r.Begin).nested(19, message(nil).text(5, clientVersion))
}

func exitRecord(runtime time.Duration) message {
	return message(nil).integer(2, int64(runtime.Seconds()))
}

// wrapped is the Record number n with a body in field f.
func wrapped(n int64, f protowire.Number, body message) message {
	return message(nil).integer(1, n).nested(f, body)
}

// unwrapped returns a Record's number, and the field and bytes of its body. ok is false when it
// is not a Record.
func unwrapped(b []byte) (n int64, f protowire.Number, body []byte, ok bool) {
	ok = fields(b, func(field protowire.Number, v uint64, data []byte) {
		if field == 1 {
			n = int64(v)
		} else if data != nil {
			f, body = field, data
		}
	})
	return n, f, body, ok
}

// line is a history record as a line of the run's history, and its step.
func line(history []byte) (row []byte, step int64, ok bool) {
	out := bytes.NewBufferString("{")
	whole := true
	ok = fields(history, func(f protowire.Number, _ uint64, data []byte) {
		var name string
		var value []byte
		switch f {
		case 1:
			whole = fields(data, func(f protowire.Number, _ uint64, data []byte) {
				switch f {
				case 1:
					name = string(data)
				case 16:
					value = data
				}
			}) && json.Valid(value) && whole
			if out.Len() > 1 {
				out.WriteByte(',')
			}
			out.Write(encoded(name))
			out.WriteByte(':')
			out.Write(value)
		case 2:
			whole = fields(data, func(_ protowire.Number, v uint64, _ []byte) { step = int64(v) }) && whole
		}
	})
	out.WriteByte('}')
	return out.Bytes(), step, ok && whole
}

// fields calls visit with each field of a message, and reports whether it is one.
func fields(b []byte, visit func(f protowire.Number, v uint64, data []byte)) bool {
	for len(b) > 0 {
		f, t, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		switch t {
		case protowire.VarintType:
			v, m := protowire.ConsumeVarint(b)
			if n = m; n >= 0 {
				visit(f, v, nil)
			}
		case protowire.BytesType:
			data, m := protowire.ConsumeBytes(b)
			if n = m; n >= 0 {
				visit(f, 0, data[:len(data):len(data)])
			}
		default:
			n = protowire.ConsumeFieldValue(f, t, b)
		}
		if n < 0 {
			return false
		}
		b = b[n:]
	}
	return true
}
