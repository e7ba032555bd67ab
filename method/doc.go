// Package method defines the interfaces of a training method: how a miner's window becomes a
// payload, how a window's payloads become one update, and how an update moves the parameters.
//
// A run names its method and that method's parameters (protocol.Params.Method); objects carry the
// method's name and opaque bodies. The rest of the program uses a method only through the Method
// value that a Factory returns. A new method is one package and one entry in the table of
// factories that a program passes down:
//
//	m, err := method.Factories{"dctsign": dctsign.New}.New(&params, workers.Pool{})
//
// A miner trains; an aggregator, and every node that checks it, reduces; all nodes apply:
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
// The operations that move parameters (Read, Reduce, ReadUpdate, Apply) must be deterministic and
// give the same bits on every architecture and for every number of workers. Training need not be
// exact. Package methodtest is the conformance suite.
package method
