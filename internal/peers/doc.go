// Package peers selects the miners of a run's peer list, whose gradients enter the Aggregate,
// and the miners that a validator evaluates in a window.
//
// The rules are pure. Random choices are drawn with protocol.Draw from a block hash, so that
// any node can recompute a list that the lead validator published, or a draw of evaluations,
// and prove a violation.
package peers
