package tasks_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/tasks"
)

// write makes a folder of files and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPrompts(t *testing.T) {
	for name, c := range map[string]struct {
		task, row     string
		context, end  string // of the first answer
		gold, answers int
	}{
		"hellaswag": {
			tasks.HellaSwag, `{"activity_label": "Mending", "ctx_a": "[header] How to [title] Soak it. ", "ctx_b": "THE reed", "endings": ["[step] Pull.", "b", "c", "d"], "label": "2", "ind": 7}`,
			"Mending: How to. Soak it. The reed", "  Pull.", 2, 4,
		},
		"hellaswag with a number": {
			tasks.HellaSwag, `{"activity_label": "M", "ctx_a": "a", "ctx_b": "", "endings": ["a", "b"], "label": 1}`, "M: a", " a", 1, 2,
		},
		"piqa":       {tasks.PIQA, `{"goal": "To dry", "sol1": "wring", "sol2": "wait", "label": 1}`, "Question: To dry\nAnswer:", " wring", 1, 2},
		"arc":        {tasks.ARCChallenge, `{"id": "x", "question": "Why?", "choices": {"text": ["p", "q", "r"], "label": ["1", "2", "3"]}, "answerKey": "3"}`, "Question: Why?\nAnswer:", " p", 2, 3},
		"openbookqa": {tasks.OpenBookQA, `{"question_stem": "The sun is", "choices": {"text": ["p", "q"], "label": ["A", "B"]}, "answerKey": " B"}`, "The sun is", " p", 1, 2},
		"winogrande": {tasks.WinoGrande, `{"sentence": "A saw B, so _ ran.", "option1": "A", "option2": "B", "answer": "2"}`, "A saw B, so A", " ran.", 1, 2},
		"mmlu": {
			tasks.MMLU, `{"question": " What? ", "subject": "high_school_physics", "choices": ["w", "x", "y", "z"], "answer": 3}`,
			"The following are multiple choice questions (with answers) about high school physics.\n\nWhat?\nA. w\nB. x\nC. y\nD. z\nAnswer:", " A", 3, 4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{"f.jsonl": "\xef\xbb\xbf" + c.row + "\n\n"})
			s, err := tasks.Open(c.task, filepath.Join(dir, "f.jsonl"), tasks.Options{})
			if err != nil {
				t.Fatal(err)
			}
			d := s.Documents[0]
			if r := d.Requests[0]; r.Context != c.context || r.Continuation != c.end || d.Gold != c.gold || len(d.Requests) != c.answers || s.Total != 1 {
				t.Errorf("%+v", d)
			}
		})
	}
}

// A bad file is named, with the line and the field.
func TestBadFiles(t *testing.T) {
	const good = `{"goal": "g", "sol1": "a", "sol2": "b", "label": 0}` + "\n"
	labelled := func(rest string) string { return `{"question": "q", "choices": ` + rest + `}` }
	for name, c := range map[string]struct{ task, text, want string }{
		"no JSON":            {tasks.PIQA, good + "sol1\n", "f.jsonl:2: not a document of the task"},
		"cut short":          {tasks.PIQA, good + `{"goal": "g"`, "f.jsonl:2: not a document"},
		"missing":            {tasks.PIQA, good + good + `{"goal": "g", "sol1": "a", "label": 0}`, `f.jsonl:3: field "sol2": missing`},
		"null":               {tasks.PIQA, `{"goal": null, "sol1": "a", "sol2": "b", "label": 0}`, `f.jsonl:1: field "goal": want a string`},
		"another type":       {tasks.PIQA, `{"goal": ["g"], "sol1": "a", "sol2": "b", "label": 0}`, `f.jsonl:1: field "goal": want a string`},
		"twice":              {tasks.PIQA, `{"goal": "g", "goal": "h", "sol1": "a", "sol2": "b", "label": 0}`, `duplicate`},
		"no answer":          {tasks.PIQA, `{"goal": "g", "sol1": "a", "sol2": "b", "label": -1}`, `field "label": the document has no answer`},
		"answer past":        {tasks.PIQA, `{"goal": "g", "sol1": "a", "sol2": "b", "label": 2}`, `field "label": "2" is not one of 0 to 1`},
		"answer of a type":   {tasks.PIQA, `{"goal": "g", "sol1": "a", "sol2": "b", "label": 0.5}`, `field "label": want a number`},
		"answer empty":       {tasks.HellaSwag, `{"activity_label": "l", "ctx_a": "a", "ctx_b": "b", "endings": ["a", "b"], "label": ""}`, `field "label": the document has no answer`},
		"one ending":         {tasks.HellaSwag, `{"activity_label": "l", "ctx_a": "a", "ctx_b": "b", "endings": ["a"], "label": "0"}`, `field "endings": 1 answers`},
		"too many endings":   {tasks.HellaSwag, `{"activity_label": "l", "ctx_a": "a", "ctx_b": "b", "endings": ["a"` + strings.Repeat(`,"b"`, 40) + `], "label": "0"}`, `field "endings": 41 answers`},
		"endings of a type":  {tasks.HellaSwag, `{"activity_label": "l", "ctx_a": "a", "ctx_b": "b", "endings": ["a", 2], "label": "0"}`, `field "endings.1"`},
		"fewer labels":       {tasks.ARCEasy, labelled(`{"text": ["a", "b"], "label": ["A"]}, "answerKey": "A"`), `field "choices.label": 1 labels of 2 answers`},
		"unknown label":      {tasks.ARCEasy, labelled(`{"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "C"`), `field "answerKey": "C" is none of`},
		"no label":           {tasks.ARCEasy, labelled(`{"text": ["a", "b"], "label": ["A", "B"]}`), `field "answerKey": missing`},
		"no blank":           {tasks.WinoGrande, `{"sentence": "s", "option1": "a", "option2": "b", "answer": "1"}`, `field "sentence": no blank`},
		"third option":       {tasks.WinoGrande, `{"sentence": "_", "option1": "a", "option2": "b", "answer": "3"}`, `field "answer": "3" is neither`},
		"three choices":      {tasks.MMLU, `{"question": "q", "subject": "s", "choices": ["a", "b", "c"], "answer": 0}`, `field "choices": 3 answers: want 4`},
		"a subject of paths": {tasks.MMLU, `{"question": "q", "subject": "../s", "choices": ["a", "b", "c", "d"], "answer": 0}`, `field "subject"`},
		"an empty file":      {tasks.PIQA, "\n\n", "has no document"},
		"a long line":        {tasks.PIQA, good + `{"goal": "` + strings.Repeat("g", 2<<20), "f.jsonl:2: a line of more than 1024 KiB"},
		"no UTF-8":           {tasks.PIQA, "{\"goal\": \"\xff\", \"sol1\": \"a\", \"sol2\": \"b\", \"label\": 0}", "f.jsonl:1"},
		"unknown":            {"boolq", good, `task "boolq" is unknown: this version has arc_challenge`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{"f.jsonl": c.text})
			_, err := tasks.Open(c.task, filepath.Join(dir, "f.jsonl"), tasks.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// The same questions give the same prompts as JSON lines and in the form of MMLU's authors.
func TestMMLUForms(t *testing.T) {
	const kit = "../../testkit/tasks/data"
	for _, shots := range []int{0, 1, 5} {
		o := tasks.Options{MMLUShots: shots, Limit: 6}
		lines, err := tasks.Open(tasks.MMLU, kit, o)
		if err != nil {
			t.Fatal(err)
		}
		csv, err := tasks.Open(tasks.MMLU, filepath.Join(kit, "mmlu_csv"), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines.Documents) != 18 || lines.Total != 21 || len(csv.Documents) != 18 || csv.Total != 21 {
			t.Fatalf("%d of %d, and %d of %d documents", len(lines.Documents), lines.Total, len(csv.Documents), csv.Total)
		}
		for i, d := range lines.Documents {
			got := csv.Documents[i]
			if got.Subject != d.Subject || got.Gold != d.Gold || got.Requests[0] != d.Requests[0] {
				t.Fatalf("document %d is %+v, want %+v", i, got, d)
			}
			if n := strings.Count(d.Requests[0].Context, "Answer:"); n != shots+1 {
				t.Fatalf("%d shots: %d answers in the prompt", shots, n)
			}
		}
		if lines.Hash == csv.Hash {
			t.Error("other files have the same hash")
		}
	}
	dir := write(t, map[string]string{
		"mmlu.jsonl":     `{"question": "q", "subject": "s", "choices": ["a", "b", "c", "d"], "answer": 0}`,
		"mmlu_dev.jsonl": `{"question": "q", "subject": "t", "choices": ["a", "b", "c", "d"], "answer": "A"}`,
		"test/s.csv":     "q,a,b,c,d,A\n",
	})
	for want, o := range map[string]tasks.Options{
		`subject t has 1 worked examples: 5 are asked for`: {MMLUShots: 5},
		`mmlu.jsonl:1: subject "s" has no worked examples`: {MMLUShots: 1},
		`want a limit from 0 on and 0 to 5 shots`:          {MMLUShots: 6},
		`limit -1`: {Limit: -1},
	} {
		if _, err := tasks.Open(tasks.MMLU, dir, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	bad := write(t, map[string]string{"test/s_test.csv": "q,a,b,c,d,A\nq,a,b,c,A\n"})
	if _, err := tasks.Open(tasks.MMLU, bad, tasks.Options{}); err == nil || !strings.Contains(err.Error(), "s_test.csv: record on line 2: wrong number of fields: want question, four choices") {
		t.Error(err)
	}
	if _, err := tasks.Open(tasks.MMLU, filepath.Join(bad, "test", "s_test.csv"), tasks.Options{MMLUShots: 1}); err == nil || !strings.Contains(err.Error(), "s_dev.csv") {
		t.Error(err)
	}
}

func TestOpenAll(t *testing.T) {
	const kit = "../../testkit/tasks/data"
	all, err := tasks.OpenAll(kit, tasks.Options{Limit: 1})
	if err != nil || len(all) != len(tasks.Names()) {
		t.Fatalf("%d tasks, %v", len(all), err)
	}
	two, err := tasks.OpenAll("piqa="+kit+"/piqa.jsonl, hellaswag="+kit, tasks.Options{})
	if err != nil || len(two) != 2 || two[0].Task != tasks.PIQA || two[0].Hash != all[5].Hash {
		t.Fatalf("%v", err)
	}
	empty := t.TempDir()
	for list, want := range map[string]string{
		"piqa=" + kit + ",piqa=" + kit: "named twice", "": "want NAME=FILE or a folder", kit + "/piqa.jsonl": "is not a folder: write NAME=",
		"piqa=" + empty: "holds no piqa.jsonl", empty: "holds none of", "mmlu=" + empty: "neither mmlu.jsonl nor test/*_test.csv", "piqa=/nowhere": "no such file",
	} {
		if _, err := tasks.OpenAll(list, tasks.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", list, err, want)
		}
	}
}

// letters is a model over bytes that gives each a likelihood of its own, and keeps what it saw.
type letters struct {
	nats   func(b int32) float64
	calls  int
	most   int // tokens of a batch
	cancel func()
}

func (m *letters) RowLosses(ctx context.Context, b engine.Batch) (out []engine.Loss, err error) {
	if m.calls++; m.cancel != nil && m.calls == 2 {
		m.cancel()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	m.most = max(m.most, b.Rows*b.Cols)
	for r := range b.Rows {
		var l engine.Loss
		for _, t := range b.Part(r, 1).Targets {
			if t != engine.Ignore {
				l.Add(engine.Loss{Sum: m.nats(t), Tokens: 1})
			}
		}
		out = append(out, l)
	}
	return out, nil
}

func piqaOf(t *testing.T, n int, row string) *tasks.Set {
	t.Helper()
	dir := write(t, map[string]string{"piqa.jsonl": strings.Repeat(row+"\n", n)})
	s, err := tasks.Open(tasks.PIQA, dir, tasks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The shorter answer is the more likely one, the longer one for each character; and of equal
// answers the first one counts, as it does for the others.
func TestScores(t *testing.T) {
	nats := func(b int32) float64 {
		if b == 'y' {
			return 1
		}
		return 2
	}
	bytes := tasks.NewEncoder(data.Bytes{}, 256, 64)
	for row, want := range map[string][2]float64{
		`{"goal": "g", "sol1": "x", "sol2": "yyyy", "label": 0}`: {1, 0}, // " x" loses 4, " yyyy" 6, of a character 4 and 1.5
		`{"goal": "g", "sol1": "x", "sol2": "yyyy", "label": 1}`: {0, 1},
		`{"goal": "g", "sol1": "x", "sol2": "x", "label": 0}`:    {1, 1},
		`{"goal": "g", "sol1": "x", "sol2": "x", "label": 1}`:    {0, 0},
		`{"goal": "g", "sol1": "é", "sol2": "xx", "label": 1}`:   {0, 1}, // characters, not bytes: 6 and 3 where both have two bytes
	} {
		r, err := piqaOf(t, 3, row).Measure(t.Context(), tasks.Measurement{Model: &letters{nats: nats}, Encoder: bytes})
		if err != nil {
			t.Fatal(err)
		}
		if a, n := r.Accuracy(), r.NormedAccuracy(); a.Value != want[0] || n.Value != want[1] || a.StdErr != 0 {
			t.Errorf("%s: %v and %v, want %v", row, a, n, want)
		}
	}
	r, err := piqaOf(t, 1, `{"goal": "g", "sol1": "x", "sol2": "y", "label": 0}`).Measure(t.Context(), tasks.Measurement{Model: &letters{nats: nats}, Encoder: bytes})
	if err != nil || !math.IsNaN(r.Accuracy().StdErr) || r.LogLikelihood != -4 {
		t.Errorf("%+v, %v", r, err)
	}
}

// What was measured when the context ended is kept, and batches keep to their size.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := piqaOf(t, 600, `{"goal": "g", "sol1": "x", "sol2": "yyyy", "label": 1}`)
	m := &letters{nats: func(int32) float64 { return 1 }, cancel: cancel}
	var told []int
	r, err := s.Measure(ctx, tasks.Measurement{
		Model: m, Encoder: tasks.NewEncoder(data.Bytes{}, 256, 64), Tokens: 1 << 14,
		Progress: func(done, of int) { told = append(told, done, of) },
	})
	if !errors.Is(err, context.Canceled) || r.Documents != 256 || len(told) != 2 || told[0] != 512 || told[1] != 1200 {
		t.Errorf("%d documents, %v, progress %v", r.Documents, err, told)
	}
	if m.most > 1<<14 {
		t.Errorf("%d tokens at once", m.most)
	}
}

func TestRefuses(t *testing.T) {
	row := `{"goal": "g", "sol1": "x", "sol2": "` + strings.Repeat("y", 65) + `", "label": 1}`
	measure := func(nats float64, vocabulary, window int) error {
		_, err := piqaOf(t, 2, row).Measure(t.Context(), tasks.Measurement{
			Model: &letters{nats: func(int32) float64 { return nats }}, Encoder: tasks.NewEncoder(data.Bytes{}, vocabulary, window),
		})
		return err
	}
	for want, err := range map[string]error{
		"piqa.jsonl:1: the answer": measure(1, 256, 64), "the model has embeddings for 100 only": measure(1, 100, 256), "the model has diverged": measure(math.NaN(), 256, 256),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Whatever a file holds, it is read or refused.
func FuzzOpen(f *testing.F) {
	for i, row := range []string{
		`{"activity_label": "M", "ctx_a": "a", "ctx_b": "", "endings": ["a", "b"], "label": 1}`, `{"goal": "g", "sol1": "x", "sol2": "y", "label": 0}`,
		`{"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"}`, `{"sentence": "_", "option1": "a", "option2": "b", "answer": "1"}`,
		`{"question": "q", "subject": "s", "choices": ["a", "b", "c", "d"], "answer": "D"}`, `{"question_stem": "\u0000", "choices": {"text": ["", ""], "label": ["", ""]}, "answerKey": " "}`,
		"q,a,b,c,d,A\n\"", "[]", "[1,2]",
	} {
		f.Add(row, uint8(i), i == 6)
	}
	f.Add(`"`, uint8(slices.Index(tasks.Names(), tasks.MMLU)), true) // a record of no field
	dir := f.TempDir()
	encoder := tasks.NewEncoder(data.Bytes{}, 256, 32)
	f.Fuzz(func(t *testing.T, text string, task uint8, csv bool) {
		name := filepath.Join(dir, "s_test.jsonl")
		if csv {
			name = filepath.Join(dir, "s_test.csv")
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := tasks.Open(tasks.Names()[int(task)%len(tasks.Names())], name, tasks.Options{Limit: 8})
		if err != nil {
			return
		}
		for _, d := range s.Documents {
			if d.Gold < 0 || d.Gold >= len(d.Requests) {
				t.Fatalf("answer %d of %d", d.Gold, len(d.Requests))
			}
		}
		r, err := s.Measure(t.Context(), tasks.Measurement{Model: &letters{nats: func(int32) float64 { return 1 }}, Encoder: encoder})
		if err == nil && r.Documents != len(s.Documents) {
			t.Fatalf("%d of %d documents", r.Documents, len(s.Documents))
		}
	})
}
