// Package protocol is the vocabulary that every node of a Templar run shares:
// windows, uids, hotkeys, verdicts, object keys, run parameters and the tensor
// table of the model.
//
// Everything here is a value or a pure function. The package imports nothing
// else of this module, reads no clock and does no I/O, so that two nodes that
// hold the same run parameters and see the same blocks always agree.
package protocol

// Version is the protocol's version, not a release's: it stands in every object
// key and in every signed message, and changes only when nodes of the old and the
// new kind can no longer train one model together.
//
//	1  2026-11     first version
//	2  2026-11-29  objects name the training method; its parameters stand in a struct of their own
const Version = 2
