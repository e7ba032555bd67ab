package cli

import (
	"encoding/hex"
	"io"
	"os"
	"path"

	"github.com/spf13/cobra"

	"templar/internal/node"
	"templar/internal/store"
	"templar/internal/store/transfer"
)

func storeCat(std Std, back *node.Backends) *cobra.Command {
	var b bucketFlags
	cmd := &cobra.Command{
		Use: "cat KEY", Short: "Write an object to standard output",
		Long:    "Write an object to standard output. On a terminal, bytes that are not text are shown as a replacement\ncharacter.\n" + bucketHelp,
		Example: "  templar store cat --config miner.yaml start_window_v2.json",
		Args:    between(1, 1, "an object's KEY"),
	}
	b.add(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		v, err := b.locate(cmd, std)
		if err != nil {
			return err
		}
		return withBucket(back, v.reading(), func(bucket store.Bucket) error {
			body, _, err := bucket.Get(cmd.Context(), args[0], -1)
			if err != nil {
				return absent(err, v.reading(), args[0])
			}
			defer body.Close()
			out := cmd.OutOrStdout()
			if isTerminal(out) {
				text := &textWriter{w: out}
				defer text.Close()
				out = text
			}
			_, err = io.Copy(out, body)
			return err
		})
	}
	return cmd
}

func storeGet(std Std, back *node.Backends) *cobra.Command {
	var b bucketFlags
	var o transferFlags
	cmd := &cobra.Command{
		Use: "get KEY [FILE]", Short: "Fetch an object into a file",
		Long: `Fetch an object into a file, by default one with the last part of its key as name. The
file appears when it is complete. An interrupted command continues where it stopped when it
is run again, from FILE.part and FILE.journal.
` + bucketHelp,
		Example: `  templar store get --config miner.yaml --bucket-kind dataset tokens.bin
  templar store get --config miner.yaml checkpoint-100 model --sha256 9f86d0...`,
		Args: between(1, 2, "an object's KEY"),
	}
	b.add(cmd.Flags())
	o.add(cmd.Flags())
	digest := cmd.Flags().String("sha256", "", "the SHA-256 that the object must have, 64 hexadecimal digits")
	force := cmd.Flags().Bool("force", false, "replace the file if there is one")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		options, err := o.options()
		if err != nil {
			return err
		}
		if *digest != "" {
			sum, err := hex.DecodeString(*digest)
			if err != nil || len(sum) != 32 {
				return usagef("--sha256: want 64 hexadecimal digits")
			}
			options.SHA256 = (*[32]byte)(sum)
		}
		file := path.Base(args[0])
		if len(args) == 2 {
			file = args[1]
		}
		stat, err := os.Stat(file)
		switch {
		case err == nil && stat.IsDir():
			return usagef("%s is a folder: name a FILE", file)
		case err == nil && !*force:
			return usagef("%s is there already: add --force to replace it", file)
		}
		v, err := b.locate(cmd, std)
		if err != nil {
			return err
		}
		return withBucket(back, v.reading(), func(bucket store.Bucket) error {
			progress := newBar(std.Err)
			options.Progress = progress.show
			info, err := transfer.Download(cmd.Context(), bucket, args[0], file, options)
			progress.end()
			if err != nil {
				return goesOn(cmd.Context(), std.Err, absent(err, v.reading(), args[0]))
			}
			return progress.done(cmd.OutOrStdout(), file, info.Size)
		})
	}
	return cmd
}
