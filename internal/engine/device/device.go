// Package device finds the plug-in of a device that the user names, and starts its engine in a
// process of its own. It links no native code itself: the program templar-xla does
// (docs/adr/0070).
package device

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"templar/internal/engine"
	"templar/internal/engine/process"
	"templar/protocol"
)

// Names of devices, which a configuration gives as NAME or NAME:WHICH.
const (
	CUDA   = "cuda"
	Plugin = "plugin"
)

// Spec is a device that the user named.
type Spec struct {
	Name  string
	Path  string // of a plug-in, or of the folder that it is in; empty: it is looked for
	Index int    // of the one GPU in use; -1: not chosen
	All   bool   // all devices of the plug-in compute as one
}

// Parse reads cuda, cuda:N, cuda:all, N (which is cuda:N), plugin:PATH and plugin:all:PATH.
func Parse(text string) (Spec, error) {
	name, which, given := strings.Cut(text, ":")
	if _, err := strconv.ParseUint(text, 10, 16); err == nil { // as CUDA_DEVICE may say
		name, which, given = CUDA, text, true
	}
	s := Spec{Name: name, Index: -1}
	switch {
	case name == CUDA && !given:
		s.Index = 0
		return s, nil
	case name == CUDA && which == "all":
		s.All = true
		return s, nil
	case name == CUDA:
		n, err := strconv.ParseUint(which, 10, 16)
		if err != nil {
			return Spec{}, fmt.Errorf("device %q: want cuda:N, N a number, or cuda:all", text)
		}
		s.Index = int(n)
		return s, nil
	case name == Plugin && which != "":
		s.Path, s.All = strings.CutPrefix(which, "all:")
		return s, nil
	}
	return Spec{}, fmt.Errorf("device %q: want cpu, cuda, cuda:N, cuda:all, plugin:PATH or plugin:all:PATH", text)
}

// Settings are sent to an engine process as JSON. It is the same build: there is no version.
type Settings struct {
	Plugin    string
	Index     int // -1: not chosen
	All       bool
	GPU       bool // the plug-in of the processor is refused
	Cache     string
	Precision string // float32, bf16, or empty for what suits the device
	Plain     bool   // attention without fused kernels

	// The batches to come, whose programs are compiled at once; no Rows: not known.
	Rows, Cols int
	Train      bool
	Compress   engine.Compression // no Chunks: none is to come
}

// Info is what a device is, as templar-xla reports it.
type Info struct {
	Plugin    string       `json:"plugin"`
	Interface string       `json:"interface"` // version of PJRT
	Platform  string       `json:"platform"`
	Version   string       `json:"version"`
	StableHLO string       `json:"stablehlo"`
	Devices   []DeviceInfo `json:"devices"`
}

// DeviceInfo is one device.
type DeviceInfo struct {
	Kind  string `json:"kind"`
	Bytes int64  `json:"bytes"` // of memory; 0: not given
	Used  int64  `json:"used"`
}

// String is a line for logs.
func (i Info) String() string {
	return fmt.Sprintf("%s, %d x %s, PJRT %s, StableHLO %s", i.Platform, len(i.Devices), i.kind(), i.Interface, i.StableHLO)
}

func (i Info) kind() string {
	if len(i.Devices) == 0 {
		return "no device"
	}
	return i.Devices[0].Kind
}

// Window is the bytes of shared memory that an engine process needs on this machine.
func Window(m protocol.Model) int64 { return process.WindowBytes(m.Layout()) }

// Remedy is what a user can do about an engine process that crashes or hangs.
const Remedy = `The node's own state is whole: start the node again, and it continues.
If this repeats: "templar doctor" shows whether the plug-in works, "nvidia-smi" what else uses the card; --device cpu computes without it.`

// Options of Start.
type Options struct {
	Precision string
	Plain     bool
	Log       *slog.Logger

	// Rows and Cols are the batches to come, and Train says that their gradient is computed: their programs
	// are compiled at the start, and not in the first window. No Rows: not known.
	Rows, Cols int
	Train      bool
	Compress   engine.Compression // no Chunks: none is to come
}

// Start starts the engine of a model on a device.
func Start(s Spec, m protocol.Model, o Options) (*process.Client, error) {
	program, settings, err := s.resolve()
	if err != nil {
		return nil, err
	}
	settings.Precision, settings.Plain = o.Precision, o.Plain
	settings.Rows, settings.Cols, settings.Train, settings.Compress = o.Rows, o.Cols, o.Train, o.Compress
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	return process.Start(m, process.Command{Path: program, Args: []string{"serve"}, Settings: text, Env: environment(), Log: o.Log, Remedy: Remedy})
}

// environment quiets the native logs below warnings; a user's own setting stays.
func environment() []string {
	if os.Getenv("TF_CPP_MIN_LOG_LEVEL") != "" {
		return nil
	}
	return []string{"TF_CPP_MIN_LOG_LEVEL=1"}
}

// probeLimit bounds a plug-in's start.
const probeLimit = 2 * time.Minute

// Probe opens a device in a process of its own and says what it is.
func Probe(ctx context.Context, s Spec) (Info, error) {
	program, settings, err := s.resolve()
	if err != nil {
		return Info{}, err
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return Info{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	c := exec.CommandContext(ctx, program, "probe", string(text))
	c.Env = append(os.Environ(), environment()...)
	out, err := c.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
		return Info{}, errors.New(strings.TrimPrefix(lines[len(lines)-1], "templar-xla: "))
	}
	if err != nil {
		return Info{}, err
	}
	var i Info
	return i, json.Unmarshal(out, &i)
}

// resolve finds the program and the plug-in.
func (s Spec) resolve() (program string, settings Settings, err error) {
	if program, err = Program(); err != nil {
		return "", Settings{}, err
	}
	plugin, err := s.Find()
	if err != nil {
		return "", Settings{}, err
	}
	settings = Settings{Plugin: plugin, Index: s.Index, All: s.All, GPU: s.Name == CUDA}
	if dir, err := os.UserCacheDir(); err == nil {
		settings.Cache = filepath.Join(dir, "templar", "programs")
	}
	return program, settings, nil
}

// ProgramVariable names another engine program.
const ProgramVariable = "TEMPLAR_XLA"

// Program finds templar-xla: named by the environment, beside this program, or in PATH.
func Program() (string, error) {
	name := "templar-xla"
	if runtime.GOOS == "windows" {
		return "", errors.New("devices other than cpu need linux or darwin")
	}
	if path := os.Getenv(ProgramVariable); path != "" {
		return path, nil
	}
	if self, err := os.Executable(); err == nil {
		path := filepath.Join(filepath.Dir(self), name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("the program %s, which runs the engines of devices, is neither beside this program nor in PATH: build both with `go build -o bin/ ./cmd/templar ./cmd/%s`, or name it in %s", name, name, ProgramVariable)
}
