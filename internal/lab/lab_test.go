package lab

import (
	"testing"

	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/method"
	"templar/method/dctsign"
	"templar/method/sparseloco"
	"templar/protocol"
)

func env() Env {
	return Env{
		Methods: method.Factories{dctsign.Name: dctsign.New, sparseloco.Name: sparseloco.New},
		Engine:  func(m protocol.Model) (engine.Engine, error) { return cpu.New(m, cpu.Options{Threads: 1}) },
	}
}

func TestTry(t *testing.T) {
	v := Default()
	v.Name, v.Windows = "x", 6
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	for _, threads := range []int{1, 2} {
		r, err := v.Train(t.Context(), env(), Options{Seed: 1, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", r.Result)
	}
}
