//go:build (linux || darwin) && (amd64 || arm64)

package pjrt

import "github.com/ebitengine/purego"

// lookUp loads a shared library and returns the address of a symbol.
func lookUp(path, symbol string) (uintptr, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return 0, err
	}
	return purego.Dlsym(handle, symbol)
}

// native calls a function at an address. Memory whose address is an argument stays where it is
// during the call.
//
//go:uintptrescapes
func native(fn uintptr, args ...uintptr) uintptr {
	result, _, _ := purego.SyscallN(fn, args...)
	return result
}
