// Package wire is the form in which nodes' messages stand in buckets: gradients,
// Aggregates and sync samples in a signed binary format, peer lists and the start
// window as signed JSON. docs/spec/wire.md is the specification.
//
// Whatever is decoded here is hostile. A decoder checks, in this order: size, magic
// and version, checksum, context, signature, and only then the body, against the
// tensor table of our own run parameters. It answers with a Verdict, never an error.
package wire
