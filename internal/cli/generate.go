package cli

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"templar/internal/model"
	"templar/internal/node"
)

func generate(b *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "generate", Short: "Continue a text with a trained model",
		Long: `Continue a text with a model, and print each token as it is generated. The model is a folder
with config.json, weights and tokenizer.json, as Hugging Face has it; without a tokenizer, a
vocabulary of 256 stands for bytes.`,
		Example: `  templar generate --model templar-localnet/model --prompt "Light is"
  templar generate --model m --prompt "The Rays" --tokens 500 --temperature 0 # always the likeliest`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	var s model.Sampling
	dir := f.String("model", "", "folder of the model")
	prompt := f.String("prompt", "", "text to continue")
	tokens := f.Int("tokens", 200, "tokens to generate")
	f.Float64Var(&s.Temperature, "temperature", 0.8, "0 takes the likeliest token, more is more daring")
	f.IntVar(&s.TopK, "top-k", 0, "draw from the likeliest K tokens only (default all)")
	f.Uint64Var(&s.Seed, "seed", 1, "the same seed gives the same text")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case *dir == "":
			return usagef("--model: missing: name the folder of a trained model")
		case *prompt == "":
			return usagef("--prompt: missing: give a text to continue")
		case *tokens < 1:
			return usagef("--tokens: %d is not valid: want 1 or more", *tokens)
		case !(s.Temperature >= 0) || s.Temperature > 100:
			return usagef("--temperature: %v is not valid: want 0 to 100", s.Temperature)
		case s.TopK < 0:
			return usagef("--top-k: %d is not valid: want 0 or more", s.TopK)
		}
		return continueText(cmd, b, *dir, *prompt, *tokens, s)
	}
	return cmd
}

func continueText(cmd *cobra.Command, b *node.Backends, dir, prompt string, n int, s model.Sampling) (err error) {
	m, err := loadModel(dir)
	if err != nil {
		return err
	}
	t, err := tokenizerOf(dir, m.VocabSize)
	if err != nil {
		return err
	}
	c, err := model.ReadCompanions(dir)
	if err != nil {
		return err
	}
	ends, err := c.StopIDs()
	if err != nil {
		return err
	}
	e, err := b.Engine("", m.Model, node.EngineOptions{})
	if err != nil {
		return err
	}
	defer e.Close()
	scorer, ok := e.(model.Logits)
	if !ok {
		return errors.New("the engine of this build cannot generate: it does not score single tokens")
	}
	if err := e.Load(cmd.Context(), m.params); err != nil {
		return err
	}
	s.Context = m.MaxPositions
	out := &textWriter{w: cmd.OutOrStdout()}
	before, _ := t.Around()
	tokens, err := encodeFor(t, before, []byte(prompt), m.VocabSize)
	if err != nil {
		return err
	}
	err = model.Generate(cmd.Context(), scorer, tokens, n, s, func(token int32) error {
		if slices.Contains(ends, token) {
			return errEnd
		}
		_, err := out.Write(t.Piece(token))
		return err
	})
	if errors.Is(err, errEnd) {
		err = nil
	}
	return errors.Join(err, out.Close())
}

// errEnd reports that the model ended its text.
var errEnd = errors.New("end of text")
