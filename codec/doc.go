// Package codec has what training methods compress with. Codec is that of method dctsign: chunked
// DCT, top-k, quantisation to 32, 16 or 8 bits, the mean of many peers' coefficients as one sign a
// parameter, and the signed step. Sparse is that of method sparseloco: the largest values of a chunk,
// without a transform, in one to eight bits a value.
//
// What changes parameters gives the same bits on every architecture and for every number of
// goroutines. docs/spec/dctsign.md and docs/spec/sparse.md are the specification. The package does
// no I/O and trusts no byte it is given. Only methods import it.
package codec
