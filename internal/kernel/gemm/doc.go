// Package gemm multiplies float32 matrices: C = A*B or C += A*B, A and B transposed
// or strided at will. The products of a training step are too small for gonum's
// blocking; here a micro-kernel keeps its results in registers, 8 x 32 of them with
// AVX-512, 6 x 16 with AVX2 and in its Go twin, which is the specification of both
// (build tag noasm keeps to it).
//
// A result is one chain of additions in ascending order of the inner index, cut in
// blocks of fixed length, so that it has the same bits for any number of workers.
// The assembly fuses multiply and add; the Go twin may round in between.
//
// The blocking follows Goto and van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication" (2008): the workers pack B together, and each multiplies pieces of the
// result. A is read in place unless it is transposed.
package gemm
