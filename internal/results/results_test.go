package results_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"strings"
	"testing"

	"templar/internal/harness"
	"templar/internal/results"
	"templar/internal/score"
	"templar/protocol"
	"templar/wire"
)

var update = flag.Bool("update", false, "rewrite testdata")

// record has every field.
func record() *results.Record {
	tally := func(n, correct, normed int64) results.Tally {
		return results.Tally{Documents: n, Correct: correct, Normed: normed, LogLikelihood: -1.5}
	}
	return &results.Record{
		Version: results.Version, Run: protocol.Hash{1}, Start: 10, Window: 19, State: protocol.Hash{2}, Engine: "cpu float32", Tokenizer: "huggingface-00",
		HeldOut: results.HeldOut{Loss: 2.5, Tokens: 1000, Bytes: 4000},
		Tasks: []results.Task{
			{Name: "hellaswag", Files: protocol.Hash{3}, Limit: 200, Tally: tally(200, 52, 60)},
			{Name: "mmlu", Files: protocol.Hash{4}, Shots: 5, Tally: tally(30, 9, 9), Subjects: []results.Subject{{Name: "anatomy", Tally: tally(10, 2, 2)}, {Name: "virology", Tally: tally(20, 7, 7)}}},
		},
	}
}

func key(t testing.TB) protocol.Signer {
	t.Helper()
	k, err := harness.Key(0)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRoundTrip(t *testing.T) {
	want := record()
	want.HeldOut.Loss = score.Number(math.Inf(1)) // of a model that has diverged
	b, err := want.Encode(key(t))
	if err != nil {
		t.Fatal(err)
	}
	got, by, err := results.Decode(b)
	if err != nil || by != key(t).Hotkey() {
		t.Fatal(err)
	}
	x, _ := json.Marshal(want)
	y, _ := json.Marshal(got)
	if !bytes.Equal(x, y) {
		t.Errorf("%s\n%s", x, y)
	}
	acc, _ := got.Tasks[0].Scores()
	if acc.Value != 0.26 || math.Abs(acc.StdErr-math.Sqrt(0.26*0.74/199)) > 1e-15 {
		t.Errorf("%+v", acc)
	}
}

// The form is fixed: a change of it needs another version.
func TestGolden(t *testing.T) {
	text, err := json.Marshal(record())
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/record.json"
	got := string(text) + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*results.Record){
		"version":            func(r *results.Record) { r.Version = 2 },
		"before the run":     func(r *results.Record) { r.Window = 8 },
		"control characters": func(r *results.Record) { r.Engine = "cpu\x1b[2J" },
		"a long name":        func(r *results.Record) { r.Tokenizer = strings.Repeat("x", 65) },
		"negative tokens":    func(r *results.Record) { r.HeldOut.Tokens = -1 },
		"bytes":              func(r *results.Record) { r.HeldOut.Bytes = 1 << 41 },
		"many tasks":         func(r *results.Record) { r.Tasks = make([]results.Task, 65) },
		"order of tasks":     func(r *results.Record) { r.Tasks[1].Name = "a" },
		"a task twice":       func(r *results.Record) { r.Tasks[1].Name = "hellaswag" },
		"no documents":       func(r *results.Record) { r.Tasks[0].Documents = 0 },
		"more than all":      func(r *results.Record) { r.Tasks[0].Correct = 201 },
		"less than none":     func(r *results.Record) { r.Tasks[0].Normed = -1 },
		"shots":              func(r *results.Record) { r.Tasks[0].Shots = -1 },
		"order of subjects":  func(r *results.Record) { r.Tasks[1].Subjects[1].Name = "a" },
		"many subjects":      func(r *results.Record) { r.Tasks[1].Subjects = make([]results.Subject, 257) },
		"sum of subjects":    func(r *results.Record) { r.Tasks[1].Subjects[0].Correct++ },
		"a subject's counts": func(r *results.Record) { r.Tasks[1].Subjects[0].Correct = 11 },
	} {
		r := record()
		spoil(r)
		if _, err := r.Encode(key(t)); err == nil {
			t.Errorf("%s: written", name)
		}
		b, err := wire.SealWithin(results.MaxSize, results.Domain, r, key(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := results.Decode(b); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*results.Record)
		want   string // of the difference; empty: none
	}{
		"the same":               {func(*results.Record) {}, ""},
		"another window":         {func(r *results.Record) { r.Window++; r.HeldOut.Loss = 9 }, ""},
		"another state":          {func(r *results.Record) { r.State = protocol.Hash{9} }, "state 02"},
		"a little less":          {func(r *results.Record) { r.HeldOut.Loss = 2.501 }, ""},
		"another loss":           {func(r *results.Record) { r.HeldOut.Loss = 2.51 }, "held-out loss 2.5 here, 2.51 there"},
		"of another engine":      {func(r *results.Record) { r.HeldOut.Loss, r.Engine = 2.51, "cuda bf16" }, ""},
		"of other batches":       {func(r *results.Record) { r.HeldOut.Loss, r.HeldOut.Tokens = 2.9, 50 }, ""},
		"not a number":           {func(r *results.Record) { r.HeldOut.Loss = score.Number(math.NaN()) }, "held-out loss 2.5 here, NaN there"},
		"one document":           {func(r *results.Record) { r.Tasks[0].Correct++ }, ""},
		"many documents":         {func(r *results.Record) { r.Tasks[0].Correct += 20 }, "hellaswag: 52 correct here, 72 there"},
		"normed":                 {func(r *results.Record) { r.Tasks[0].Normed += 20 }, "correct by the character here, 80 there"},
		"other files":            {func(r *results.Record) { r.Tasks[0].Correct += 20; r.Tasks[0].Files = protocol.Hash{8} }, ""},
		"another tokenizer":      {func(r *results.Record) { r.Tasks[0].Correct += 20; r.Tokenizer = "bytes" }, ""},
		"another log-likelihood": {func(r *results.Record) { r.Tasks[0].LogLikelihood = -1.6 }, "hellaswag: log-likelihood"},
		"no such task":           {func(r *results.Record) { r.Tasks = nil }, ""},
	} {
		other := record()
		c.change(other)
		got := strings.Join(results.Compare(record(), other), "; ")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What is read encodes to the same bytes, and can be printed and compared.
func FuzzDecode(f *testing.F) {
	b, err := record().Encode(key(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.Replace(b, []byte(`"loss":2.5`), []byte(`"loss":"NaN"`), 1))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, _, err := results.Decode(b)
		if err != nil {
			return
		}
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		for i := range r.Tasks {
			r.Tasks[i].Scores()
		}
		results.Compare(r, record())
	})
}

// The signature is not checked here: fuzzing does not find one.
func FuzzPayload(f *testing.F) {
	text, err := json.Marshal(record())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	signer := key(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		r := &results.Record{}
		if json.Unmarshal(text, r) != nil || r.Validate() != nil {
			return
		}
		b, err := r.Encode(signer)
		if err != nil {
			return // larger than a document may be
		}
		if _, _, err := results.Decode(b); err != nil {
			t.Fatal(err)
		}
	})
}
