package pjrt

//lint:file-ignore U1000 structs have the layout of the C interface, fields that this program leaves zero included

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"unsafe"
)

// Client is the devices of a plug-in and their memory.
type Client struct {
	p       *Plugin
	ptr     uintptr
	devices []Device
}

// Client makes a client. Options are the platform's own: for CUDA allocator, memory_fraction,
// preallocate and visible_devices.
func (p *Plugin) Client(o Options) (*Client, error) {
	list, keep, err := o.values()
	if err != nil {
		return nil, err
	}
	a := struct {
		head
		options unsafe.Pointer
		n       uintptr
		kv      [4]uintptr
		client  uintptr
		tryGet  [2]uintptr
	}{options: unsafe.Pointer(unsafe.SliceData(list)), n: uintptr(len(list))}
	err = call(p, clientCreate, &a)
	runtime.KeepAlive(keep)
	if err != nil {
		return nil, err
	}
	c := &Client{p: p, ptr: a.client}
	d := struct {
		head
		client  uintptr
		devices unsafe.Pointer
		n       uintptr
	}{client: c.ptr}
	if err := call(p, clientAddressable, &d); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	for _, ptr := range unsafe.Slice((*uintptr)(d.devices), int(d.n)) {
		c.devices = append(c.devices, Device{p: p, ptr: ptr})
	}
	if len(c.devices) == 0 {
		return nil, errors.Join(fmt.Errorf("pjrt: %s has no device", p.Path), c.Close())
	}
	return c, nil
}

// Close ends the client. Its buffers and programs are to be closed before.
func (c *Client) Close() error { return c.p.release(clientDestroy, c.ptr) }

// Plugin is where the client is from.
func (c *Client) Plugin() *Plugin { return c.p }

// Devices are those that this process can use.
func (c *Client) Devices() []Device { return slices.Clone(c.devices) }

// Platform is the platform's name, as cpu or cuda, and version.
func (c *Client) Platform() (name, version string) {
	read := func(slot int) string {
		a := struct {
			head
			client uintptr
			text   unsafe.Pointer
			n      uintptr
		}{client: c.ptr}
		if call(c.p, slot, &a) != nil {
			return ""
		}
		return text(a.text, a.n)
	}
	return read(clientPlatformName), read(clientPlatformVer)
}

// Device is one of a client's devices.
type Device struct {
	p   *Plugin
	ptr uintptr
}

// Kind is the vendor's name of the device.
func (d Device) Kind() string {
	a := struct {
		head
		device, description uintptr
	}{device: d.ptr}
	if call(d.p, deviceDescription, &a) != nil {
		return ""
	}
	k := struct {
		head
		description uintptr
		kind        unsafe.Pointer
		n           uintptr
	}{description: a.description}
	if call(d.p, descriptionKind, &k) != nil {
		return ""
	}
	return text(k.kind, k.n)
}

// DeviceMemory is a device's memory in bytes; 0 where the plug-in does not say.
type DeviceMemory struct{ Used, Peak, Limit int64 }

// Memory is the device's memory. CPU plug-ins do not know theirs: Unimplemented.
func (d Device) Memory() (DeviceMemory, error) {
	type optional struct {
		value int64
		set   bool
	}
	a := struct {
		head
		device                      uintptr
		used                        int64
		peak, count, largest, limit optional
		rest                        [6]optional
	}{device: d.ptr}
	if err := call(d.p, deviceMemoryStats, &a); err != nil {
		return DeviceMemory{}, err
	}
	return DeviceMemory{Used: a.used, Peak: a.peak.value, Limit: a.limit.value}, nil
}
