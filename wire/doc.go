// Package wire encodes and decodes the messages that nodes store in buckets: gradients,
// Aggregates and sync samples in a signed binary format, peer lists and the start
// window as signed JSON. docs/spec/wire.md is the specification.
//
// All input is taken to be hostile. A decoder checks, in this order: size, magic and
// version, checksum, context, signature, and only then the body, against the tensor
// table of the reader's own run parameters. It returns a Verdict, never an error.
package wire
