package protocol

import (
	"encoding/json"
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

// A wildcard over hosts that strangers can serve would believe the dates of their servers.
func TestWildcardsAreOfStoresOnly(t *testing.T) {
	for _, bad := range []string{
		"*.amazonaws.com", "*.us-east-1.amazonaws.com", "*.execute-api.us-east-1.amazonaws.com", "*.compute.amazonaws.com", "*.elb.amazonaws.com",
		"*.s3x.amazonaws.com.evil.co.uk.", "*.com", "*.co.uk", "*.com.au", "*.github.io", "*.r2.dev", "*.workers.dev", "*.fly.dev", "*.web.core.windows.net",
		"*.a.workers.dev", "*.appspot.com", "*", "*.", "*.amazonaws.com:443", "*.AmazonAWS.com", "*.*.s3.amazonaws.com", "s3.amazonaws.com.",
	} {
		if checkStore("https://"+bad) == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
	for _, good := range []string{
		"*.r2.cloudflarestorage.com", "*.s3.amazonaws.com", "*.s3.eu-west-1.amazonaws.com", "*.s3-eu-west-1.amazonaws.com", "*.s3.dualstack.eu-west-1.amazonaws.com",
		"*.s3.cn-north-1.amazonaws.com.cn", "*.blob.core.windows.net", "*.storage.googleapis.com", "*.stores.example.org", "*.digitaloceanspaces.com",
	} {
		if err := checkStore("https://" + good); err != nil {
			t.Error(err)
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
	alice, err := ParseHotkey(aliceAddress)
	if err != nil {
		t.Fatal(err)
	}
	p.Run, p.Aggregators = "a run", []Hotkey{alice}
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
		`{"topk_compression": 32}`:              "method.params",
		`{"method": {"name": "A"}}`:             "method.name",
		`{"method": {"nome": "dctsign"}}`:       "nome",
		`{"method": {"params": 3}}`:             "method",
		`{"time_window_delta_seconds": 60}`:     "do not fit",
		`{"slack_seconds": 0}`:                  "slack_seconds",
		`{"payload_windows": 7}`:                "payload_windows is 7: must be from 8",
		`{"payload_windows": 401}`:              "to 400",
		`{"page_tokens": 2049}`:                 "page_tokens",
		`{"sequence_length": 4096}`:             "max_position_embeddings",
		`{"model": {"num_key_value_heads": 3}}`: "num_key_value_heads",
		`[]`:                                    "run parameters",

		`{"model": {"num_hidden_layers": 1000000000}}`:                "num_hidden_layers",
		`{"model": {"hidden_size": 4611686018427387904}}`:             "hidden_size",
		`{"model": {"vocab_size": 4194305}}`:                          "vocab_size",
		`{"model": {"intermediate_size": 4611686018427387904}}`:       "intermediate_size",
		`{"model": {"max_position_embeddings": 4611686018427387904}}`: "max_position_embeddings",
		`{"page_tokens": 4611686018427387904}`:                        "page_tokens",
		`{"uids_per_window": 4611686018427387904}`:                    "uids_per_window",
		`{"block_seconds": 1e300}`:                                    "block_seconds takes",
		`{"active_check_interval": 1e-12}`:                            "active_check_interval takes",
		`{"blocks_per_window": 1000000000}`:                           "the window takes",
	} {
		if _, err := DecodeParams([]byte(doc)); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: error is %v, want one that says %q", doc, err, hint)
		}
	}
}

// What is valid can be laid out and timed.
func FuzzDecodeParams(f *testing.F) {
	for _, doc := range []string{
		`{}`, `{"run": "mine", "batch_size": 4, "method": {"params": {"t_max": 500}}}`, `{"model": {"num_hidden_layers": 10000, "hidden_size": 64, "num_attention_heads": 1, "num_key_value_heads": 1}}`,
		`{"blocks_per_window": 1, "block_seconds": 1e6}`, `{"stores": ["https://*.example.org"], "aggregators": []}`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodeParams(b)
		if err != nil {
			return
		}
		if n := p.Model.Layout().Size(); n <= 0 {
			t.Errorf("%d parameters", n)
		}
		if d := p.WindowTime(); d <= 0 || p.ActiveCheck() <= 0 || p.Delta() <= 0 || p.AggregateDue(time.Unix(0, 0)).After(time.Unix(0, 0).Add(2*d+time.Second)) {
			t.Errorf("a window of %v, D %v, checks every %v", d, p.Delta(), p.ActiveCheck())
		}
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := DecodeParams(raw); err != nil || again.Hash() != p.Hash() {
			t.Errorf("another hash on the way through JSON: %v", err)
		}
	})
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

// Validate reports the same faults in the same order each time.
func TestFaultsHaveAnOrder(t *testing.T) {
	var none Params
	first := none.Validate().Error()
	for range 10 {
		if again := none.Validate().Error(); again != first {
			t.Fatalf("%s\nthen\n%s", first, again)
		}
	}
}
