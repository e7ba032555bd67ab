package device

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Spec{
		"cuda": {Name: CUDA}, "cuda:3": {Name: CUDA, Index: 3}, "cuda:all": {Name: CUDA, Index: -1, All: true}, "2": {Name: CUDA, Index: 2},
		"plugin:/a/b.so": {Name: Plugin, Path: "/a/b.so", Index: -1}, "plugin:all:/a:b": {Name: Plugin, Path: "/a:b", Index: -1, All: true},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "gpu", "cuda:", "cuda:-1", "cuda:x", "plugin", "plugin:", "-1", "99999999"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// touch makes an empty file.
func touch(t *testing.T, path ...string) string {
	t.Helper()
	p := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFind(t *testing.T) {
	home := t.TempDir()
	for _, v := range []string{"VIRTUAL_ENV", "CONDA_PREFIX", PluginVariable} {
		t.Setenv(v, "")
	}
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
	if plugin, err := (Spec{Name: CUDA}).Find(); err == nil {
		t.Skipf("this machine has %s", plugin)
	} else if !strings.Contains(err.Error(), InstallCommand) {
		t.Errorf("the error names no remedy: %v", err)
	}
	find := func(s Spec, want string) {
		t.Helper()
		if got, err := s.Find(); err != nil || got != want {
			t.Errorf("%+v: %q, %v, want %q", s, got, err, want)
		}
	}
	user := touch(t, home, ".local/lib/python3.11/site-packages/jax_plugins/xla_cuda12/xla_cuda_plugin.so")
	find(Spec{Name: CUDA}, user)
	venv := touch(t, home, "venv/lib/python3.12/site-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so")
	t.Setenv("VIRTUAL_ENV", filepath.Join(home, "venv"))
	find(Spec{Name: CUDA}, venv)
	folder, err := Folder("cuda13")
	if err != nil {
		t.Fatal(err)
	}
	installed := touch(t, folder, "jax_plugins/xla_cuda13/xla_cuda_plugin.so")
	find(Spec{Name: CUDA}, installed)
	if got := Found(); len(got) != 3 || got[0] != installed {
		t.Errorf("found %q", got)
	}
	named := touch(t, home, "named.so")
	t.Setenv(PluginVariable, named)
	find(Spec{Name: CUDA}, named)
	t.Setenv(PluginVariable, filepath.Join(home, "missing.so"))
	if got, err := (Spec{Name: CUDA}).Find(); err == nil {
		t.Errorf("a file that is not there gives %q", got)
	}
	cpu := touch(t, home, "wheels/lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so")
	find(Spec{Name: Plugin, Path: filepath.Join(home, "wheels")}, cpu)
	find(Spec{Name: Plugin, Path: cpu}, cpu)
	if got, err := (Spec{Name: Plugin, Path: t.TempDir()}).Find(); err == nil {
		t.Errorf("an empty folder gives %q", got)
	}
}

func TestProgram(t *testing.T) {
	t.Setenv(ProgramVariable, "/x/templar-xla")
	if got, err := Program(); err != nil || got != "/x/templar-xla" {
		t.Errorf("%q, %v", got, err)
	}
	t.Setenv(ProgramVariable, "")
	t.Setenv("PATH", t.TempDir())
	if got, err := Program(); err == nil || !strings.Contains(err.Error(), "go build") {
		t.Errorf("%q, %v", got, err)
	}
}

// Each line of the list has a version and a hash.
func TestRequirements(t *testing.T) {
	n := 0
	for line := range strings.Lines(string(cuda13)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if n++; !strings.Contains(line, "==") || len(strings.TrimSpace(line[strings.Index(line, "sha256:")+7:])) != 64 {
			t.Errorf("line %q", line)
		}
	}
	if n < 10 {
		t.Errorf("%d packages", n)
	}
	if err := Install(t.Context(), "tpu", t.TempDir(), os.Stderr); err == nil {
		t.Error("an engine that is not known is installed")
	}
}
