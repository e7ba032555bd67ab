package cli

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"templar/internal/node"
	"templar/internal/store"
	"templar/internal/store/transfer"
)

// transferFlags tune a transfer.
type transferFlags struct{ threads, part int }

func (t *transferFlags) add(f *pflag.FlagSet) {
	f.IntVar(&t.threads, "threads", transfer.DefaultThreads, "parts to transfer at once")
	f.IntVar(&t.part, "part-size", transfer.DefaultPartSize>>20, "size of a part in MiB, 5 or more")
}

func (t *transferFlags) options() (transfer.Options, error) {
	if t.threads < 1 || t.threads > 256 {
		return transfer.Options{}, usagef("--threads: want 1 to 256")
	}
	if t.part < store.MinPart>>20 || t.part > 5<<10 {
		return transfer.Options{}, usagef("--part-size: want 5 to 5120 MiB")
	}
	return transfer.Options{Threads: t.threads, PartSize: int64(t.part) << 20}, nil
}

func storePut(std Std, back *node.Backends) *cobra.Command {
	var b bucketFlags
	var o transferFlags
	cmd := &cobra.Command{
		Use: "put FILE [KEY]", Short: "Store a file",
		Long: `Store a file, by default under its name. From 100 MiB on it is sent in parts, several at once;
an interrupted command sends the missing parts when it is run again.
` + bucketHelp,
		Example: `  templar store put --config miner.yaml notes.txt
  templar store put --config miner.yaml model.safetensors models/first --if-absent --threads 16`,
		Args: between(1, 2, "a FILE to store"),
	}
	b.add(cmd.Flags())
	o.add(cmd.Flags())
	once := cmd.Flags().Bool("if-absent", false, "fail when the key exists")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		options, err := o.options()
		if err != nil {
			return err
		}
		options.IfAbsent = *once
		key := filepath.Base(args[0])
		if len(args) == 2 {
			key = args[1]
		}
		f, err := os.Open(args[0])
		if err != nil {
			return usageError{err}
		}
		defer f.Close()
		stat, err := f.Stat()
		if err != nil || !stat.Mode().IsRegular() {
			return usagef("%s: want a file", args[0])
		}
		v, err := b.locate(cmd, std)
		if err != nil {
			return err
		}
		l, err := v.writing()
		if err != nil {
			return err
		}
		return withOwnBucket(back, l, func(bucket store.Bucket) error {
			progress := newBar(std.Err)
			options.Progress = progress.show
			info, err := transfer.Upload(cmd.Context(), bucket, key, f, stat.Size(), options)
			progress.end()
			if err != nil {
				return goesOn(cmd.Context(), std.Err, err)
			}
			return progress.done(cmd.OutOrStdout(), key, info.Size)
		})
	}
	return cmd
}
