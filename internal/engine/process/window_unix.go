//go:build linux || darwin

package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newWindow makes memory of n values that a child can share through the file. The file has no
// name, and is gone with the last process that has it open.
func newWindow(n int) (values []float32, file *os.File, err error) {
	if file, err = anonymous(); err != nil {
		return nil, nil, err
	}
	if err := file.Truncate(int64(n) * 4); err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	if values, err = mapWindow(file, n); err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return values, file, nil
}

func mapWindow(file *os.File, n int) ([]float32, error) {
	b, err := unix.Mmap(int(file.Fd()), 0, n*4, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes of shared memory: %w", n*4, err)
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), n), nil
}

func unmap(values []float32) error {
	return unix.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*4))
}

// apart keeps a terminal's Ctrl-C from the child: the parent ends it, after its own work.
func apart(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
