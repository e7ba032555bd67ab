package tasks_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"templar/internal/engine/cpu"
	"templar/internal/model"
	"templar/internal/tasks"
	"templar/internal/tokenizer"
)

// harness is what lm-evaluation-harness gave: testkit/tasks/README.md.
type harness struct {
	Models map[string]map[string]struct {
		Acc       float64
		AccErr    float64 `json:"acc_stderr"`
		Norm      float64 `json:"acc_norm"`
		NormErr   float64 `json:"acc_norm_stderr"`
		Documents []struct {
			LogLikelihoods []float64 `json:"log_likelihoods"`
			Acc            float64
			Norm           *float64 `json:"acc_norm"`
		}
		Subjects map[string]struct {
			Acc    float64
			AccErr float64 `json:"acc_stderr"`
		}
	}
}

// Every answer has the harness's log-likelihood, to the rounding of float32 sums, and every score is
// the harness's, for a tokenizer that begins texts with a token and for one that does not.
func TestHarness(t *testing.T) {
	const kit = "../../testkit/tasks"
	text, err := os.ReadFile(filepath.Join(kit, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden harness
	if err := json.Unmarshal(text, &golden); err != nil || len(golden.Models) != 2 {
		t.Fatalf("%d models, %v", len(golden.Models), err)
	}
	for kind, measured := range golden.Models {
		dir := filepath.Join(kit, "models", kind)
		m, params, err := model.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := tokenizer.LoadFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		e, err := cpu.New(m, cpu.Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if err := e.Load(t.Context(), params); err != nil {
			t.Fatal(err)
		}
		if len(measured) != 8 {
			t.Errorf("%s: %d tasks", kind, len(measured))
		}
		for name, want := range measured {
			t.Run(kind+"/"+name, func(t *testing.T) {
				task, o := name, tasks.Options{}
				if name == "mmlu_0" || name == "mmlu_1" {
					task, o.MMLUShots = tasks.MMLU, int(name[5]-'0')
				}
				s, err := tasks.Open(task, filepath.Join(kit, "data"), o)
				if err != nil {
					t.Fatal(err)
				}
				if len(s.Documents) != len(want.Documents) {
					t.Fatalf("%d documents, want %d", len(s.Documents), len(want.Documents))
				}
				r, err := s.Measure(t.Context(), tasks.Measurement{
					Model: e, Encoder: tasks.NewEncoder(tok, m.VocabSize, m.MaxPositions), Tokens: 1024,
					Scored: func(i int, logs []float64) {
						for j, w := range want.Documents[i].LogLikelihoods {
							if math.Abs(logs[j]-w) > 2e-5*math.Abs(w) {
								t.Errorf("%s: answer %d has log-likelihood %v, want %v", s.Documents[i].Place, j, logs[j], w)
							}
						}
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				near := func(what string, got, want float64) {
					if math.Abs(got-want) > 1e-9 {
						t.Errorf("%s is %v, want %v", what, got, want)
					}
				}
				near("acc", r.Accuracy().Value, want.Acc)
				near("its error", r.Accuracy().StdErr, want.AccErr)
				if tasks.Normed(s.Task) {
					near("acc_norm", r.NormedAccuracy().Value, want.Norm)
					near("its error", r.NormedAccuracy().StdErr, want.NormErr)
				}
				if tasks.Normed(s.Task) != (want.Documents[0].Norm != nil) {
					t.Error("acc_norm is there or missing")
				}
				for subject, w := range want.Subjects {
					near(subject, float64(r.Subjects[subject].Correct)/float64(r.Subjects[subject].Documents), w.Acc)
				}
			})
		}
	}
}
