// Package kernel holds the arithmetic that parameters depend on: the chunk
// transforms, top-k selection, sign packing and the signed step.
//
// Files named *_generic.go are the specification in code: float32, one rounding an
// operation, in a fixed order, and every product written float32(x*y) so that no
// compiler fuses it with a sum. Whatever is faster must give the same bits.
// docs/spec/dctsign.md says the same in words.
package kernel
