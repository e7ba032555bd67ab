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
)

// What the operator allows is divided between the role and its engine; too little is refused before
// anything is opened.
func TestMemoryIsDivided(t *testing.T) {
	r := must(run.New(testnet.Params(), harness.Methods()))(t)
	o, err := engineOptions(config.Options{Memory: "200MiB"}, telemetry.Miner, parts.Of(telemetry.Miner), r)
	if err != nil || o.Memory != 200<<20-memory.Of(telemetry.Miner, r).Total() || !o.Train || o.Rows != r.Params.BatchSize || o.Cols != r.Params.SequenceLength {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := engineOptions(config.Options{Memory: "1MiB"}, telemetry.Aggregator, parts.Of(telemetry.Aggregator), r); err != nil || o.Rows != 0 {
		t.Errorf("an aggregator has no engine: %+v, %v", o, err)
	}
	_, err = engineOptions(config.Options{Memory: "1MiB"}, telemetry.Validator, parts.Of(telemetry.Validator), r)
	if err == nil || !strings.Contains(err.Error(), "a validator of this run holds 97 MiB") {
		t.Errorf("error %v", err)
	}
}
