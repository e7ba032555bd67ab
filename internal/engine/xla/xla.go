// Package xla is an engine on the devices of a PJRT plug-in: GPUs, and for tests the processor.
// Package program writes one program for each phase of work, the plug-in compiles it, and
// parameters, gradient and moments stay on the device.
//
// A plug-in is native code that may crash or hang: package engine/process runs this engine in a
// child process. Nothing here is for concurrent use.
package xla

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"templar/internal/engine/xla/hlo"
	"templar/internal/kernel/pjrt"
)

// Options of a Device.
type Options struct {
	// Plugin is the file of the plug-in.
	Plugin string
	// Visible is the number of the one device that is used, among those that CUDA or ROCm
	// finds; -1: not restricted.
	Visible int
	// Count is how many devices compute as one, from the first on: 0 means 1, All all.
	Count int
	// GPU has a plug-in refused that computes on the processor, which would be slow without a word.
	GPU bool
	// Cache is the folder for compiled programs; empty: none is kept.
	Cache string
	// Quick has the CPU's compiler leave optimisations out: it compiles several times as fast,
	// and the programs run slower.
	Quick bool
	// Log is called with a line on what was done, Slow with one before what may take minutes; nil: nothing
	// is said.
	Log, Slow func(format string, args ...any)
}

// All has Options.Count take every device.
const All = -1

// Device is one or several devices that compute as one.
type Device struct {
	plugin   *pjrt.Plugin
	client   *pjrt.Client
	devices  []pjrt.Device
	platform string
	version  string
	flags    map[string]string
	cache    cache
	programs map[string]*pjrt.Program
	log      func(string, ...any)
	slow     func(string, ...any)
}

// Info says what a Device is.
type Info struct {
	Plugin    string // the file
	Interface string // version of PJRT
	Platform  string // cpu, cuda, rocm, tpu, ...
	Version   string // of the platform
	XLA       string // version of XLA's revision; empty: not given
	StableHLO string // version that programs are read in
	Devices   []DeviceInfo
}

// DeviceInfo is one device in use.
type DeviceInfo struct {
	Kind   string
	Memory pjrt.DeviceMemory // zero: not given
}

// Open loads a plug-in and takes devices. Close it after its engines.
func Open(o Options) (*Device, error) {
	p, err := pjrt.Open(o.Plugin)
	if err != nil {
		return nil, err
	}
	d := &Device{plugin: p, programs: map[string]*pjrt.Program{}, log: o.Log, slow: o.Slow}
	if d.log == nil {
		d.log = func(string, ...any) {}
	}
	if d.slow == nil {
		d.slow = d.log
	}
	options := pjrt.Options{}
	if _, cuda := p.Attributes["cuda_version"]; cuda {
		// Memory is taken as it is needed: several engines, or a display, share a card.
		options["preallocate"], options["memory_fraction"] = false, float32(0.95)
		if o.Visible >= 0 {
			options["visible_devices"] = []int64{int64(o.Visible)}
		}
	}
	if d.client, err = p.Client(options); err != nil {
		return nil, explain(err)
	}
	d.platform, d.version = d.client.Platform()
	if o.GPU && d.platform == "cpu" {
		return nil, errors.Join(fmt.Errorf("%s computes on the processor, and is no plug-in of GPUs: --device plugin:PATH opens it", o.Plugin), d.client.Close())
	}
	if err := d.take(o.Count); err != nil {
		return nil, errors.Join(err, d.client.Close())
	}
	d.flags = flags(d.platform, o.Quick)
	d.cache = cache{dir: o.Cache, key: d.identity()}
	return d, nil
}

// take takes the first devices of the client.
func (d *Device) take(count int) error {
	have := d.client.Devices()
	if count == All {
		count = len(have)
	}
	count = max(count, 1)
	if count > len(have) {
		return fmt.Errorf("%d devices: %s has %d", count, d.plugin.Path, len(have))
	}
	d.devices = have[:count]
	return nil
}

// flags are XLA's debug options for a platform.
func flags(platform string, quick bool) map[string]string {
	switch platform {
	case "cuda", "rocm":
		return map[string]string{
			// Sums over the same memory in another order give other bits: the port promises the same.
			"xla_gpu_exclude_nondeterministic_ops": "true",
			// Products that share a factor are not joined: joined ones could not add to the gradient
			// in place.
			"xla_gpu_dot_merger_threshold_mb": "0",
		}
	case "cpu":
		f := map[string]string{"xla_llvm_disable_expensive_passes": "true"}
		if quick {
			f["xla_backend_optimization_level"] = "0"
		}
		return f
	}
	return nil
}

// Info says what the device is.
func (d *Device) Info() Info {
	i := Info{
		Plugin: d.plugin.Path, Interface: fmt.Sprintf("%d.%d", d.plugin.Major, d.plugin.Minor), Platform: d.platform, Version: d.version,
		XLA: fmt.Sprint(d.plugin.Attributes["xla_version"]),
	}
	if v, ok := d.plugin.Attributes["stablehlo_current_version"].([]int64); ok {
		i.StableHLO = strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", "."), "[]")
	}
	for _, v := range d.devices {
		m, _ := v.Memory()
		i.Devices = append(i.Devices, DeviceInfo{Kind: v.Kind(), Memory: m})
	}
	return i
}

// identity is what a compiled program depends on, beside its text.
func (d *Device) identity() string {
	var b strings.Builder
	fmt.Fprintln(&b, d.plugin.Major, d.plugin.Minor, d.platform, d.version, len(d.devices), d.devices[0].Kind(), processor(d.platform))
	for _, m := range []map[string]any{d.plugin.Attributes} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintln(&b, k, m[k])
		}
	}
	for _, k := range slices.Sorted(maps.Keys(d.flags)) {
		fmt.Fprintln(&b, k, d.flags[k])
	}
	return b.String()
}

// program returns the compiled form of a text: from this process, from the cache, or compiled.
func (d *Device) program(what, text string) (*pjrt.Program, error) {
	if x := d.programs[text]; x != nil {
		return x, nil
	}
	o := pjrt.CompileOptions{Partitions: len(d.devices), Flags: d.flags}
	if saved, ok := d.cache.get(text); ok {
		x, err := d.client.Load(saved, o)
		if err == nil {
			d.log("loaded the program %s (%d KiB) from the cache", what, len(saved)>>10)
			d.programs[text] = x
			return x, nil
		}
		d.log("the cached program %s is of no use: %v", what, err)
	}
	d.slow("compiling the program %s", what)
	x, err := d.client.Compile([]byte(text), o)
	if err != nil {
		return nil, fmt.Errorf("compile the program %s: %w", what, explain(err))
	}
	d.programs[text] = x
	if d.cache.dir == "" {
		return x, nil
	}
	saved, err := x.Serialize()
	if err == nil {
		err = d.cache.put(text, saved)
	}
	if err != nil {
		d.log("the program %s is not kept for the next start: %v", what, err)
	}
	return x, nil
}

// Close ends the device.
func (d *Device) Close() (err error) {
	for _, x := range d.programs {
		err = errors.Join(err, x.Close())
	}
	d.programs = nil
	return errors.Join(err, d.client.Close())
}

// kind is the kind of products that a device is good at.
func (d *Device) kind() string {
	if d.platform == "cpu" {
		return hlo.F32
	}
	return hlo.BF16
}

// explain adds what to do to the errors that a user can do something about.
func explain(err error) error {
	var e *pjrt.Error
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Code == pjrt.ResourceExhausted:
		return fmt.Errorf("%w: the device's memory is full: end other programs on it (nvidia-smi lists them), or use more devices or a smaller model", err)
	case e.Code == pjrt.FailedPrecondition && strings.Contains(e.Message, "No visible GPU"):
		return fmt.Errorf("%w: install the driver (nvidia-smi shows whether it works), or use --device cpu", err)
	}
	return err
}
