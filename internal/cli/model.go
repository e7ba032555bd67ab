package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"templar/internal/model"
	"templar/internal/safetensors"
	"templar/protocol"
)

func modelGroup() *cobra.Command {
	cmd := group("model", "Make, inspect and convert models",
		"Commands for model folders: config.json, safetensors and a tokenizer, as Hugging Face transformers reads them.")
	cmd.AddCommand(modelInit(), modelInfo(), modelExport(), modelImport())
	return cmd
}

// form holds the flags that set the format of a folder.
type form struct {
	out, dtype string
	shard      int64 // megabytes
}

func (o *form) flags(cmd *cobra.Command, dtype string) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.out, "out", "", "folder to write")
	f.StringVar(&o.dtype, "dtype", dtype, "type of the weights: float32 or bfloat16")
	f.Int64Var(&o.shard, "shard-mb", model.DefaultShardBytes/1_000_000, "megabytes of weights in one file")
}

func (o *form) save(m protocol.Model, params []float32, c model.Companions) error {
	dtype, ok := map[string]safetensors.DType{"float32": safetensors.F32, "bfloat16": safetensors.BF16}[o.dtype]
	switch {
	case o.out == "":
		return usagef("--out: missing: name the folder to write")
	case !ok:
		return usagef("--dtype: %q is not valid: want float32 or bfloat16", o.dtype)
	case o.shard < 1:
		return usagef("--shard-mb: %d is not valid: want 1 or more", o.shard)
	}
	if _, err := model.Describe(o.out); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s holds a model already: choose another folder", o.out)
	}
	return model.SaveWith(o.out, m, params, model.SaveOptions{DType: dtype, ShardBytes: o.shard * 1_000_000, Companions: c})
}

// companions are those of a folder, the bytes' tokenizer where a byte model has none.
func companions(dir string, m *protocol.Model) (model.Companions, error) {
	c, err := model.ReadCompanions(dir)
	if err == nil && c[model.TokenizerFile] == nil && m.VocabSize == 256 {
		for name, b := range model.BytesCompanions() {
			c[name] = b
		}
	}
	return c, err
}

func modelInit() *cobra.Command {
	cmd := &cobra.Command{
		Use: "init", Short: "Create a model with random weights",
		Long: `Create the initial model of a run. The same preset, or configuration, and seed give the same
weights on every machine.`,
		Example: `  templar model init --preset tiny --out m
  templar model init --config config.json --seed 7 --tokenizer t --out m`,
		Args: noArgs,
	}
	var o form
	o.flags(cmd, "float32")
	f := cmd.Flags()
	preset := f.String("preset", "tiny", "size of the model: "+strings.Join(protocol.Presets(), ", "))
	config := f.String("config", "", "folder with a Hugging Face config.json, instead of a preset")
	seed := f.Uint64("seed", 1, "the same seed gives the same weights")
	from := f.String("tokenizer", "", "folder with the tokenizer's files (default the bytes', for a vocabulary of 256)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, err := protocol.Preset(*preset)
		if err != nil {
			return usagef("--preset: %w", err)
		}
		if *config != "" {
			if p.Model, err = model.ReadConfig(*config); err != nil {
				return err
			}
		}
		c, err := companions(*from, &p.Model)
		if err != nil {
			return err
		}
		return o.save(p.Model, model.Init(p.Model, *seed), c)
	}
	return cmd
}

func modelInfo() *cobra.Command {
	cmd := &cobra.Command{
		Use: "info DIR", Short: "Describe the model in a folder", Example: "  templar model info m --json",
		Args: oneFolder,
	}
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		info, err := model.Describe(args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(info)
		}
		m := info.Model
		_, err = fmt.Fprintf(cmd.OutOrStdout(), `parameters   %d
weights      %s in %d file(s), %.1f MB
layers       %d
hidden       %d (inner %d)
heads        %d (key-value %d)
vocabulary   %d (tied: %v)
positions    %d (theta %g)
tokenizer    %v
`, info.Parameters, strings.Join(info.DTypes, ", "), len(info.Files), float64(info.Bytes)/1e6, m.Layers, m.HiddenSize,
			m.IntermediateSize, m.Heads, m.KVHeads, m.VocabSize, m.TieEmbeddings, m.MaxPositions, m.RopeTheta, info.Tokenizer)
		return err
	}
	return cmd
}

func oneFolder(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usagef("name one folder: see %q", cmd.CommandPath()+" --help")
	}
	return nil
}

func modelExport() *cobra.Command {
	return convert("export DIR", "Write a trained model for Hugging Face transformers",
		`Write a folder that transformers loads as LlamaForCausalLM: weights in bfloat16 by default,
in shards above a size, with the tokenizer and the generation defaults.`,
		`  templar model export templar-localnet/model --out for-transformers`, "bfloat16")
}

func modelImport() *cobra.Command {
	return convert("import DIR", "Read a Hugging Face model for a run",
		`Read any LlamaForCausalLM folder, check all of it, and write it as runs begin with it:
float32, with its tokenizer.`,
		`  templar model import downloaded-llama --out m`, "float32")
}

// convert reads a folder and writes another.
func convert(use, short, long, example, dtype string) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Example: example, Args: oneFolder}
	var o form
	o.flags(cmd, dtype)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		m, err := loadModel(args[0])
		if err != nil {
			return err
		}
		c, err := companions(args[0], &m.Model)
		if err != nil {
			return err
		}
		return o.save(m.Model, m.params, c)
	}
	return cmd
}
