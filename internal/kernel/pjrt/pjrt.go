// Package pjrt calls a PJRT plug-in, the C interface of XLA's compilers and devices
// (xla/pjrt/c/pjrt_c_api.h), without cgo, header or C compiler. It binds what an engine needs:
// clients, programs of StableHLO, arrays on devices, donation, memory figures, saved programs,
// and compilation for hardware that is not there.
//
// Each function of the interface takes one pointer to a struct of arguments, which begins with
// its own size, and returns a PJRT_Error or nil. Structs only grow at their end, so the layouts
// here hold for plug-ins with larger ones; they were read from version 0.81 and run on plug-ins of
// versions 0.81 to 0.116.
//
// A plug-in is native code in this process. It aborts the process where XLA finds an internal
// fault, and a call that has begun cannot be cancelled: a program that must survive both runs
// this package in a child process (internal/engine/process).
//
// No type is for concurrent use.
package pjrt

import (
	"fmt"
	"unsafe"
)

// Slots of the function table, in the order of pjrt_c_api.h. The first 90 have kept their order
// since 0.40; later functions are appended.
const (
	errorDestroy         = 0
	errorMessage         = 1
	errorCode            = 2
	pluginInitialize     = 3
	pluginAttributes     = 4
	eventDestroy         = 5
	eventAwait           = 8
	clientCreate         = 10
	clientDestroy        = 11
	clientPlatformName   = 12
	clientPlatformVer    = 14
	clientAddressable    = 16
	clientCompile        = 20
	clientFromHost       = 22
	descriptionKind      = 26
	deviceDescription    = 29
	deviceMemoryStats    = 34
	executableDestroy    = 40
	executableNumOutputs = 44
	executableOptimized  = 48
	executableSerialize  = 49
	loadedDestroy        = 50
	loadedExecutable     = 51
	loadedExecute        = 55
	deserializeAndLoad   = 56
	bufferDestroy        = 58
	bufferToHost         = 70
	topologyCreate       = 82
	topologyDestroy      = 83
	compileTopology      = 89
	executableMemory     = 96
)

// head begins each struct of arguments.
type head struct {
	size uintptr
	ext  unsafe.Pointer
}

// table is PJRT_Api.
type table struct {
	head
	version struct {
		head
		major, minor int32
	}
	fn [executableMemory + 1]uintptr
}

// Plugin is a loaded plug-in. It stays loaded until the process ends: XLA cannot be unloaded.
type Plugin struct {
	api *table

	// Path is the file, Major and Minor the version of the interface, Attributes what the
	// plug-in says of itself (xla_version, stablehlo_current_version and others: string, int64,
	// []int64, float32 or bool).
	Path         string
	Major, Minor int
	Attributes   map[string]any
}

// Open loads the plug-in in a file and initialises it.
func Open(path string) (*Plugin, error) {
	get, err := lookUp(path, "GetPjrtApi")
	if err != nil {
		return nil, fmt.Errorf("pjrt: %w", err)
	}
	address := native(get)
	if address == 0 {
		return nil, fmt.Errorf("pjrt: %s returns no interface", path)
	}
	p := &Plugin{api: *(**table)(unsafe.Pointer(&address)), Path: path}
	p.Major, p.Minor = int(p.api.version.major), int(p.api.version.minor)
	if p.Major != 0 {
		return nil, fmt.Errorf("pjrt: %s has version %d.%d of the interface: want 0.x", path, p.Major, p.Minor)
	}
	if p.api.size < unsafe.Sizeof(table{}) {
		return nil, fmt.Errorf("pjrt: %s is too old: version %d.%d of the interface has %d bytes of functions, want %d",
			path, p.Major, p.Minor, p.api.size, unsafe.Sizeof(table{}))
	}
	var begin struct{ head }
	if err := call(p, pluginInitialize, &begin); err != nil {
		return nil, fmt.Errorf("%s: initialise: %w", path, err)
	}
	var attributes struct {
		head
		list unsafe.Pointer
		n    uintptr
	}
	if err := call(p, pluginAttributes, &attributes); err != nil {
		return nil, fmt.Errorf("%s: attributes: %w", path, err)
	}
	p.Attributes = make(map[string]any)
	for _, v := range unsafe.Slice((*namedValue)(attributes.list), int(attributes.n)) {
		p.Attributes[text(v.name, v.nameSize)] = v.get()
	}
	return p, nil
}

// call calls a function of the table. T is a struct that begins with head.
func call[T any](p *Plugin, slot int, args *T) error {
	if e := invoke(p, slot, args); e != 0 {
		return p.failure(e)
	}
	return nil
}

// invoke returns the register of the result, which holds nothing for functions that return
// nothing.
func invoke[T any](p *Plugin, slot int, args *T) uintptr {
	(*head)(unsafe.Pointer(args)).size = unsafe.Sizeof(*args)
	return native(p.api.fn[slot], uintptr(unsafe.Pointer(args)))
}

// Code is an absl::StatusCode.
type Code int

// The codes that a caller acts upon.
const (
	InvalidArgument    Code = 3
	NotFound           Code = 5
	ResourceExhausted  Code = 8
	FailedPrecondition Code = 9
	Unimplemented      Code = 12
	Internal           Code = 13
)

// Error is a failure that the plug-in reports.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("pjrt: code %d: %s", e.Code, e.Message) }

// failure reads and frees a PJRT_Error.
func (p *Plugin) failure(e uintptr) error {
	m := struct {
		head
		err  uintptr
		text unsafe.Pointer
		n    uintptr
	}{err: e}
	invoke(p, errorMessage, &m)
	c := struct {
		head
		err  uintptr
		code int32
	}{err: e}
	invoke(p, errorCode, &c)
	out := &Error{Code: Code(c.code), Message: text(m.text, m.n)}
	p.release(errorDestroy, e)
	return out
}

// release calls a function whose one argument is the object that it frees.
func (p *Plugin) release(slot int, object uintptr) error {
	a := struct {
		head
		object uintptr
	}{object: object}
	if slot == errorDestroy { // returns nothing
		invoke(p, slot, &a)
		return nil
	}
	return call(p, slot, &a)
}

// wait waits for an event and frees it.
func (p *Plugin) wait(event uintptr) error {
	if event == 0 {
		return nil
	}
	a := struct {
		head
		event uintptr
	}{event: event}
	err := call(p, eventAwait, &a)
	if bad := p.release(eventDestroy, event); err == nil {
		err = bad
	}
	return err
}

func text(p unsafe.Pointer, n uintptr) string {
	if p == nil {
		return ""
	}
	return string(unsafe.Slice((*byte)(p), int(n)))
}
