package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/clock"
	"templar/internal/data"
	"templar/internal/node"
	"templar/internal/store"
	storefs "templar/internal/store/fs"
	"templar/internal/workers"
)

func datasetGroup(std Std, back *node.Backends) *cobra.Command {
	cmd := group("dataset", "Make datasets", "Commands for the token shards that a run trains on.")
	cmd.AddCommand(datasetBuild(std, back))
	return cmd
}

// datasetBucket is the bucket of a folder that templar store serve can serve.
const datasetBucket = "dataset"

type datasetFlags struct {
	out, endpoint, tokenizer, separator, name string
	shard                                     int
}

func datasetBuild(std Std, back *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "build [FILES...]", Short: "Build a dataset from text",
		Long: `Tokenize files, and the files of folders, into shards with a manifest, and print the hash
that a run's parameters announce. JSON lines, JSON arrays of objects and parquet give their
field "text"; other files must be text in UTF-8. The content of a file determines its format,
also within gzip, zstd, xz and bzip2. Every tenth document is held out, up to 262144 tokens. A
build that was interrupted continues when it is run again. Files of a folder that are not read
are listed at the end. Without FILES the text is Newton's Opticks, on which localnets train.

--out is a folder, which "templar store serve" serves as bucket "dataset", or s3://BUCKET with
--endpoint and the key in R2_DATASET_WRITE_ACCESS_KEY_ID and R2_DATASET_WRITE_SECRET_ACCESS_KEY.
A bucket of this machine, --endpoint file:///DIRECTORY, has no key.`,
		Example: `  templar dataset build --out data --tokenizer bytes books/
  templar dataset build --out s3://dataset --endpoint https://ACCOUNT.r2.cloudflarestorage.com --tokenizer m text.parquet`,
	}
	var o datasetFlags
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.out, "out", "", "folder, or s3://BUCKET, to write to")
	f.StringVar(&o.endpoint, "endpoint", "", "http(s)://host[:port] of the store, or file:///directory, with s3://")
	f.StringVar(&o.tokenizer, "tokenizer", "", "tokenizer.json, a folder with one, or bytes")
	f.StringVar(&o.separator, "separator", "", "token to put after each document, by its text (default the one that ends a text, if there is one)")
	f.StringVar(&o.name, "name", "", "name in the manifest and in object keys (default from the first file)")
	f.IntVar(&o.shard, "shard-tokens", 1<<24, "tokens of a shard")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case o.out == "":
			return usagef("--out: missing: name a folder or s3://BUCKET")
		case o.tokenizer == "":
			return usagef("--tokenizer: missing: name a tokenizer.json, a folder with one, or bytes")
		}
		return buildDataset(cmd, std, back, o, args)
	}
	return cmd
}

func buildDataset(cmd *cobra.Command, std Std, back *node.Backends, o datasetFlags, files []string) error {
	t, err := openTokenizer(o.tokenizer)
	if err != nil {
		return err
	}
	separator, err := o.separatorOf(t)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		book, remove, err := writeBook()
		if err != nil {
			return err
		}
		defer remove()
		files = []string{book}
	}
	inputs, left, err := data.Inputs(files)
	if err != nil {
		return err
	}
	bucket, release, err := o.bucket(std, back)
	if err != nil {
		return err
	}
	defer release()
	if o.name == "" {
		o.name = data.CorpusName(files[0])
	}
	progress := &progressLine{w: std.Err, live: isTerminal(std.Err), begin: time.Now()}
	m, hash, err := data.BuildFiles(cmd.Context(), bucket, inputs, t, data.FilesOptions{
		Name: o.name, ShardTokens: o.shard, Separator: separator, Workers: workers.Cores(), Progress: progress.show,
	})
	progress.end()
	if err != nil {
		return err
	}
	summarize(std.Err, inputs, left, progress.last.Skipped)
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "dataset_hash  %s\ntokens        %d in %d shard(s), %d held out\nfiles         %d, %.1f MB of text in %.1f s\n",
		hash, m.Tokens, len(m.Shards), m.HeldOut.Tokens, len(inputs), float64(progress.last.Bytes)/1e6, time.Since(progress.begin).Seconds())
	return err
}

// writeBook writes the book that the program carries into a file.
func writeBook() (file string, remove func(), err error) {
	c, err := data.Opticks()
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "templar-book-")
	if err != nil {
		return "", nil, err
	}
	file = filepath.Join(dir, c.Name+".txt")
	remove = func() { os.RemoveAll(dir) }
	if err := os.WriteFile(file, c.Text, 0o600); err != nil {
		remove()
		return "", nil, err
	}
	return file, remove, nil
}

// maxNamed is how many files that were left out are named.
const maxNamed = 20

// summarize says what was read as what, when that is not plain text, and what was not.
func summarize(w io.Writer, inputs []data.Input, left []data.Left, skipped map[string]int) {
	kinds, packed := make(map[string]int), false
	for _, in := range inputs {
		kinds[in.Kind.String()]++
		packed = packed || in.Kind.Pack != ""
	}
	if len(kinds) > 1 || packed {
		var parts []string
		for _, kind := range slices.Sorted(maps.Keys(kinds)) {
			parts = append(parts, fmt.Sprintf("%d %s", kinds[kind], kind))
		}
		fmt.Fprintf(w, "read as: %s\n", strings.Join(parts, ", "))
	}
	for i, l := range left {
		if i == maxNamed {
			fmt.Fprintf(w, "left out: %d more files\n", len(left)-i)
			break
		}
		fmt.Fprintf(w, "left out: %s\n", l)
	}
	for _, reason := range slices.Sorted(maps.Keys(skipped)) {
		fmt.Fprintf(w, "left out: %d documents: %s\n", skipped[reason], reason)
	}
}

// separatorOf is the id of the token between documents, -1 for none.
func (o *datasetFlags) separatorOf(t speller) (int32, error) {
	named, ok := t.(interface{ ID(string) (int32, bool) })
	if o.separator == "" {
		if !ok {
			return -1, nil
		}
		for _, name := range []string{"</s>", "<|endoftext|>", "<|end_of_text|>"} {
			if id, ok := named.ID(name); ok {
				return id, nil
			}
		}
		return -1, nil
	}
	if ok {
		if id, ok := named.ID(o.separator); ok {
			return id, nil
		}
	}
	return 0, usagef("--separator: the tokenizer has no token %q", o.separator)
}

// bucket opens what --out names, until release.
func (o *datasetFlags) bucket(std Std, back *node.Backends) (b store.Bucket, release func(), err error) {
	name, remote := strings.CutPrefix(o.out, "s3://")
	if remote {
		if o.endpoint == "" {
			return nil, nil, usagef("--endpoint: missing: %s needs the store's address", o.out)
		}
		d := back.Buckets()
		b, unlock, err := d.DialOwn(store.Location{
			Endpoint: o.endpoint, Bucket: strings.TrimSuffix(name, "/"),
			AccessKey: std.getenv("R2_DATASET_WRITE_ACCESS_KEY_ID"), Secret: store.Secret(std.getenv("R2_DATASET_WRITE_SECRET_ACCESS_KEY")),
		})
		if err != nil {
			return nil, nil, errors.Join(err, d.Close())
		}
		return store.Retry(b, store.RetryPolicy{}, clock.Wall{}), func() { unlock(); d.Close() }, nil
	}
	dir := filepath.Clean(o.out)
	if release, err = storefs.Lock(dir); err != nil {
		return nil, nil, err
	}
	files, err := storefs.Open(dir, storefs.Options{Fsync: true})
	if err == nil && !files.HasBucket(datasetBucket) {
		err = files.CreateBucket(datasetBucket)
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return files.Bucket(datasetBucket), release, nil
}

// progressLine shows a build on a terminal, in one line that is rewritten.
type progressLine struct {
	w     io.Writer
	live  bool
	begin time.Time
	shown time.Time
	last  data.Progress
}

func (l *progressLine) show(p data.Progress) {
	l.last = p
	if now := time.Now(); l.live && now.Sub(l.shown) > 200*time.Millisecond {
		l.shown = now
		fmt.Fprintf(l.w, "\r%d of %d files, %.1f of %.1f MB, %d tokens, %d shards ", p.Files, p.AllFiles, float64(p.Bytes)/1e6, float64(p.AllBytes)/1e6, p.Tokens, p.Shards)
	}
}

func (l *progressLine) end() {
	if l.live {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
	if l.last.Resumed {
		fmt.Fprintln(l.w, "continued an earlier build")
	}
}
