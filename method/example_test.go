package method_test

import (
	"fmt"

	"templar/internal/workers"
	"templar/method"
	"templar/method/dctsign"
	"templar/protocol"
)

// A program knows the methods in its table; the run parameters choose one. What arrives from
// miners is read, reduced and applied.
func Example() {
	p, err := protocol.Preset("tiny")
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := method.Factories{dctsign.Name: dctsign.New}.New(&p, workers.Pool{})
	if err != nil {
		fmt.Println(err)
		return
	}
	momentum := make([]float32, p.Model.Layout().Size())
	momentum[0] = 1
	sent, err := m.Encode(momentum)
	if err != nil {
		fmt.Println(err)
		return
	}
	payload, verdict := m.Read(sent.Bytes())
	fmt.Println(verdict, payload)
	_, verdict = m.Read([]byte("not a payload"))
	fmt.Println(verdict)

	params := make([]float32, len(momentum))
	m.Apply(params, m.Reduce([]method.Payload{payload}), m.Rate(0))
	fmt.Println(params[0])
	// Output:
	// ok 128 coefficients in i8
	// malformed
	// -0.0004
}
