package node

import (
	"strings"
	"testing"

	"templar/internal/config"
	"templar/internal/harness"
	"templar/internal/harness/testnet"
	"templar/internal/memory"
	"templar/internal/parts"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/protocol"
)

// What the operator allows is divided between the role and its engine; too little is refused before
// anything is opened.
func TestMemoryIsDivided(t *testing.T) {
	r := must(run.New(testnet.Params(), harness.Methods()))(t)
	b := Backends{Engines: map[string]EngineKind{"cpu": {}, "cuda": {State: memory.Device}}}
	o, err := b.engineOptions(config.Options{Memory: "200MiB"}, telemetry.Miner, parts.Of(telemetry.Miner), r)
	if err != nil || o.Memory != 200<<20-memory.Of(telemetry.Miner, r, memory.Host).Total() || !o.Train || o.Rows != r.Params.BatchSize || o.Cols != r.Params.SequenceLength {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := b.engineOptions(config.Options{Memory: "1MiB"}, telemetry.Aggregator, parts.Of(telemetry.Aggregator), r); err != nil || o.Rows != 0 {
		t.Errorf("an aggregator has no engine: %+v, %v", o, err)
	}
	_, err = b.engineOptions(config.Options{Memory: "1MiB"}, telemetry.Validator, parts.Of(telemetry.Validator), r)
	if err == nil || !strings.Contains(err.Error(), "a validator of this run holds 97 MiB") {
		t.Errorf("error %v", err)
	}
}

// A device that holds the model's state leaves this machine's memory to the rest: a node's needs of both are counted apart.
func TestMemoryOfDevices(t *testing.T) {
	r := must(run.New(testnet.Params(), harness.Methods()))(t)
	buffers := func(protocol.Model, EngineOptions) (least, most int64) { return 1 << 20, 2 << 20 }
	b := Backends{Engines: map[string]EngineKind{"cpu": {Buffers: buffers}, "cuda": {Buffers: buffers, State: memory.Device}}}
	vector := 4 * int64(r.Space.Size())
	for device, want := range map[string]memory.Need{
		"cpu":    {Least: memory.Of(telemetry.Miner, r, memory.Host).Total() + 1<<20, Most: memory.Of(telemetry.Miner, r, memory.Host).Total() + 2<<20},
		"cuda:1": {Least: memory.Of(telemetry.Miner, r, memory.Device).Total() + 1<<20, Most: memory.Of(telemetry.Miner, r, memory.Device).Total() + 2<<20, Device: 3 * vector},
	} {
		if got, err := b.Memory(telemetry.Miner, r, device, 1); err != nil || got != want {
			t.Errorf("%s: %+v, want %+v, %v", device, got, want, err)
		}
	}
	o, err := b.engineOptions(config.Options{Device: "cuda", Memory: "200MiB"}, telemetry.Miner, parts.Of(telemetry.Miner), r)
	if err != nil || o.Memory != 200<<20-memory.Of(telemetry.Miner, r, memory.Device).Total() {
		t.Errorf("%+v, %v", o, err)
	}
}
