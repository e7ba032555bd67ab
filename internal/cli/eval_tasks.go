package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/engine"
	"templar/internal/node"
	"templar/internal/tasks"
	"templar/protocol"
)

// taskEvaluation is what eval --tasks prints.
type taskEvaluation struct {
	Model   string      `json:"model"`
	Engine  string      `json:"engine,omitempty"`
	Seconds float64     `json:"seconds"`
	Tasks   []taskScore `json:"tasks"`
	// Interrupted: not all documents were measured.
	Interrupted bool `json:"interrupted,omitempty"`
}

// taskScore is a task's line. Where a value is not defined, it is left out.
type taskScore struct {
	Task      string        `json:"task"`
	Files     protocol.Hash `json:"files_hash"`
	Shots     int           `json:"shots"`
	Documents int           `json:"documents"` // measured
	Of        int           `json:"of"`        // in the files
	Acc       *float64      `json:"acc,omitempty"`
	AccErr    *float64      `json:"acc_stderr,omitempty"`
	Norm      *float64      `json:"acc_norm,omitempty"`
	NormErr   *float64      `json:"acc_norm_stderr,omitempty"`
	// LogLikelihood is that of the right answers, mean: nats.
	LogLikelihood *float64           `json:"log_likelihood,omitempty"`
	Subjects      map[string]float64 `json:"subjects,omitempty"` // acc of each
}

// scoreOf is the line of a result.
func scoreOf(s *tasks.Set, r tasks.Result) taskScore {
	out := taskScore{Task: s.Task, Files: s.Hash, Shots: s.Shots, Documents: r.Documents, Of: s.Total}
	acc := r.Accuracy()
	out.Acc, out.AccErr = defined(acc.Value), defined(acc.StdErr)
	if tasks.Normed(s.Task) {
		norm := r.NormedAccuracy()
		out.Norm, out.NormErr = defined(norm.Value), defined(norm.StdErr)
	}
	out.LogLikelihood = defined(r.LogLikelihood / float64(r.Documents))
	for subject, t := range r.Subjects {
		if out.Subjects == nil {
			out.Subjects = make(map[string]float64)
		}
		out.Subjects[subject] = float64(t.Correct) / float64(t.Documents)
	}
	return out
}

func defined(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

func evaluateTasks(cmd *cobra.Command, std Std, b *node.Backends, o evalFlags) error {
	sets, err := tasks.OpenAll(o.tasks, o.chosen)
	if err != nil {
		return err
	}
	m, err := loadModel(o.dir)
	if err != nil {
		return err
	}
	t, err := tokenizerOf(o.dir, m.VocabSize)
	if err != nil {
		return err
	}
	e, err := b.Engine(o.engine.Device, m.Model, o.engine)
	if err != nil {
		return err
	}
	defer e.Close()
	if err := e.Load(cmd.Context(), m.params); err != nil {
		return err
	}
	length := o.length
	if length == 0 {
		length = m.MaxPositions
	}
	encoder := tasks.NewEncoder(t, m.VocabSize, min(length, m.MaxPositions))
	out := taskEvaluation{Model: o.dir, Engine: engine.Kind(e)}
	line := newStatusLine(std)
	begin := time.Now()
	for _, s := range sets {
		var r tasks.Result
		taskBegin := time.Now()
		r, err = s.Measure(cmd.Context(), tasks.Measurement{Model: e, Encoder: encoder, Tokens: o.batch * min(length, 1024), Progress: func(done, of int) {
			left := time.Duration(float64(time.Since(taskBegin)) / float64(done) * float64(of-done))
			line.show("%s: %d of %d answers, %v left", s.Task, done, of, left.Round(time.Second))
		}})
		line.clear()
		if r.Documents > 0 {
			out.Tasks = append(out.Tasks, scoreOf(s, r))
		}
		if err != nil {
			break
		}
	}
	out.Seconds = time.Since(begin).Seconds()
	out.Interrupted = err != nil && cmd.Context().Err() != nil
	if err != nil && !out.Interrupted {
		return err
	}
	return errors.Join(printTasks(cmd.OutOrStdout(), o.json, out), err)
}

func printTasks(w io.Writer, asJSON bool, v taskEvaluation) error {
	if asJSON {
		return printJSON(w, v)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "task\tshots\tdocuments\tacc\t±\tacc_norm\t±\tlog-likelihood")
	for _, s := range v.Tasks {
		documents := fmt.Sprint(s.Documents)
		if s.Documents < s.Of {
			documents += fmt.Sprintf(" of %d", s.Of)
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Task, s.Shots, documents,
			decimals(s.Acc), decimals(s.AccErr), decimals(s.Norm), decimals(s.NormErr), decimals(s.LogLikelihood))
		for _, subject := range slices.Sorted(maps.Keys(s.Subjects)) {
			fmt.Fprintf(t, "  %s\t\t\t%.4f\n", subject, s.Subjects[subject])
		}
	}
	return t.Flush()
}

// decimals writes a value to four decimals, and one that is not defined as a dash.
func decimals(x *float64) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%.4f", *x)
}
