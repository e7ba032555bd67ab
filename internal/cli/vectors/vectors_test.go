package vectors

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const kit = "../../../testkit"

func TestEveryVectorHolds(t *testing.T) {
	forms := map[string]int{}
	for _, dir := range []string{"vectors", "wire"} {
		cases, err := Verify(filepath.Join(kit, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			forms[c.Form]++
			if !c.OK {
				t.Errorf("%s, %s: %g, %s", c.File, c.Case, c.Error, c.Fault)
			}
		}
	}
	for form, least := range map[string]int{"dct_topk": 8, "aggregate": 4, "chunk_split": 20, "lr_schedule": 10, "plackett_luce": 2, "yuma": 200, "wire": 60,
		"subtensor/keys": 20, "subtensor/eras": 30, "subtensor/runtime": 120, "subtensor/errors": 150, "subtensor/outcomes": 60, "subtensor/commitments": 12, "subtensor/timelock": 15, "subtensor/reveal": 40,
		"subtensor/live": 40, "subtensor/node": 12, "subtensor/neurons-lite-mainnet": 3, "subtensor/chopsticks-frames": 8, "subtensor/transcript": 11} {
		if forms[form] < least {
			t.Errorf("%d cases of %s, want at least %d", forms[form], form, least)
		}
	}
}

// What each form must notice: a value changed in a file that is otherwise right.
func TestDifferencesAreSeen(t *testing.T) {
	for file, change := range map[string][2]string{
		"vectors/dct_topk.json":      {`"decoded":[`, `"decoded":[1e9,`},
		"vectors/aggregate.json":     {`"mean_gradient":[`, `"mean_gradient":[1e9,`},
		"vectors/chunk_split.json":   {`": 64`, `": 63`},
		"vectors/lr_schedule.json":   {`"100": 0.000184`, `"100": 0.000185`},
		"vectors/plackett_luce.json": {`"mu": 23.8666`, `"mu": 23.8667`},
		"vectors/yuma_cases.json":    {`"incentive":[`, `"incentive":[1,`},
		"wire/bad-index.json":        {`"verdict": "bad-index"`, `"verdict": "ok"`},
	} {
		b, err := os.ReadFile(filepath.Join(kit, file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), change[0]) {
			t.Errorf("%s has no %s to change", file, change[0])
			continue
		}
		path := filepath.Join(t.TempDir(), "changed.json")
		if err := os.WriteFile(path, []byte(strings.Replace(string(b), change[0], change[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		cases, err := Verify(path)
		bad := 0
		for _, c := range cases {
			if !c.OK {
				bad++
			}
		}
		if err != nil || bad == 0 {
			t.Errorf("%s: %d of %d cases differ, %v", file, bad, len(cases), err)
		}
	}
}

// The same for Bittensor's: files of one folder, with the metadata beside them.
func TestDifferencesOfTheChainAreSeen(t *testing.T) {
	for file, change := range map[string][2]string{
		"keys.json":                           {`"valid": true`, `"valid": false`},
		"eras.json":                           {`"birth": 42`, `"birth": 43`},
		"runtime-461.json":                    {`"hex": "0x12`, `"hex": "0x13`},
		"runtime-218.json":                    {`"payload_signed": "0x12`, `"payload_signed": "0x13`},
		"errors.json":                         {`"name": "InvalidPort"`, `"name": "Other"`},
		"outcomes.json":                       {`"class": "retry"`, `"class": "failed"`},
		"commitments.json":                    {`"block": 16`, `"block": 17`},
		"timelock.json":                       {`"plaintext": "0x80`, `"plaintext": "0x81`},
		"reveal.json":                         {`"first_reveal_block": 1360`, `"first_reveal_block": 1361`},
		"live-218.json":                       {`"nonce": 0`, `"nonce": 1`},
		"node-461.json":                       {`"raw_hex": "0x01"`, `"raw_hex": "0x00"`},
		"neurons-lite-mainnet-343.json":       {`"uid": 395`, `"uid": 396`},
		"chopsticks-frames.json":              {`\"parentHash\":\"0x75d9`, `\"parentHash\":\"0x75d8`},
		"transcripts/218-commit.jsonl":        {`"result":"ok"`, `"result":"commitments.AccountNotAllowedCommit"`},
		"transcripts/218-heads.jsonl":         {`"final":[47`, `"final":[46`},
		"transcripts/218-read.jsonl":          {`"registered":2`, `"registered":1`},
		"transcripts/218-register.jsonl":      {`"statuses":["ready"`, `"statuses":["future"`},
		"transcripts/218-bad-signature.jsonl": {`bad signature"}}`, `ancient birth block"}}`},
	} {
		b, err := os.ReadFile(filepath.Join(kit, "vectors/subtensor", file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), change[0]) {
			t.Errorf("%s has no %s to change", file, change[0])
			continue
		}
		dir := t.TempDir()
		metadata, err := filepath.Abs(filepath.Join(kit, "vectors/subtensor/metadata"))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.CopyFS(filepath.Join(dir, "metadata"), os.DirFS(metadata)), os.Mkdir(filepath.Join(dir, "transcripts"), 0o700), os.WriteFile(filepath.Join(dir, file), []byte(strings.Replace(string(b), change[0], change[1], 1)), 0o600)); err != nil {
			t.Fatal(err)
		}
		cases, err := Verify(filepath.Join(dir, file))
		bad := 0
		for _, c := range cases {
			if !c.OK {
				bad++
			}
		}
		if err != nil || bad == 0 {
			t.Errorf("%s: %d of %d cases differ, %v", file, bad, len(cases), err)
		}
	}
}

func TestUnknownFormsAreErrors(t *testing.T) {
	for _, text := range []string{"", "{}", "[]", "[{}]", `{"a": 1}`, "7"} {
		path := filepath.Join(t.TempDir(), "x.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(path); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	for _, file := range []string{"vectors/chunk_split.json", "vectors/lr_schedule.json", "wire/ok.json"} {
		b, err := os.ReadFile(filepath.Join(kit, file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`[{"shape": [4], "target_chunk": 4, "topk": 2, "x": [1, 2, 3, 4], "coefficients": [1], "indices": [9]}]`))
	f.Add([]byte(`[{"shape": [4], "target_chunk": 4, "topk": 2, "peers": [{"indices": [9], "values": [1]}], "mean_gradient": [0]}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if form, err := formOf(b); err == nil {
			form.verify(b) // must return
		}
	})
}
