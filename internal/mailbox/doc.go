// Package mailbox transfers objects between nodes: it gathers gradients before a deadline, stores
// objects in a node's own bucket, reads the aggregator's bucket, and deletes objects past their
// retention.
//
// A peer's fault is a protocol.Verdict; an error always means a failure on our own side.
package mailbox
