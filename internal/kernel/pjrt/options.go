package pjrt

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"unsafe"
)

// Options are named settings of a client or a topology: string, int64, []int64, float32 or bool.
type Options map[string]any

// namedValue is PJRT_NamedValue.
type namedValue struct {
	head
	name     unsafe.Pointer
	nameSize uintptr
	kind     int32
	value    uint64 // a union, which is aligned to 8 bytes
	n        uintptr
}

// The kinds of a namedValue.
const (
	kindString = iota
	kindInt64
	kindInt64s
	kindFloat
	kindBool
)

func (v *namedValue) pointer() unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&v.value)) }

func (v *namedValue) get() any {
	switch v.kind {
	case kindString:
		return text(v.pointer(), v.n)
	case kindInt64:
		return *(*int64)(unsafe.Pointer(&v.value))
	case kindInt64s:
		return slices.Clone(unsafe.Slice((*int64)(v.pointer()), int(v.n)))
	case kindFloat:
		return *(*float32)(unsafe.Pointer(&v.value))
	case kindBool:
		return v.value&1 != 0
	}
	return nil
}

// values encodes options, in the order of their names. keep holds the memory that the result
// points to through numbers, which the garbage collector does not follow.
func (o Options) values() (list []namedValue, keep []any, err error) {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		b := []byte(name)
		v := namedValue{name: unsafe.Pointer(unsafe.SliceData(b)), nameSize: uintptr(len(b)), n: 1}
		v.size = unsafe.Sizeof(v)
		switch value := o[name].(type) {
		case string:
			s := []byte(value)
			v.kind, v.n = kindString, uintptr(len(s))
			v.value = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(s))))
			keep = append(keep, s)
		case int64:
			v.kind, v.value = kindInt64, uint64(value)
		case []int64:
			s := slices.Clone(value)
			v.kind, v.n = kindInt64s, uintptr(len(s))
			v.value = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(s))))
			keep = append(keep, s)
		case float32:
			v.kind = kindFloat
			*(*float32)(unsafe.Pointer(&v.value)) = value
		case bool:
			v.kind = kindBool
			if value {
				v.value = 1
			}
		default:
			return nil, nil, fmt.Errorf("pjrt: option %s is a %T", name, value)
		}
		list = append(list, v)
	}
	return list, keep, nil
}

// CompileOptions are the part of xla.CompileOptionsProto that an engine needs.
type CompileOptions struct {
	// Partitions is the number of devices that share a program through its sharding
	// annotations (Shardy); 0 and 1 mean one device.
	Partitions int
	// Flags are XLA's debug options by name, without "--"; "true" and "false" are booleans.
	// The environment's XLA_FLAGS is not used: an unknown flag there aborts the process, while
	// one here is an error.
	Flags map[string]string
}

// Field numbers of xla/pjrt/proto/compile_options.proto.
const (
	fieldBuildOptions = 3
	fieldOverrides    = 7

	fieldReplicas        = 4
	fieldPartitions      = 5
	fieldSPMD            = 6
	fieldAssignment      = 9
	fieldShardyPartition = 19
)

// encode writes the options as a protocol buffer: executable_build_options, and
// env_option_overrides, a map from names to values.
func (o CompileOptions) encode() []byte {
	n := max(o.Partitions, 1)
	build := number(number(nil, fieldReplicas, 1), fieldPartitions, n)
	if n > 1 {
		build = number(build, fieldSPMD, 1)
		// DeviceAssignmentProto: one replica, and a computation_devices for each partition.
		assignment := number(number(nil, 1, 1), 2, n)
		for d := range n {
			assignment = field(assignment, 3, field(nil, 1, []byte{byte(d)}))
		}
		build = field(build, fieldAssignment, assignment)
		build = number(build, fieldShardyPartition, 1)
	}
	b := field(nil, fieldBuildOptions, build)
	for _, name := range slices.Sorted(maps.Keys(o.Flags)) {
		value := field(nil, 1, []byte(o.Flags[name])) // OptionOverrideProto.string_field
		switch o.Flags[name] {
		case "true":
			value = number(nil, 2, 1) // bool_field
		case "false":
			value = number(nil, 2, 0)
		}
		b = field(b, fieldOverrides, field(field(nil, 1, []byte(name)), 2, value))
	}
	return b
}

// field appends a length-delimited field of a protocol buffer.
func field(b []byte, at int, v []byte) []byte {
	b = binary.AppendUvarint(b, uint64(at<<3|2))
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// number appends an integer field of a protocol buffer.
func number(b []byte, at, v int) []byte {
	b = binary.AppendUvarint(b, uint64(at<<3))
	return binary.AppendUvarint(b, uint64(v))
}
