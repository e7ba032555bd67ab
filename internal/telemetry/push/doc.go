// Package push delivers lines to a server over HTTP, in batches, for the sinks that send what
// a node reports to other machines.
//
// A server that is slow or away delays nothing in the node: lines wait in a queue of bounded
// size, and the oldest are dropped when it is full.
package push
