package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/data"
	"templar/internal/engine"
	"templar/internal/model"
	"templar/internal/node"
	"templar/internal/tasks"
	"templar/protocol"
)

// loaded is a model in memory.
type loaded struct {
	protocol.Model
	params []float32
}

type evalFlags struct {
	dir, text, gradients string
	tasks                string
	chosen               tasks.Options
	length, batch        int
	json                 bool
	engine               node.EngineOptions
}

// evaluation is what eval prints.
type evaluation struct {
	Loss       float64 `json:"loss"` // nats a token
	Perplexity float64 `json:"perplexity"`
	Tokens     int     `json:"tokens"` // predicted ones
	Speed      float64 `json:"tokens_per_second"`
	Seconds    float64 `json:"seconds"`
	BLAS       string  `json:"blas"`
}

func evalCommand(std Std, b *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "eval", Short: "Measure a model on a text, or on multiple-choice tasks",
		Long: `With --text, measure how well a model predicts a text: the mean loss in nats a token,
perplexity and speed. The text is cut into sequences, each seen on its own. With
--gradients, also write the gradient of the mean loss for every tensor, as safetensors.

With --tasks, measure how often the model finds the right answer of a question the most
likely one. Name the files of the tasks, which are JSON lines with the fields that the data
sets have on Hugging Face: HellaSwag, PIQA, ARC, OpenBookQA, WinoGrande and MMLU, this one
also as its authors' folder of CSV files. A folder stands for all TASK.jsonl in it. Prompts
and rules are those of lm-evaluation-harness, and so are the numbers: acc, acc_norm (the
likelihood of a character), and the standard error of each. Nothing is downloaded.
Ctrl-C ends the measurement and prints the result of the documents that are done.`,
		Example: `  templar eval --model templar-localnet/model --text book.txt
  templar eval --model m --text book.txt --gradients grads.safetensors --json
  templar eval --model m --tasks hellaswag=hellaswag_val.jsonl,piqa=piqa_val.jsonl --limit 500
  templar eval --model m --tasks tasks/ --mmlu-shots 5 --device cuda`,
		Args: noArgs,
	}
	var o evalFlags
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.dir, "model", "", "folder of the model")
	f.StringVar(&o.text, "text", "", "file with the text; - reads standard input")
	f.StringVar(&o.gradients, "gradients", "", "file to write gradients to")
	f.StringVar(&o.tasks, "tasks", "", "NAME=FILE with commas between, or a folder; NAME is one of "+strings.Join(tasks.Names(), ", "))
	f.IntVar(&o.chosen.Limit, "limit", 0, "documents of each task, and of each subject of mmlu: the first ones (default all)")
	f.IntVar(&o.chosen.MMLUShots, "mmlu-shots", 0, "worked examples before each question of mmlu, from its dev split: 0 to 5")
	f.IntVar(&o.length, "sequence-length", 0, "tokens of a sequence (default the model's most, up to 1024)")
	f.IntVar(&o.batch, "batch", 8, "sequences at once")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringVar(&o.engine.Device, "device", "cpu", "device to compute on: cpu, cuda, cuda:N, cuda:all or plugin:PATH")
	f.StringVar(&o.engine.Precision, "precision", "", "matrix products of a GPU: float32 or bf16 (default bf16)")
	f.IntVar(&o.engine.Threads, "threads", 0, "threads that compute (default all cores)")
	f.StringVar(&o.engine.BLAS, "blas", "builtin", "library that multiplies matrices: builtin, openblas or auto")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case o.dir == "":
			return usagef("--model: missing: name the folder of a model")
		case (o.text == "") == (o.tasks == ""):
			return usagef("name what to measure: either --text FILE or --tasks FILES")
		case o.tasks != "" && o.gradients != "":
			return usagef("--gradients: there are gradients of a text only: name one with --text")
		case o.tasks == "" && o.chosen != (tasks.Options{}):
			return usagef("--limit and --mmlu-shots are for --tasks")
		case o.length < 0 || o.batch < 1 || o.engine.Threads < 0:
			return usagef("--sequence-length, --batch and --threads must be positive")
		}
		if o.tasks != "" {
			return evaluateTasks(cmd, std, b, o)
		}
		return evaluate(cmd, b, o)
	}
	return cmd
}

func evaluate(cmd *cobra.Command, b *node.Backends, o evalFlags) error {
	m, err := loadModel(o.dir)
	if err != nil {
		return err
	}
	batches, err := readBatches(cmd, o, &m.Model)
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
	begin := time.Now()
	loss, err := measure(cmd, e, m, batches, o.gradients)
	if err != nil {
		return err
	}
	seconds := time.Since(begin).Seconds()
	return printEvaluation(cmd.OutOrStdout(), o.json, evaluation{
		Loss: loss.Mean(), Perplexity: math.Exp(loss.Mean()), Tokens: loss.Tokens,
		Speed: float64(loss.Tokens) / seconds, Seconds: seconds, BLAS: multiplier(e),
	})
}

// multiplier names the library that multiplies an engine's matrices, if the engine reports it.
func multiplier(e engine.Engine) string {
	if b, ok := e.(interface{ BLAS() string }); ok {
		return b.BLAS()
	}
	return "the engine's own"
}

// readBatches tokenizes the text and cuts it.
func readBatches(cmd *cobra.Command, o evalFlags, m *protocol.Model) ([]engine.Batch, error) {
	t, err := tokenizerOf(o.dir, m.VocabSize)
	if err != nil {
		return nil, err
	}
	in := cmd.InOrStdin()
	if o.text != "-" {
		f, err := os.Open(o.text)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	length := o.length
	if length == 0 {
		length = min(m.MaxPositions, 1024)
	}
	before, after := t.Around()
	ids, err := encodeFor(t, before, text, m.VocabSize)
	if err != nil {
		return nil, err
	}
	batches := data.Batches(append(ids, after...), length, o.batch)
	if batches == nil {
		return nil, fmt.Errorf("%s: the text is less than two tokens", o.text)
	}
	return batches, nil
}

// measure computes the loss, and the gradient of its mean where a file is to have it.
func measure(cmd *cobra.Command, e engine.Engine, m loaded, batches []engine.Batch, file string) (engine.Loss, error) {
	if file == "" {
		return engine.Losses(cmd.Context(), e, batches)
	}
	counted := 0
	for _, b := range batches {
		for _, t := range b.Targets {
			if t != engine.Ignore {
				counted++
			}
		}
	}
	var sum engine.Loss
	for _, b := range batches {
		l, err := e.Accumulate(cmd.Context(), b, 1/float32(counted))
		if err != nil {
			return sum, err
		}
		sum.Add(l)
	}
	grads, err := e.Gradient(cmd.Context())
	if err != nil {
		return sum, err
	}
	return sum, writeGradients(file, m.Layout(), grads)
}

func writeGradients(name string, l protocol.Layout, grads []float32) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := model.Write(f, l, grads); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func printEvaluation(w io.Writer, asJSON bool, v evaluation) error {
	if asJSON {
		return json.NewEncoder(w).Encode(v)
	}
	_, err := fmt.Fprintf(w, "loss        %.6f nats a token\nperplexity  %.3f\ntokens      %d\nspeed       %.0f tokens/s (%s)\n",
		v.Loss, v.Perplexity, v.Tokens, v.Speed, v.BLAS)
	return err
}
