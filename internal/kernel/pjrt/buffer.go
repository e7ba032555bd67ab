package pjrt

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Type is PJRT_Buffer_Type: the type of an array's elements.
type Type int32

// The types in use.
const (
	I8   Type = 2
	I32  Type = 4
	U8   Type = 6
	U16  Type = 7
	F32  Type = 11
	F64  Type = 12
	BF16 Type = 13
)

// Element is a Go type that Upload and Read take for a Type.
type Element interface {
	int8 | int32 | uint8 | uint16 | float32 | float64
}

// Buffer is an array on a device.
type Buffer struct {
	p   *Plugin
	ptr uintptr
}

// untilTransfer is PJRT_HostBufferSemantics_kImmutableUntilTransferCompletes: the plug-in reads
// the caller's memory until its event.
const untilTransfer = 1

// Upload copies values to a device, as an array of dims in row-major order. It returns when data
// may be changed again. t is the type whose elements T are.
func Upload[T Element](c *Client, d Device, data []T, t Type, dims ...int64) (*Buffer, error) {
	n := int64(1)
	for _, size := range dims {
		n *= size
	}
	if n != int64(len(data)) {
		return nil, fmt.Errorf("pjrt: upload %d values as an array of %v", len(data), dims)
	}
	a := struct {
		head
		client    uintptr
		data      unsafe.Pointer
		kind      Type
		dims      unsafe.Pointer
		n         uintptr
		strides   [2]uintptr
		semantics int32
		device    uintptr
		memory    uintptr
		layout    uintptr
		done      uintptr
		buffer    uintptr
	}{
		client: c.ptr, data: unsafe.Pointer(unsafe.SliceData(data)), kind: t, dims: unsafe.Pointer(unsafe.SliceData(dims)),
		n: uintptr(len(dims)), semantics: untilTransfer, device: d.ptr,
	}
	if err := call(c.p, clientFromHost, &a); err != nil {
		return nil, err
	}
	b := &Buffer{p: c.p, ptr: a.buffer}
	err := c.p.wait(a.done)
	runtime.KeepAlive(data)
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// Read copies the array to dst, which has its size, and waits for what computes it.
func Read[T Element](b *Buffer, dst []T) error {
	a := struct {
		head
		src    uintptr
		layout uintptr
		dst    unsafe.Pointer
		n      uintptr
		event  uintptr
	}{src: b.ptr}
	if err := call(b.p, bufferToHost, &a); err != nil { // asks for the size
		return err
	}
	if want := uintptr(len(dst)) * unsafe.Sizeof(*new(T)); a.n != want {
		return fmt.Errorf("pjrt: read an array of %d bytes to memory of %d", a.n, want)
	}
	a.dst, a.event = unsafe.Pointer(unsafe.SliceData(dst)), 0
	if err := call(b.p, bufferToHost, &a); err != nil {
		return err
	}
	err := b.p.wait(a.event)
	runtime.KeepAlive(dst)
	return err
}

// Close frees the array. It may be called again, and on nil.
func (b *Buffer) Close() error {
	if b == nil || b.ptr == 0 {
		return nil
	}
	ptr := b.ptr
	b.ptr = 0
	return b.p.release(bufferDestroy, ptr)
}
