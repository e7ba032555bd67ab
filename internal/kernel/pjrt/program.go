package pjrt

//lint:file-ignore U1000 structs have the layout of the C interface, fields that this program leaves zero included

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// code is PJRT_Program.
type code struct {
	head
	code       unsafe.Pointer
	size       uintptr
	format     unsafe.Pointer
	formatSize uintptr
}

func newCode(b []byte) *code {
	format := []byte("mlir")
	return &code{
		head: head{size: unsafe.Sizeof(code{})}, code: unsafe.Pointer(unsafe.SliceData(b)), size: uintptr(len(b)),
		format: unsafe.Pointer(unsafe.SliceData(format)), formatSize: uintptr(len(format)),
	}
}

// Program is a compiled program, loaded on the devices of a client.
type Program struct {
	Compiled
	loaded  uintptr
	outputs int
	devices int
}

// Compile compiles StableHLO, as text or bytecode.
func (c *Client) Compile(text []byte, o CompileOptions) (*Program, error) {
	options := o.encode()
	a := struct {
		head
		client  uintptr
		program *code
		options unsafe.Pointer
		n       uintptr
		out     uintptr
	}{client: c.ptr, program: newCode(text), options: unsafe.Pointer(unsafe.SliceData(options)), n: uintptr(len(options))}
	if err := call(c.p, clientCompile, &a); err != nil {
		return nil, err
	}
	return c.loaded(a.out, o)
}

// Load loads a program that Serialize returned, in this process or in an earlier one with the same
// plug-in, device and options. Content from elsewhere is not for Load: a plug-in may crash on it.
func (c *Client) Load(saved []byte, o CompileOptions) (*Program, error) {
	options := o.encode()
	a := struct {
		head
		client  uintptr
		saved   unsafe.Pointer
		size    uintptr
		out     uintptr
		options unsafe.Pointer
		n       uintptr
	}{
		client: c.ptr, saved: unsafe.Pointer(unsafe.SliceData(saved)), size: uintptr(len(saved)),
		options: unsafe.Pointer(unsafe.SliceData(options)), n: uintptr(len(options)),
	}
	if err := call(c.p, deserializeAndLoad, &a); err != nil {
		return nil, err
	}
	return c.loaded(a.out, o)
}

func (c *Client) loaded(ptr uintptr, o CompileOptions) (*Program, error) {
	x := &Program{Compiled: Compiled{p: c.p}, loaded: ptr, devices: max(o.Partitions, 1)}
	g := struct {
		head
		loaded, executable uintptr
	}{loaded: ptr}
	if err := call(c.p, loadedExecutable, &g); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	x.executable = g.executable
	n := struct {
		head
		executable, n uintptr
	}{executable: x.executable}
	if err := call(c.p, executableNumOutputs, &n); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	x.outputs = int(n.n)
	return x, nil
}

// Outputs is the number of results on each device.
func (x *Program) Outputs() int { return x.outputs }

// Close frees the program.
func (x *Program) Close() error {
	err := x.Compiled.Close()
	if x.loaded != 0 {
		err = errors.Join(err, x.p.release(loadedDestroy, x.loaded))
		x.loaded = 0
	}
	return err
}

// executeOptions is PJRT_ExecuteOptions as of 0.114. Older plug-ins read a prefix.
type executeOptions struct {
	head
	send, recv   uintptr
	nSend, nRecv uintptr
	launch       int32
	keep         unsafe.Pointer // indices of inputs that are not donated
	nKeep        uintptr
	context      uintptr
	location     uintptr
	tasks        [3]uintptr
	rest         [4]uintptr
}

// Run starts the program on one device. The results may not be computed yet when it returns:
// Read waits for them. An input that the program donates (tf.aliasing_output) is consumed, and
// only Close may follow.
func (x *Program) Run(in []*Buffer) ([]*Buffer, error) {
	out, err := x.RunSharded([][]*Buffer{in})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// RunSharded starts the program on as many devices as it was compiled for: inputs and results by
// device.
func (x *Program) RunSharded(in [][]*Buffer) ([][]*Buffer, error) {
	if len(in) != x.devices {
		return nil, fmt.Errorf("pjrt: inputs for %d devices, want %d", len(in), x.devices)
	}
	n := len(in[0])
	args, outs := make([][]uintptr, len(in)), make([][]uintptr, len(in))
	argLists, outLists := make([]unsafe.Pointer, len(in)), make([]unsafe.Pointer, len(in))
	for d, list := range in {
		args[d], outs[d] = make([]uintptr, n+1), make([]uintptr, x.outputs+1) // never empty
		argLists[d], outLists[d] = unsafe.Pointer(&args[d][0]), unsafe.Pointer(&outs[d][0])
		if len(list) != n {
			return nil, fmt.Errorf("pjrt: %d inputs for device %d, want %d", len(list), d, n)
		}
		for i, b := range list {
			if b == nil || b.ptr == 0 {
				return nil, fmt.Errorf("pjrt: input %d of device %d is closed", i, d)
			}
			args[d][i] = b.ptr
		}
	}
	o := &executeOptions{head: head{size: unsafe.Sizeof(executeOptions{})}}
	a := struct {
		head
		executable uintptr
		options    *executeOptions
		arguments  unsafe.Pointer
		devices    uintptr
		n          uintptr
		outputs    unsafe.Pointer
		events     unsafe.Pointer
		device     uintptr
	}{
		executable: x.loaded, options: o, arguments: unsafe.Pointer(&argLists[0]), devices: uintptr(len(in)), n: uintptr(n),
		outputs: unsafe.Pointer(&outLists[0]),
	}
	err := call(x.p, loadedExecute, &a)
	runtime.KeepAlive(in)
	if err != nil {
		return nil, err
	}
	results := make([][]*Buffer, len(in))
	for d := range results {
		for _, ptr := range outs[d][:x.outputs] {
			results[d] = append(results[d], &Buffer{p: x.p, ptr: ptr})
		}
	}
	return results, nil
}

// Compiled is a compiled program, which may be for hardware that is not there.
type Compiled struct {
	p          *Plugin
	executable uintptr
}

// ProgramMemory is the bytes that the compiler planned, on each device: arguments, results, the part of
// these that is the same memory (donation), and what the program needs for itself.
type ProgramMemory struct{ Code, Arguments, Outputs, Aliases, Temporary int64 }

// Total is what a device needs to run the program.
func (m ProgramMemory) Total() int64 {
	return m.Code + m.Arguments + m.Outputs - m.Aliases + m.Temporary
}

// Memory is what the compiler planned.
func (x *Compiled) Memory() (ProgramMemory, error) {
	a := struct {
		head
		executable                      uintptr
		code, args, outs, aliases, temp int64
		host                            [5]int64
		rest                            [8]int64
	}{executable: x.executable}
	err := call(x.p, executableMemory, &a)
	return ProgramMemory{a.code, a.args, a.outs, a.aliases, a.temp}, err
}

// Serialize returns the program in the plug-in's own format, which Load takes.
func (x *Compiled) Serialize() ([]byte, error) {
	a := struct {
		head
		executable uintptr
		bytes      unsafe.Pointer
		n          uintptr
		owner      uintptr
		free       uintptr
	}{executable: x.executable}
	if err := call(x.p, executableSerialize, &a); err != nil {
		return nil, err
	}
	out := []byte(text(a.bytes, a.n))
	native(a.free, a.owner)
	return out, nil
}

// Optimized returns the program after the compiler's passes, and its format, which the plug-in
// chooses ("hlo_with_config": a protocol buffer).
func (x *Compiled) Optimized() (b []byte, format string, err error) {
	program := &code{head: head{size: unsafe.Sizeof(code{})}}
	a := struct {
		head
		executable uintptr
		program    *code
	}{executable: x.executable, program: program}
	if err := call(x.p, executableOptimized, &a); err != nil { // asks for the size
		return nil, "", err
	}
	b = make([]byte, program.size)
	program.code = unsafe.Pointer(unsafe.SliceData(b))
	if err := call(x.p, executableOptimized, &a); err != nil {
		return nil, "", err
	}
	return b, text(program.format, program.formatSize), nil
}

// Close frees the program.
func (x *Compiled) Close() error {
	if x.executable == 0 {
		return nil
	}
	ptr := x.executable
	x.executable = 0
	return x.p.release(executableDestroy, ptr)
}

// CompileFor compiles for hardware that need not be there. target is the platform's description:
// for CUDA a GpuTargetConfigProto as text. devices are of one machine.
func (p *Plugin) CompileFor(target string, devices int, text []byte, o CompileOptions) (*Compiled, error) {
	list, keep, err := Options{"target_config": target, "topology": fmt.Sprintf("1x1x%d", devices)}.values()
	if err != nil {
		return nil, err
	}
	t := struct {
		head
		name     unsafe.Pointer
		n        uintptr
		options  unsafe.Pointer
		nOptions uintptr
		topology uintptr
	}{options: unsafe.Pointer(unsafe.SliceData(list)), nOptions: uintptr(len(list))}
	err = call(p, topologyCreate, &t)
	runtime.KeepAlive(keep)
	if err != nil {
		return nil, err
	}
	defer p.release(topologyDestroy, t.topology)
	options := o.encode()
	a := struct {
		head
		topology uintptr
		program  *code
		options  unsafe.Pointer
		n        uintptr
		client   uintptr
		out      uintptr
	}{topology: t.topology, program: newCode(text), options: unsafe.Pointer(unsafe.SliceData(options)), n: uintptr(len(options))}
	if err := call(p, compileTopology, &a); err != nil {
		return nil, err
	}
	return &Compiled{p, a.out}, nil
}
