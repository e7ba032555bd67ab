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
func engineOptions(c config.Options, r telemetry.Role, needs parts.Needs, run run.Run) (EngineOptions, error) {
	o := EngineOptions{Threads: c.Threads, BLAS: c.BLAS, Precision: c.Precision}
	size, err := userfile.Size(c.Memory)
	if err != nil || !needs.Model {
		return o, err
	}
	o.batches(r, run)
	o.Memory, err = memory.Of(r, run).Left(r, memory.Budget(size))
	return o, err
}

// batches says what a role's engine computes.
func (o *EngineOptions) batches(r telemetry.Role, run run.Run) {
	o.Rows, o.Cols, o.Train = run.Params.BatchSize, run.Params.SequenceLength, r == telemetry.Miner
	if r == telemetry.Miner || r == telemetry.Validator {
		o.Compress = run.Method.Compression
	}
}

// Memory is what a node of a run needs with an engine of so many threads: the least with which it can
// take part, and the most that it makes use of, in bytes.
func (b *Backends) Memory(r telemetry.Role, run run.Run, device string, threads int) (least, most int64, err error) {
	fixed := memory.Of(r, run).Total()
	if !parts.Of(r).Model {
		return fixed, fixed, nil
	}
	o := EngineOptions{Threads: threads}
	o.batches(r, run)
	least, most, err = b.Buffers(device, run.Params.Model, o)
	return fixed + least, fixed + most, err
}
