// Package openblas multiplies matrices with OpenBLAS, loaded at run time from a shared
// library where the machine has one: no cgo, and nothing to install where it
// is not used. It calls the library on single threads and shares rows of the result among
// the workers of a gemm.Runner in pieces that depend on the sizes alone, so that no
// result depends on the number of workers.
//
// It is built with the tag openblas: linking it makes the program load the system's C
// library, so that it is no static binary any more (docs/adr/0013).
package openblas

import "errors"

// ErrNotBuilt is what Load returns in a program built without the tag openblas.
var ErrNotBuilt = errors.New("this program was built without OpenBLAS: build it with -tags openblas")
