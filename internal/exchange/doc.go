// Package exchange is how nodes pass objects to each other: the directory of who
// keeps what where, the gather of a set of gradients before a deadline, and the
// announcements of the lead validator (start window, peer lists).
//
// Objects travel through S3 buckets. Each node writes to its own and reads
// everybody's, with the read keys that they committed to the chain. A peer's fault is
// a protocol.Verdict; an error always means that our own side failed.
package exchange
