package wandb

import (
	"encoding/json"
	"flag"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"templar/internal/telemetry"
	"templar/internal/telemetry/wandb/wandbtest"
	"templar/protocol"
)

var (
	sdkDir = flag.String("wandb-sdk", "", "folder with sdk.mjs and node_modules: testkit/wandb")
	python = flag.String("wandb-python", "", "folder of the programs python and wandb: see testkit/wandb")
)

// ours is a run of ours of n windows on a server, restarted in the middle, and its folder.
func ours(t *testing.T, server *wandbtest.Server, n protocol.Window, key string) (dir string) {
	dir = t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		for leg := range protocol.Window(2) {
			node := run(t, telemetry.Validator, Options{Dir: dir, Key: key, RunID: "ours"}, server)
			for w := range n / 2 {
				node.window(start + leg*n/2 + w)
				time.Sleep(time.Second)
			}
			time.Sleep(time.Minute)
			if leg == 0 {
				kill(node)
			} else {
				node.end()
			}
		}
	})
	return dir
}

// distinct lists calls in the order of their first occurrence, without those that only one of the
// clients needs.
func distinct(calls []string) (out []string) {
	for _, c := range calls {
		if c = strings.TrimSuffix(c, " "); !slices.Contains(out, c) && c != "Viewer" && c != "RunResumeStatus" && c != "file_stream" {
			out = append(out, c)
		}
	}
	return out
}

// The official JavaScript client and ours make the same calls, and leave the same rows.
func TestOfficialSDK(t *testing.T) {
	if *sdkDir == "" {
		t.Skip("no -wandb-sdk: see testkit/wandb")
	}
	mine := &wandbtest.Server{}
	ours(t, mine, 8, wandbtest.Key)
	_, rows := steps(t, mine.Run("ours"))
	var plain []map[string]any
	for _, r := range rows {
		p := map[string]any{}
		for k, v := range r {
			if !strings.HasPrefix(k, "_") {
				p[k] = v
			}
		}
		plain = append(plain, p)
	}
	input, err := json.Marshal(map[string]any{"run": map[string]any{"project": "templar", "id": "theirs", "name": "V0", "config": map[string]any{"netuid": 3}}, "rows": plain})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rows.json")
	if err := os.WriteFile(file, input, 0o600); err != nil {
		t.Fatal(err)
	}
	theirs := &wandbtest.Server{}
	at := httptest.NewServer(theirs)
	defer at.Close()
	cmd := exec.Command("node", "sdk.mjs", file)
	cmd.Dir = *sdkDir
	cmd.Env = append(os.Environ(), "WANDB_BASE_URL="+at.URL, "WANDB_API_KEY="+wandbtest.Key)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, other := steps(t, theirs.Run("theirs"))
	if len(rows) != 8 || len(other) != len(rows) {
		t.Fatalf("%d rows of ours, %d of theirs", len(rows), len(other))
	}
	for i := range rows {
		for _, r := range []map[string]any{rows[i], other[i]} {
			delete(r, "_runtime")
			delete(r, "_timestamp")
		}
		if !reflect.DeepEqual(rows[i], other[i]) {
			t.Errorf("row %d: ours %v\ntheirs %v", i, rows[i], other[i])
		}
	}
	if a, b := distinct(mine.Calls()), distinct(theirs.Calls()); !reflect.DeepEqual(a, b) {
		t.Errorf("calls: ours %q, theirs %q", a, b)
	}
	if !theirs.Run("theirs").Complete || !mine.Run("ours").Complete {
		t.Error("a run was not completed")
	}
	t.Logf("%d rows of %d values; calls %q", len(rows), len(rows[0]), distinct(theirs.Calls()))
}

// offline is the file of an offline run of n windows, which was killed in between.
func offline(t *testing.T, n protocol.Window) (dir, file string) {
	t.Helper()
	if *python == "" {
		t.Skip("no -wandb-python: see testkit/wandb")
	}
	dir = ours(t, &wandbtest.Server{}, n, "")
	files, err := filepath.Glob(filepath.Join(dir, "offline-run-*", "run-ours.wandb"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	return dir, files[0]
}

// The official Python package reads our file whole.
func TestOfficialReader(t *testing.T) {
	dir, file := offline(t, 200)
	var got struct {
		Records int
		Rows    []map[string]any
		Summary map[string]any
		Run     map[string]any
		Exit    *int
	}
	cmd := exec.Command(filepath.Join(*python, "python"), "../../../testkit/wandb/read.py", file)
	cmd.Stderr = os.Stderr
	b, err := cmd.Output()
	if err != nil || json.Unmarshal(b, &got) != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 200 || got.Exit == nil || *got.Exit != 0 || got.Run["name"] != "V0" || got.Summary["_step"] != 199.0 {
		t.Fatalf("%d records, %d rows, run %v, exit %v", got.Records, len(got.Rows), got.Run, got.Exit)
	}
	want := read(t, dir)
	if !reflect.DeepEqual(got.Rows, want) {
		t.Error("the official reader has other rows than ours")
	}
	t.Logf("%d records, %d rows of %d values", got.Records, len(got.Rows), len(got.Rows[0]))
}

// The official Python package uploads our file.
func TestOfficialSync(t *testing.T) {
	_, file := offline(t, 200)
	server := &wandbtest.Server{}
	at := httptest.NewServer(server)
	defer at.Close()
	sync := exec.Command(filepath.Join(*python, "wandb"), "sync", filepath.Dir(file))
	sync.Dir = t.TempDir()
	sync.Env = append(os.Environ(), "WANDB_BASE_URL="+at.URL, "WANDB_API_KEY="+wandbtest.Key, "HOME="+t.TempDir())
	out, err := sync.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\ncalls %q", err, out, server.Calls())
	}
	lines, _ := steps(t, server.Run("ours"))
	if len(lines) != 200 || !server.Run("ours").Complete {
		t.Errorf("%d rows after wandb sync; calls %q\n%s", len(lines), distinct(server.Calls()), out)
	}
	contiguous(t, server.Run("ours"), 200)
}
