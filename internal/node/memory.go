package node

import (
	"templar/internal/config"
	"templar/internal/memory"
	"templar/internal/parts"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/internal/userfile"
)

// engineOptions are those of a role's engine. They divide the memory that the node may use.
func (b *Backends) engineOptions(c config.Options, r telemetry.Role, needs parts.Needs, run run.Run) (EngineOptions, error) {
	o := EngineOptions{Threads: c.Threads, BLAS: c.BLAS, Precision: c.Precision}
	size, err := userfile.Size(c.Memory)
	if err != nil || !needs.Model {
		return o, err
	}
	o.batches(r, run)
	kind, err := b.engine(c.Device)
	if err != nil {
		return o, err
	}
	o.Memory, err = memory.Of(r, run, kind.State).Left(r, memory.Budget(size))
	return o, err
}

// batches says what a role's engine computes.
func (o *EngineOptions) batches(r telemetry.Role, run run.Run) {
	o.Rows, o.Cols, o.Train = run.Params.BatchSize, run.Params.SequenceLength, r == telemetry.Miner
	if r == telemetry.Miner || r == telemetry.Validator {
		o.Compress = run.Method.Compression
	}
}

// Memory is what a node of a run needs with an engine of so many threads.
func (b *Backends) Memory(r telemetry.Role, run run.Run, device string, threads int) (memory.Need, error) {
	if !parts.Of(r).Model {
		fixed := memory.Of(r, run, memory.Host).Total()
		return memory.Need{Least: fixed, Most: fixed}, nil
	}
	kind, err := b.engine(device)
	if err != nil {
		return memory.Need{}, err
	}
	o := EngineOptions{Device: device, Threads: threads}
	o.batches(r, run)
	var n memory.Need
	if kind.Buffers != nil {
		n.Least, n.Most = kind.Buffers(run.Params.Model, o)
	}
	fixed := memory.Of(r, run, kind.State).Total()
	n.Least, n.Most = n.Least+fixed, n.Most+fixed
	if kind.State == memory.Device {
		n.Device = memory.State(r, run)
	}
	return n, nil
}
