// Package export sends what a node tells of itself to where an operator watches many nodes:
// its events, as numbers, to InfluxDB, and its log to Loki.
//
// Neither can hold a node up. What is to be sent waits in a queue of bounded size, from
// which the oldest is dropped when the server does not take it, and goes out in batches.
//
// The window is a field and no tag: as a tag it would make one series of every point.
package export
