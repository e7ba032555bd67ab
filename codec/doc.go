// Package codec holds the compression of the training methods. Codec is that of method dctsign: chunked
// DCT, top-k, quantisation to 32, 16 or 8 bits, the mean of many peers' coefficients as one sign a
// parameter, and the signed step. Sparse is that of method sparseloco: the largest values of a chunk,
// without a transform, in one to eight bits a value.
//
// The operations that change parameters give the same bits on every architecture and for every number
// of goroutines. docs/spec/dctsign.md and docs/spec/sparse.md are the specification. The package does
// no I/O, and its decoders take all input to be hostile. Only methods import it.
package codec
