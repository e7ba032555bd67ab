// Package peers decides who belongs to a run's peer list, whose gradients enter the
// Aggregate, and whom a validator evaluates in a window.
//
// The rules are pure. Whatever they leave to chance is drawn with protocol.Draw from
// a block hash, so that anyone who knows the chain can recompute a list that the lead
// validator published, or a draw of evaluations, and show that it was unfair.
package peers
