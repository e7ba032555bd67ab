package node

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/engine"
	"templar/internal/memory"
	"templar/internal/run"
	"templar/internal/store"
	"templar/method"
	"templar/protocol"
)

// Backends are the back ends that a program was built with: constructors, by the names
// that a configuration gives them. The program's main package fills them in and passes
// them down; no package below it imports an implementation to make one.
type Backends struct {
	Chains  map[string]OpenChain  // by chain.backend
	Engines map[string]EngineKind // by options.device
	Stores  map[string]OpenStore  // by the scheme of endpoints; directories need none
	Methods method.Factories      // by the run parameters' method.name

	// Private is the chain that a localnet makes and runs for itself.
	Private PrivateChain
}

// OpenChain connects to a chain. It waits, until ctx ends, for the chain to answer. Later failures
// of the connection are logged.
type OpenChain func(ctx context.Context, c config.Chain, clk clock.Clock, log *slog.Logger) (ChainConn, error)

// ChainConn is a chain over a connection. Close ends it.
type ChainConn interface {
	chain.Chain
	Close() error
}

// EngineKind is a kind of engine.
type EngineKind struct {
	// Open makes an engine for a model. It refuses options with which it could not compute.
	Open func(m protocol.Model, o EngineOptions) (engine.Engine, error)
	// Buffers is the memory of this machine that the engine needs beside the vectors that the port
	// names: the least with which it computes the batches of o, and the most that it makes use of.
	Buffers func(m protocol.Model, o EngineOptions) (least, most int64)
	State   memory.Place // where it has parameters, gradient and moments
	// Probe opens a device and says what it is, with the bytes of its free memory, 0 where they are not known; nil: there is
	// none to open.
	Probe func(ctx context.Context, device string) (what string, free int64, err error)
}

// EngineOptions are those of config.Options that an engine may use.
type EngineOptions struct {
	Device    string // as the user named it
	Precision string // float32, bf16, or empty for what suits the device
	Log       *slog.Logger

	Threads int    // 0: all cores
	BLAS    string // builtin, also when empty, openblas or auto

	// Rows and Cols are the largest batch, in sequences and tokens, and Train says that its
	// gradient is computed too; zero Rows mean that they are not known.
	Rows, Cols int
	Train      bool
	Compress   engine.Compression // of the method's trainers; no Chunks: none is to come
	Memory     int64              // bound on the buffers, in bytes; 0: none
}

// OpenStore makes a client of object stores. It opens no connection before it is used.
type OpenStore func() StoreConn

// StoreConn opens buckets. Close ends its connections.
type StoreConn interface {
	store.Dialer
	Close() error
}

// PrivateChain is a chain that this program runs itself.
type PrivateChain struct {
	Backend string // its name among the chains
	// Init writes the folder of a node.
	Init func(home string, g ledger.Genesis) error
	// InitNetwork writes the folders of nodes that make blocks together, each of which the
	// others reach at its address, host:port. It returns the hash of the genesis, for chain.verify.
	InitNetwork func(homes, addresses []string, blockTime time.Duration, g ledger.Genesis) (genesis string, err error)
	// Serve makes the node of a folder, which serves clients at listen, host:port.
	Serve func(home, listen string, blockTime time.Duration, log *slog.Logger) (Service, error)
}

// Service works until its context ends.
type Service interface{ Run(context.Context) error }

// Chain connects to the chain that a configuration names.
func (b *Backends) Chain(ctx context.Context, c config.Chain, clk clock.Clock, log *slog.Logger) (ChainConn, error) {
	open, err := pick("chain.backend", b.Chains, c.Kind(), config.CometBFT)
	if err != nil {
		return nil, err
	}
	return open(ctx, c, clk, log)
}

// Engine makes the engine of a device.
func (b *Backends) Engine(device string, m protocol.Model, o EngineOptions) (engine.Engine, error) {
	kind, err := b.engine(device)
	if err != nil {
		return nil, err
	}
	o.Device = device
	return kind.Open(m, o)
}

func (b *Backends) engine(device string) (EngineKind, error) {
	return pick("options.device", b.Engines, config.DeviceName(device), config.Default().Options.Device)
}

// LoadRun reads a run parameters' file and sets up the run's method.
func (b *Backends) LoadRun(path string) (run.Run, error) {
	p, err := LoadParams(path)
	if err != nil {
		return run.Run{}, err
	}
	r, err := run.New(p, b.Methods)
	if err != nil {
		return run.Run{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Build lists the names that a configuration can choose from.
func (b *Backends) Build() config.Build {
	return config.Build{Chains: slices.Sorted(maps.Keys(b.Chains)), Devices: slices.Sorted(maps.Keys(b.Engines))}
}

// pick finds a back end by its name; an empty name means the default.
func pick[T any](key string, from map[string]T, name, usual string) (T, error) {
	if name == "" {
		name = usual
	}
	open, ok := from[name]
	if !ok {
		return open, fmt.Errorf("%s: %q is not in this build (it has: %s)", key, name, strings.Join(slices.Sorted(maps.Keys(from)), ", "))
	}
	return open, nil
}
