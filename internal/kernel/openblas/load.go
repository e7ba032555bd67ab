//go:build openblas && (linux || darwin) && (amd64 || arm64)

package openblas

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"
)

// names are where the library is looked for, by the system's own rules.
var names = [...]string{
	"libopenblas.so.0", "libopenblas.so", "libopenblas.dylib",
	"/opt/homebrew/opt/openblas/lib/libopenblas.dylib", "/usr/local/opt/openblas/lib/libopenblas.dylib",
}

// Library is a loaded OpenBLAS.
type Library struct {
	sgemm  uintptr
	config string
}

// Load opens the machine's OpenBLAS, or the one at path when that is not empty, and
// has it compute on single threads.
func Load(path string) (*Library, error) {
	tried := names[:]
	if path != "" {
		tried = []string{path}
	}
	var errs []error
	for _, name := range tried {
		handle, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		return bind(handle, name)
	}
	return nil, fmt.Errorf("openblas: not found: install libopenblas: %w", errors.Join(errs...))
}

func bind(handle uintptr, name string) (*Library, error) {
	l := new(Library)
	var err error
	if l.sgemm, err = purego.Dlsym(handle, "sgemm_"); err != nil {
		return nil, fmt.Errorf("openblas: %s: %w", name, err)
	}
	setThreads, err := purego.Dlsym(handle, "openblas_set_num_threads")
	if err != nil {
		return nil, fmt.Errorf("openblas: %s is another BLAS: %w", name, err)
	}
	purego.SyscallN(setThreads, 1)
	var config func() string
	purego.RegisterLibFunc(&config, handle, "openblas_get_config")
	l.config = config()
	return l, nil
}

// String is the library's version and the processor that it computes for.
func (l *Library) String() string { return l.config }

// call is the arguments of sgemm, which takes all of them by reference.
type call struct {
	transA, transB         byte
	m, n, k, lda, ldb, ldc int32
	alpha, beta            float32
}

// run computes C = beta*C + op(A)*op(B) for matrices by columns.
func (l *Library) run(o *call, a, b, c *float32) {
	purego.SyscallN(l.sgemm, uintptr(unsafe.Pointer(&o.transA)), uintptr(unsafe.Pointer(&o.transB)),
		uintptr(unsafe.Pointer(&o.m)), uintptr(unsafe.Pointer(&o.n)), uintptr(unsafe.Pointer(&o.k)), uintptr(unsafe.Pointer(&o.alpha)),
		uintptr(unsafe.Pointer(a)), uintptr(unsafe.Pointer(&o.lda)), uintptr(unsafe.Pointer(b)), uintptr(unsafe.Pointer(&o.ldb)),
		uintptr(unsafe.Pointer(&o.beta)), uintptr(unsafe.Pointer(c)), uintptr(unsafe.Pointer(&o.ldc)))
}
