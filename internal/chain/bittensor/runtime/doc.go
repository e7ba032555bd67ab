// Package runtime speaks for one version of a Substrate runtime: from its metadata (V14
// or V15) it makes storage keys, calls and extrinsics, and reads storage, events and the
// answers of runtime APIs. Nothing in it knows a pallet's number or a type's layout: a
// chain's runtime is replaced every week or two, and what the metadata does not explain
// is refused by its name, never guessed.
//
// Metadata comes from a node and is hostile until it has been decoded: all sizes are
// bounded by the input, and a value's decoding is bounded in depth and in elements.
package runtime
