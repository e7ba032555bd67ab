// Command gen writes the assembly of internal/kernel, for AVX2 and for AVX-512:
// straight-line transforms of length 64 over a vector of columns at a time, and loops
// for the rest. It is a module of its own, so that the main module does not depend on avo.
//
//	cd internal/kernel/_gen && go run . -out ../kernels_amd64.s -stubs ../kernels_amd64.go -pkg kernel
package main

import . "github.com/mmcloughlin/avo/build"

func main() {
	ConstraintExpr("!noasm")
	columns(avx2, "forward", "II", forward)
	columns(avx2, "inverse", "III", inverse)
	columns(avx512, "inverse", "III", inverse)
	transposition()
	collect(false)
	collect(true)
	turned(avx512, "forward", "II", forward, true)
	turned(avx512, "inverse", "III", inverse, false)
	candidates()
	choose()
	chooseMore()
	maxima()
	kth()
	chooseSome()
	above()
	gaps()
	golomb()
	quantised()
	taken()
	rounded()
	unpacked()
	scaled()
	divided()
	packSigns()
	packRows()
	step()
	Generate()
}
