package memory

import (
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"templar/internal/engine"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/method"
	"templar/method/dctsign"
	"templar/method/sparseloco"
	"templar/protocol"
)

func preset(t *testing.T, name string) run.Run {
	t.Helper()
	p, err := protocol.Preset(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := run.New(p, method.Factories{dctsign.Name: dctsign.New, sparseloco.Name: sparseloco.New})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A plan counts every vector that a role holds in this machine's memory: a miner of the described method four, of SparseLoCo
// seven, all others one. On a device a miner's training is not among them, but its private state is while it is saved.
func TestPlanCountsVectors(t *testing.T) {
	others := map[telemetry.Role]int64{telemetry.Validator: 1, telemetry.Evaluator: 1, telemetry.Aggregator: 0}
	for name, miner := range map[string]map[Place]int64{"1b": {Host: 4, Device: 3}, "1b-loco": {Host: 7, Device: 5}} {
		r := preset(t, name)
		vector := 4 * int64(r.Params.Model.Layout().Size())
		for at, n := range miner {
			vectors := maps.Clone(others)
			vectors[telemetry.Miner] = n
			for role, n := range vectors {
				if got := Of(role, r, at).Total(); got < n*vector || got > n*vector+vector {
					t.Errorf("%s: a %s at %d holds %s, that is not %d vectors of %s and less than one more", name, role, at, Format(got), n, Format(vector))
				}
			}
		}
	}
}

// A method that a device does not compress for compresses on the host, whatever the engine.
func TestPlanOfMethodWithoutCompression(t *testing.T) {
	r := preset(t, "1b")
	m := *r.Method
	r.Method, m.Compression = &m, engine.Compression{}
	if got, want := Of(telemetry.Miner, r, Device).Total(), Of(telemetry.Miner, r, Host).Total(); got != want {
		t.Errorf("%s, want %s", Format(got), Format(want))
	}
}

// An aggregator and a validator hold every gradient twice until a window is closed: sealed, for the archive, and opened.
func TestPlanCountsSealedGradients(t *testing.T) {
	r := preset(t, "1b")
	gradients := 2 * int64(r.Params.MaxTopKPeers) * r.Method.MaxPayload
	for role, beside := range map[telemetry.Role]int64{
		telemetry.Aggregator: 0, telemetry.Validator: 4 * int64(r.Params.Model.Layout().Size()), telemetry.Miner: 16 * int64(r.Params.Model.Layout().Size()),
	} {
		if got := Of(role, r, Host).Total(); got < beside+gradients {
			t.Errorf("a %s holds %s, without room for gradients of %s", role, Format(got), Format(gradients))
		}
	}
}

func TestLeft(t *testing.T) {
	p := Of(telemetry.Miner, preset(t, "1b"), Host)
	if left, err := p.Left(telemetry.Miner, 24<<30); err != nil || left != 24<<30-p.Total() {
		t.Errorf("%d bytes are left, %v", left, err)
	}
	if left, err := p.Left(telemetry.Miner, 0); err != nil || left != 0 {
		t.Errorf("without a budget %d bytes are left, %v", left, err)
	}
	_, err := p.Left(telemetry.Miner, 8<<30)
	for _, word := range []string{"a miner of this run holds " + Format(p.Total()), "parameters 4.5 GiB", "training (2 vectors) 9.0 GiB", "8.0 GiB", "--memory"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("error %v does not say %q", err, word)
		}
	}
}

func TestFormat(t *testing.T) {
	for bytes, want := range map[int64]string{1: "1 MiB", 1 << 20: "1 MiB", 1<<20 + 1: "2 MiB", 1023 << 20: "1023 MiB", 1<<30 - 1: "1.0 GiB", 1 << 30: "1.0 GiB", 1<<30 + 1: "1.1 GiB", 24 << 30: "24 GiB", 24<<30 + 1: "25 GiB"} {
		if got := Format(bytes); got != want {
			t.Errorf("%d is %s, want %s", bytes, got, want)
		}
	}
}

// The machine's memory is the least of what the machine has and what its control groups allow.
func TestMachine(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"no files":   {nil, 0},
		"no limit":   {map[string]string{"proc/meminfo": "MemTotal:       24000000 kB\nMemFree: 1 kB\n", "sys/fs/cgroup/memory.max": "max\n"}, 24000000 << 10},
		"a limit":    {map[string]string{"proc/meminfo": "MemTotal: 24000000 kB\n", "sys/fs/cgroup/memory.max": "4294967296\n"}, 4 << 30},
		"a group":    {map[string]string{"proc/meminfo": "MemTotal: 24000000 kB\n", "proc/self/cgroup": "0::/user/x\n", "sys/fs/cgroup/user/x/memory.max": "1073741824\n"}, 1 << 30},
		"version 1":  {map[string]string{"proc/meminfo": "MemTotal: 24000000 kB\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "2147483648\n"}, 2 << 30},
		"not a file": {map[string]string{"proc/meminfo": "nothing"}, 0},
	} {
		root := t.TempDir()
		for file, text := range c.files {
			path := filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := machine(root); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// The runtime gets the budget, unless the environment says otherwise.
func TestLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	Limit(3<<30, func(string) string { return "1GiB" })
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("with GOMEMLIMIT the limit is %d", got)
	}
	Limit(3<<30, func(string) string { return "" })
	if got := debug.SetMemoryLimit(-1); got != 3<<30 {
		t.Errorf("the limit is %d", got)
	}
}
