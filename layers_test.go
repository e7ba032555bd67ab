package templar_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers lists the packages from the lowest layer to the highest. A package may import packages
// of lower layers and those under its own folder.
var layers = [][]string{
	{"internal/strictjson", "internal/userfile"},
	{"protocol", "internal/versioned"},
	{"internal/safetensors", "internal/tokenizer"},
	{"internal/admit", "internal/clock", "internal/kernel", "internal/workers", "internal/score"},
	{"state"},
	{"codec", "internal/engine", "internal/peers", "internal/store", "internal/telemetry", "internal/wallet", "internal/model", "internal/admin"},
	{"wire", "internal/chain", "internal/data", "internal/dashboard", "internal/config", "method"},
	{"internal/copies", "internal/run", "internal/finality", "internal/tasks"},
	{"internal/directory", "internal/schedule", "internal/memory"},
	{"internal/mailbox", "internal/bulletin", "internal/evaluation", "internal/report", "internal/results", "internal/harness"},
	{"internal/attest"},
	{"internal/checkpoint", "internal/replica"},
	{"internal/role", "internal/resume", "internal/audit", "internal/plan"},
	{"internal/miner", "internal/validator", "internal/aggregator", "internal/evaluator"},
	{"internal/parts", "internal/observe"},
	{"internal/adversary"},
	{"internal/node", "internal/sim", "internal/harness/testnet", "internal/harness/s3site"},
	{"internal/localnet", "internal/lab"},
	{"internal/cli"},
	{"cmd/templar", "cmd/templar-xla", "bench"},
	{"testkit/netns"},
	{"deploy", "docs"},
}

// pure packages hold rules: values in, values out.
var pure = []string{"protocol", "state", "codec", "wire", "internal/kernel", "internal/score", "internal/peers", "internal/copies", "internal/report", "internal/results", "internal/finality", "internal/chain/ledger"}

// impure lists the packages that pure packages must not import.
var impure = []string{"context", "log", "log/slog", "net", "net/http", "os", "os/signal", "sync", "math/rand"}

// backEnds are implementations of ports. Only the command chooses among them, in
// cmd/templar/backends; lower layers get constructors as values (node.Backends).
var backEnds = []string{"internal/chain/cometbft", "internal/engine/cpu", "internal/engine/xla", "internal/store/s3"}

// chooses lists the packages outside its own folder that may import a back end, and why.
var chooses = map[string]string{
	"cmd/templar/backends":     "fills node.Backends",
	"cmd/templar-xla":          "is the engine process",
	"bench":                    "measures implementations",
	"internal/cli":             "chain: the commands that make and administer nodes of our own chain",
	"internal/store/check":     "s3: reads its errors to explain them",
	"internal/harness/testnet": "support of tests",
	"internal/harness/s3site":  "support of tests",
}

type goPackage struct {
	ImportPath string
	Name       string
	Doc        string
	GoFiles    []string
	Imports    []string
}

// packages lists the module's packages with their non-test imports.
func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Name,Doc,GoFiles,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
}

// place returns the entry of layers that a package belongs to, and the number of its layer.
func place(importPath string) (entry string, layer int) {
	path := strings.TrimPrefix(importPath, "templar/")
	layer = -1
	for i, entries := range layers {
		for _, e := range entries {
			if (path == e || strings.HasPrefix(path, e+"/")) && len(e) > len(entry) {
				entry, layer = e, i
			}
		}
	}
	return entry, layer
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range packages(t) {
		entry, layer := place(p.ImportPath)
		if layer < 0 {
			t.Errorf("%s is in no layer: add it to layers here and to ARCHITECTURE.md", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, "templar/") {
				continue
			}
			if to, importedLayer := place(imported); to != entry && importedLayer >= layer {
				t.Errorf("%s (layer %d) imports %s (layer %d)", p.ImportPath, layer, imported, importedLayer)
			}
		}
	}
}

// An aggregator holds no model and links no package that computes, loads or saves one.
func TestAggregatorHoldsNoModel(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./internal/aggregator").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, linked := range strings.Fields(string(out)) {
		if linked == "templar/internal/engine" {
			continue // the port's types: a method names them, and no engine is linked
		}
		switch entry, _ := place(linked); entry {
		case "internal/engine", "internal/data", "internal/model", "internal/checkpoint", "internal/replica", "internal/resume", "internal/evaluation":
			t.Errorf("the aggregator links %s", linked)
		}
	}
}

// The codec belongs to particular methods: no other package imports it, and no other test.
func TestOnlyMethodsImportTheCodec(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}} {{join .TestImports " "}} {{join .XTestImports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	importers := 0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if !slices.Contains(words[1:], "templar/codec") {
			continue
		}
		if entry, _ := place(words[0]); entry != "method" && entry != "codec" {
			t.Errorf("%s imports codec: take method.Method", words[0])
		}
		importers++
	}
	if importers == 0 {
		t.Error("no package imports codec: the test checks nothing")
	}
}

func TestOnlyTheCommandChoosesBackEnds(t *testing.T) {
	under := func(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, "templar/")
		for _, b := range backEnds {
			if under(path, b) || !slices.Contains(p.Imports, "templar/"+b) {
				continue
			}
			allowed := false
			for c := range chooses {
				allowed = allowed || under(path, c)
			}
			if !allowed {
				t.Errorf("%s imports %s: take a constructor from node.Backends", p.ImportPath, b)
			}
		}
	}
}

func TestRulesArePure(t *testing.T) {
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, "templar/")
		if !slices.ContainsFunc(pure, func(r string) bool { return path == r || strings.HasPrefix(path, r+"/") }) || strings.HasPrefix(path, "internal/kernel/gemm") {
			continue
		}
		for _, imported := range p.Imports {
			if slices.Contains(impure, imported) {
				t.Errorf("%s imports %s: it holds rules, which take values and return values", p.ImportPath, imported)
			}
		}
	}
}

func TestEveryPackageIsDocumented(t *testing.T) {
	for _, p := range packages(t) {
		kind := "Package"
		if p.Name == "main" {
			kind = "Command"
		}
		if want := fmt.Sprintf("%s %s ", kind, p.ImportPath[strings.LastIndex(p.ImportPath, "/")+1:]); !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: its doc does not begin with %q", p.ImportPath, want)
		}
	}
}
