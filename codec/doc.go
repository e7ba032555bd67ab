// Package codec turns momentum into few coefficients and many peers' coefficients
// into one sign per parameter: chunked DCT, top-k, quantisation, aggregation, the
// signed step and the state hash.
//
// What changes parameters (Decode, Aggregate, Apply) gives the same bits
// on every architecture and for every number of goroutines. docs/spec/codec.md is
// the specification; the package does no I/O and trusts no byte it is given.
package codec
