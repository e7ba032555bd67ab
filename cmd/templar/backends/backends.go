// Package backends is the one place that names the back ends of the command. A new chain,
// engine, store or training method is a package of its own and a line here.
package backends

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"templar/internal/chain/bittensor"
	"templar/internal/chain/cometbft"
	"templar/internal/chain/ledger"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/engine"
	"templar/internal/engine/cpu"
	"templar/internal/engine/device"
	"templar/internal/memory"
	"templar/internal/node"
	"templar/internal/store/s3"
	"templar/internal/workers"
	"templar/method"
	"templar/method/dctsign"
	"templar/method/sparseloco"
	"templar/protocol"
)

// All returns the back ends that the command is built with.
func All() node.Backends {
	return node.Backends{
		Chains: map[string]node.OpenChain{config.CometBFT: dial, config.Bittensor: dialBittensor},
		Engines: map[string]node.EngineKind{
			"cpu":         {Open: newCPU, Buffers: cpuBuffers},
			device.CUDA:   {Open: newDevice, Buffers: deviceBuffers, State: memory.Device, Probe: probe},
			device.Plugin: {Open: newDevice, Buffers: deviceBuffers, State: memory.Device, Probe: probe},
		},
		Stores:  map[string]node.OpenStore{"http": newS3, "https": newS3},
		Methods: method.Factories{dctsign.Name: dctsign.New, sparseloco.Name: sparseloco.New},
		Private: node.PrivateChain{Backend: config.CometBFT, Init: initialise, InitNetwork: initialiseNetwork, Serve: serve},
	}
}

func dial(ctx context.Context, c config.Chain, clk clock.Clock, log *slog.Logger) (node.ChainConn, error) {
	genesis, err := c.Genesis()
	if err != nil {
		return nil, fmt.Errorf("chain.verify: %w", err)
	}
	servers := c.Endpoints()
	return cometbft.Dial(ctx, cometbft.Opts{Endpoint: servers[0], Others: servers[1:], NetUID: c.NetUID, Verify: genesis, Clock: clk, Dir: c.State, Log: log})
}

// dialBittensor connects to Subtensor. It keeps the time of this machine: its deadlines are
// of connections, not of windows.
func dialBittensor(ctx context.Context, c config.Chain, _ clock.Clock, log *slog.Logger) (node.ChainConn, error) {
	genesis, err := c.Genesis()
	if err != nil {
		return nil, fmt.Errorf("chain.verify: %w", err)
	}
	return bittensor.Dial(ctx, bittensor.Opts{Endpoints: c.Endpoints(), NetUID: c.NetUID, Genesis: genesis, Dir: c.State, Log: log})
}

func initialise(home string, g ledger.Genesis) error { return cometbft.Init(home, g) }

func initialiseNetwork(homes, addresses []string, blockTime time.Duration, g ledger.Genesis) (string, error) {
	if err := cometbft.InitNetwork(homes, addresses, blockTime, g); err != nil {
		return "", err
	}
	return cometbft.ReadGenesisHash(homes[0])
}

func serve(home, listen string, blockTime time.Duration, log *slog.Logger) (node.Service, error) {
	return cometbft.New(cometbft.Config{Home: home, Listen: listen, BlockInterval: blockTime, Logger: log})
}

func newCPU(m protocol.Model, o node.EngineOptions) (engine.Engine, error) {
	if o.Precision != "" && o.Precision != "float32" {
		return nil, fmt.Errorf("precision %s: the engine of the cpu computes in float32: choose another --device, or leave --precision out", o.Precision)
	}
	if o.Rows > 0 {
		if _, err := cpu.PlanStep(m, o.Rows, o.Cols, threads(o), o.Train, o.Memory); err != nil {
			return nil, err
		}
	}
	return cpu.New(m, cpu.Options{Threads: o.Threads, BLAS: o.BLAS, Memory: o.Memory})
}

func cpuBuffers(m protocol.Model, o node.EngineOptions) (least, most int64) {
	small, _ := cpu.PlanStep(m, o.Rows, o.Cols, threads(o), o.Train, 1) // nothing fits: the smallest
	large, _ := cpu.PlanStep(m, o.Rows, o.Cols, threads(o), o.Train, 0)
	return small.Bytes, large.Bytes
}

func threads(o node.EngineOptions) int { return cmp.Or(o.Threads, workers.Cores()) }

// newDevice starts the engine of a GPU, or of another device that a PJRT plug-in drives, in a process of
// its own.
func newDevice(m protocol.Model, o node.EngineOptions) (engine.Engine, error) {
	spec, err := device.Parse(o.Device)
	if err != nil {
		return nil, err
	}
	if least, _ := deviceBuffers(m, o); o.Memory > 0 && least > o.Memory {
		return nil, fmt.Errorf("memory: the engine's process needs %s of this machine, and %s are left: raise --memory, or take a machine with more", memory.Format(least), memory.Format(o.Memory))
	}
	e, err := device.Start(spec, m, device.Options{
		Precision: o.Precision, Log: o.Log, Rows: o.Rows, Cols: o.Cols, Train: o.Train, Compress: o.Compress,
	})
	if err != nil {
		return nil, err // and no interface of a nil pointer
	}
	return e, nil
}

// deviceBuffers is the memory of the engine's process, and of the window through which vectors cross: that of the device is not
// this machine's. Processes took 0.3 GB with a small model, and 0.7 GB for compiling for a GPU, whose driver takes some too.
func deviceBuffers(m protocol.Model, o node.EngineOptions) (least, most int64) {
	least = device.Window(m) + 256<<20
	if spec, err := device.Parse(o.Device); err != nil || spec.Name == device.CUDA {
		least = device.Window(m) + 1<<30
	}
	return least, least
}

// probe opens a device in a process of its own.
func probe(ctx context.Context, name string) (what string, free int64, err error) {
	spec, err := device.Parse(name)
	if err != nil {
		return "", 0, err
	}
	info, err := device.Probe(ctx, spec)
	if err != nil {
		return "", 0, err
	}
	if !spec.All {
		info.Devices = info.Devices[:min(1, len(info.Devices))] // the engine takes the first
	}
	for _, d := range info.Devices {
		free += max(0, d.Bytes-d.Used)
	}
	return info.String(), free, nil
}

func newS3() node.StoreConn { return s3.NewDialer(s3.Options{}) }
