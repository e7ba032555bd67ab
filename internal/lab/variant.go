package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	yamlparser "github.com/knadh/koanf/parsers/yaml"

	"templar/internal/adversary"
	"templar/internal/data"
	"templar/internal/sim"
	"templar/internal/strictjson"
	"templar/internal/userfile"
	"templar/protocol"
)

// Variant is a network, or a Baseline, to train.
type Variant struct {
	// Name stands in tables and plots.
	Name string `json:"name"`
	// Preset is the model and the run parameters.
	Preset string `json:"preset"`
	// Params change run parameters, under the keys of a run's file: {"batch_size": 4}. Objects are merged; the
	// parameters of a method with another name replace those of the preset's.
	Params map[string]any `json:"params,omitempty"`
	// Windows to train.
	Windows int `json:"windows"`
	// Miners that are honest.
	Miners int `json:"miners"`
	// Validators of the network.
	Validators int `json:"validators"`
	// Adversaries beside the honest miners: "noise=1,lazy=2".
	Adversaries string `json:"adversaries,omitempty"`
	// Baseline trains without a network.
	Baseline *Baseline `json:"baseline,omitempty"`
	// Corpus is a text file or folder; empty is the embedded book. Include chooses files of a folder.
	Corpus  string `json:"corpus,omitempty"`
	Include string `json:"include,omitempty"`
	// Evaluate is the measurement of held-out text.
	Evaluate Evaluate `json:"evaluate"`
	// Machine is every node's; Machines are those of nodes with others, by name ("miner-2").
	Machine  Machine            `json:"machine"`
	Machines map[string]Machine `json:"machines,omitempty"`
	// Faults are statements of the simulator's scripts (docs/sim.md).
	Faults []string `json:"faults,omitempty"`

	params protocol.Params
	mix    adversary.Mix
	script sim.Script
}

// Evaluate says how held-out text is measured: all of it before the first window and after the last, and so many batches
// after every so many windows.
type Evaluate struct {
	Every   int `json:"every"`
	Batches int `json:"batches"`
}

// Machine is how fast a node computes and sends. Zero values take no virtual time; without a speed, all nodes have one with
// which they are never late.
type Machine struct {
	TokensPerSecond float64 `json:"tokens_per_second,omitempty"` // that its engine trains on
	UpMbit          float64 `json:"up_mbit,omitempty"`           // megabits a second
	DownMbit        float64 `json:"down_mbit,omitempty"`
	LatencyMS       float64 `json:"latency_ms,omitempty"` // one way
}

func (m Machine) sim() sim.Machine {
	return sim.Machine{
		Speed: m.TokensPerSecond, Up: 1e6 * m.UpMbit, Down: 1e6 * m.DownMbit, Latency: time.Duration(m.LatencyMS * float64(time.Millisecond)),
	}
}

// Default is a Variant of the smallest model.
func Default() Variant {
	return Variant{Preset: "tiny", Windows: 28, Miners: 3, Validators: 1, Evaluate: Evaluate{Every: 2, Batches: 16}}
}

// maxNodes bounds the nodes of each role.
const maxNodes = 256

// Check reports every fault at once, and prepares the Variant for training.
func (v *Variant) Check() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(v.Name == "", "name is empty")
	fault(v.Windows < 1, "windows is %d: want 1 or more", v.Windows)
	fault(v.Miners < 1 || v.Miners > maxNodes, "miners is %d: want 1 to %d", v.Miners, maxNodes)
	fault(v.Validators < 1 || v.Validators > maxNodes, "validators is %d: want 1 to %d", v.Validators, maxNodes)
	fault(v.Evaluate.Every < 1 || v.Evaluate.Batches < 1, "evaluate: every is %d and batches %d: want 1 or more", v.Evaluate.Every, v.Evaluate.Batches)
	fault(v.Include != "" && v.Corpus == "", "include chooses files of a folder: name it as corpus")
	for name, m := range v.machines() {
		for _, x := range []float64{m.TokensPerSecond, m.UpMbit, m.DownMbit, m.LatencyMS} {
			fault(!(x >= 0) || x > 1e12, "%s: %v: want 0 or more", name, x)
		}
	}
	if v.Baseline != nil {
		errs = append(errs, v.Baseline.check())
		fault(v.Adversaries != "" || len(v.Faults) > 0, "a baseline has no network: no adversaries and no faults")
	}
	var err error
	if v.mix, err = adversary.Parse(v.Adversaries); err != nil {
		errs = append(errs, fmt.Errorf("adversaries: %w", err))
	}
	if v.script, err = sim.Parse(strings.Join(v.Faults, "\n")); err != nil {
		errs = append(errs, fmt.Errorf("faults: %w", err))
	}
	if v.params, err = v.merged(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (v *Variant) machines() map[string]Machine {
	all := maps.Clone(v.Machines)
	if all == nil {
		all = make(map[string]Machine)
	}
	all["machine"] = v.Machine
	return all
}

// merged are the preset's run parameters with the Variant's changes.
func (v *Variant) merged() (protocol.Params, error) {
	p, err := protocol.Preset(v.Preset)
	if err != nil {
		return p, err
	}
	b, err := json.Marshal(p)
	if err != nil {
		return p, err
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		return p, err
	}
	if changed, ok := v.Params["method"].(map[string]any); ok && changed["name"] != nil && changed["name"] != p.Method.Name {
		delete(all, "method")
	}
	if b, err = json.Marshal(merge(all, v.Params)); err != nil {
		return p, fmt.Errorf("params: %w", err)
	}
	if p, err = protocol.DecodeParams(b); err != nil {
		return p, fmt.Errorf("params: %w", err)
	}
	p.MinimumPeers = min(p.MinimumPeers, v.Miners)
	return p, nil
}

// merge returns below with the values of above, objects merged.
func merge(below, above map[string]any) map[string]any {
	out := maps.Clone(below)
	if out == nil {
		out = make(map[string]any)
	}
	for k, value := range above {
		lower, both := out[k].(map[string]any)
		upper, objects := value.(map[string]any)
		if both && objects {
			value = merge(lower, upper)
		}
		out[k] = value
	}
	return out
}

// Run are the run parameters of a Variant that Check has accepted.
func (v *Variant) Run() protocol.Params { return v.params }

// key identifies the Variant's results: it covers everything but the name.
func (v *Variant) key(seed uint64) string {
	c := *v
	c.Name, c.Preset, c.Params = "", "", nil
	h := v.params.Hash() // no matter how the parameters were written
	b, err := json.Marshal(struct {
		Variant
		Hash    protocol.Hash
		Seed    uint64
		Version int
	}{c, h, seed, resultVersion})
	if err != nil {
		panic(err) // the fields have JSON forms
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:10])
}

// corpus reads the text.
func (v *Variant) corpus() (data.Corpus, error) {
	if v.Corpus == "" {
		return data.Opticks()
	}
	return data.ReadCorpus(v.Corpus, v.Include)
}

// ReadFile reads the Variants of a YAML or JSON file: one, or a list under "variants", whose elements are
// merged over what stands beside the list. Relative paths of a corpus are the file's folder's.
func ReadFile(path string) ([]Variant, error) {
	top, err := parse(path)
	if err != nil {
		return nil, err
	}
	list, several := top["variants"]
	if !several {
		if top["name"] == nil {
			top["name"] = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		}
		v, err := decode(top, filepath.Dir(path))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return []Variant{v}, nil
	}
	delete(top, "variants")
	items, ok := list.([]any)
	if !ok || len(items) == 0 {
		return nil, fmt.Errorf("%s: variants: want a list", path)
	}
	var out []Variant
	var errs []error
	for i, item := range items {
		own, ok := item.(map[string]any)
		if !ok {
			errs = append(errs, fmt.Errorf("%s: variant %d: want keys and values", path, i+1))
			continue
		}
		v, err := decode(merge(top, own), filepath.Dir(path))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: variant %d (%s): %w", path, i+1, v.Name, err))
		}
		out = append(out, v)
	}
	return out, errors.Join(errs...)
}

func parse(path string) (map[string]any, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("variants: %w", err)
	}
	if b, err = userfile.JSON(b); err != nil { // it holds for YAML as well
		return nil, fmt.Errorf("%s %w", path, err)
	}
	top := make(map[string]any)
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json":
		err = strictjson.Config(b, &top)
	case ".yaml", ".yml":
		top, err = yamlparser.Parser().Unmarshal(b)
	default:
		return nil, fmt.Errorf("%s: want a name that ends in .json, .yaml or .yml", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return top, nil
}

func decode(from map[string]any, dir string) (Variant, error) {
	v := Default()
	v.Name, _ = from["name"].(string)
	b, err := json.Marshal(from)
	if err != nil {
		return v, err
	}
	if err := strictjson.Config(b, &v); err != nil {
		return v, err
	}
	if v.Corpus != "" && !filepath.IsAbs(v.Corpus) {
		v.Corpus = filepath.Join(dir, v.Corpus)
	}
	return v, v.Check()
}

// Names returns the Variants' names, and an error for a repeated name.
func Names(variants []Variant) ([]string, error) {
	var names []string
	for i := range variants {
		if slices.Contains(names, variants[i].Name) {
			return nil, fmt.Errorf("two variants are called %q", variants[i].Name)
		}
		names = append(names, variants[i].Name)
	}
	return names, nil
}
