// Package mailbox is how nodes pass objects to each other: the gather of a set of gradients
// before a deadline, what a node stores in its own bucket, what it reads from the aggregator's,
// and for how long objects are kept.
//
// A peer's fault is a protocol.Verdict; an error always means that our own side failed.
package mailbox
