// Command gen writes the AVX2 kernels of internal/kernel: straight-line transforms of
// length 64 over eight columns at a time, and loops for the rest. It is a module of
// its own, so that the house does not depend on avo.
//
//	cd internal/kernel/_gen && go run . -out ../avx2_amd64.s -stubs ../avx2_amd64.go -pkg kernel
package main

import . "github.com/mmcloughlin/avo/build"

func main() {
	ConstraintExpr("!noasm")
	transform("forward64AVX2", "forward64AVX2 writes the unscaled type II transform of the 64 columns of src to dst.", forward)
	transform("inverse64AVX2", "inverse64AVX2 writes the unscaled type III transform of the 64 columns of src to dst.", inverse)
	transposition()
	maxima()
	above()
	packSigns()
	step()
	Generate()
}
