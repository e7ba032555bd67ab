package protocol

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestLocalStores(t *testing.T) {
	p := Default()
	p.Stores = []string{"https://data.example", "file:///srv/run"}
	for endpoint, want := range map[string]bool{
		"file:///srv/run": true, "file:///srv/run/": false, "file:///srv/other": false, "file:///srv/run/../other": false, "file:///srv/run/x": false,
		"file://srv/run": false, "file:/srv/run": false, "/srv/run": false, "file:///": false, "FILE:///srv/run": false, "https://data.example": true,
	} {
		if got := p.TrustsStore(endpoint); got != want {
			t.Errorf("%s is trusted: %v", endpoint, got)
		}
	}
	for _, bad := range []string{"file:///", "file://host/x", "file:///a/../b", "file:///a?b"} {
		if checkStore(bad) == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestVectorsLearningRate(t *testing.T) {
	b, err := os.ReadFile("../testkit/vectors/lr_schedule.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		BaseLR float64            `json:"base_lr"`
		Warmup int                `json:"warmup_steps"`
		TMax   int                `json:"t_max"`
		At     map[string]float64 `json:"lr_at_step"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	p := Default()
	p.LearningRate, p.WarmupSteps, p.TMax = v.BaseLR, v.Warmup, v.TMax
	for at, want := range v.At {
		step, err := strconv.ParseUint(at, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.LearningRateAt(step); math.Abs(got-want) > 1e-9 {
			t.Errorf("learning rate at step %d is %v, want %v", step, got, want)
		}
	}
}

func TestAcceptsRate(t *testing.T) {
	p := Default()
	const step = 5000
	rate := float32(p.LearningRateAt(step))
	up, down := math.Nextafter32(rate, 1), math.Nextafter32(rate, 0)
	for lr, want := range map[float32]bool{
		rate: true, up: true, down: true,
		math.Nextafter32(up, 1): false, math.Nextafter32(down, 0): false, 0: false, float32(math.NaN()): false,
	} {
		if got := p.AcceptsRate(step, lr); got != want {
			t.Errorf("rate %v at a step of %v: accepted %v", lr, rate, got)
		}
	}
}

func TestPresetsAreValid(t *testing.T) {
	hashes := map[Hash]string{}
	for _, name := range []string{"tiny", "150m", "1b"} {
		p, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if other, ok := hashes[p.Hash()]; ok {
			t.Errorf("%s and %s share a hash", name, other)
		}
		hashes[p.Hash()] = name
	}
	if _, err := Preset("huge"); err == nil {
		t.Error("an unknown preset is no error")
	}
}

func TestParamsRoundTrip(t *testing.T) {
	p := Default()
	p.Run, p.Aggregators = "a run", []Hotkey{{1}}
	b, err := json.Marshal(&p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeParams(b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Hash() != p.Hash() {
		t.Error("the hash changes on the way through JSON")
	}
}

func TestDecodeParamsRefuses(t *testing.T) {
	for doc, hint := range map[string]string{
		`{"topk": 3}`:                           "topk",
		`{"topk_compression": 0}`:               "topk_compression",
		`{"momentum_decay": 1.5}`:               "momentum_decay",
		`{"time_window_delta_seconds": 60}`:     "do not fit",
		`{"slack_seconds": 0.5}`:                "slack_seconds",
		`{"page_tokens": 2049}`:                 "page_tokens",
		`{"sequence_length": 4096}`:             "max_position_embeddings",
		`{"model": {"num_key_value_heads": 3}}`: "num_key_value_heads",
		`[]`:                                    "run parameters",
	} {
		if _, err := DecodeParams([]byte(doc)); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: error is %v, want one that says %q", doc, err, hint)
		}
	}
}

func TestUploadBounds(t *testing.T) {
	p := Default()
	at := time.Unix(1000, 0)
	b := p.UploadBounds(at)
	for seconds, want := range map[int]Verdict{-3: VerdictEarly, -2: VerdictOK, 0: VerdictOK, 10: VerdictOK, 11: VerdictLate} {
		if got := b.Check(at.Add(time.Duration(seconds) * time.Second)); got != want {
			t.Errorf("stored at T%+d s: %v, want %v", seconds, got, want)
		}
	}
}

// The same faults are told in the same order each time.
func TestFaultsHaveAnOrder(t *testing.T) {
	var none Params
	first := none.Validate().Error()
	for range 10 {
		if again := none.Validate().Error(); again != first {
			t.Fatalf("%s\nthen\n%s", first, again)
		}
	}
}
