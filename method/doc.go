// Package method holds the ports of a training method: how a miner's window becomes a payload, how
// a window's payloads become one update, and how an update moves the parameters.
//
// A run names its method and that method's parameters (protocol.Params.Method); objects carry the
// method's name and opaque bodies. The rest of the program knows a method by the Method value that
// a Factory returns, and no method in particular. A new method is one package and one line in the
// table of factories that a program passes down:
//
//	m, err := method.Factories{"dctsign": dctsign.New}.New(&params, workers.Pool{})
//
// A miner trains, an aggregator and everyone that checks it reduces, all nodes apply:
//
//	err = trainer.Begin(ctx, step, params)            // miner
//	loss, err := trainer.Batch(ctx, batch)
//	body, err := trainer.Payload(ctx)
//	err = trainer.Stored(ctx)                         // the store took it
//
//	p, verdict := m.Read(body)                        // from each miner
//	u := m.Reduce(payloads)                           // in ascending uid
//	m.Apply(params, u, m.Rate(step))
//
// What moves parameters (Read, Reduce, ReadUpdate, Apply) must give the same bits on every
// architecture, for every number of workers, each time. Training need not be exact. Package
// methodtest is the conformance suite.
package method
