// Package sim runs a whole network of the real roles in virtual time, and tries to break
// the promise that every honest node holds the same parameters.
//
// A run is a pure function of its Config: one seed draws the latencies, the order of what
// happens at the same instant, and, if asked for, the faults. The codec, the wire formats,
// the signatures, the ledger and the roles are the real ones; blocks, object stores, disks
// and clocks are the simulator's, and the engine may be a cheap stand-in.
//
// How it works: every node is a process, and every thread of control in it a coroutine
// that runs until it waits: for the clock, for a block, for a store. What it waits for is
// handed to the scheduler, which alone changes what nodes share. Between two waits a
// process touches nothing but its own memory, so that processes that are ready at the same
// instant may run on several cores without changing what happens.
//
// Faults come from a script (docs/sim.md) or from the seed. The watch looks at every object
// that is stored and at every event that a node reports, follows the run with parameters
// of its own, and reports the first violation of an invariant.
package sim
