package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"templar/internal/node"
	"templar/internal/store"
)

func storeLs(std Std, back *node.Backends) *cobra.Command {
	var b bucketFlags
	cmd := &cobra.Command{
		Use: "ls [PREFIX]", Short: "List a bucket's objects",
		Long: "List the objects whose keys begin with PREFIX: size, time and key, in order of keys.\n" + bucketHelp,
		Example: `  templar store ls --config miner.yaml gradient-
  templar store ls --config miner.yaml --uploads    # what an upload that was given up left`,
		Args: upTo(1),
	}
	f := cmd.Flags()
	b.add(f)
	uploads := f.Bool("uploads", false, "list unfinished uploads in parts, which need the key that writes, and when they began")
	f.Bool("json", false, "print JSON, a line for each")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		v, err := b.locate(cmd, std)
		if err != nil {
			return err
		}
		prefix := strings.Join(args, "")
		out := lister{w: cmd.OutOrStdout(), json: isSet(f, "json")}
		if *uploads {
			l, err := v.writing()
			if err != nil {
				return err
			}
			return withBucket(back, l, func(bucket store.Bucket) error { return out.uploads(cmd, bucket, prefix) })
		}
		return absent(withBucket(back, v.reading(), func(bucket store.Bucket) error { return out.objects(cmd, bucket, prefix) }), v.reading(), "")
	}
	return cmd
}

type lister struct {
	w    io.Writer
	json bool
}

// listed is a line of the list as JSON.
type listed struct {
	Key          string    `json:"key"`
	Size         *int64    `json:"size,omitempty"`
	LastModified time.Time `json:"last_modified,omitzero"`
	ETag         string    `json:"etag,omitempty"`
	Upload       string    `json:"upload,omitempty"`
	Initiated    time.Time `json:"initiated,omitzero"`
}

func (l lister) objects(cmd *cobra.Command, b store.Reader, prefix string) error {
	const page = 1000
	for after := ""; ; {
		infos, err := b.List(cmd.Context(), prefix, after, page)
		if err != nil {
			return err
		}
		for _, i := range infos {
			if err := l.line(listed{Key: i.Key, Size: &i.Size, LastModified: i.LastModified, ETag: i.ETag}, "%14d  %s  %s\n", i.Size, stamp(i.LastModified), keyText(i.Key)); err != nil {
				return err
			}
		}
		if len(infos) < page {
			return nil
		}
		after = infos[page-1].Key
	}
}

func (l lister) uploads(cmd *cobra.Command, b store.Bucket, prefix string) error {
	uploads, err := b.Uploads(cmd.Context(), prefix)
	if err != nil {
		return err
	}
	for _, u := range uploads {
		if err := l.line(listed{Key: u.Key, Upload: u.ID, Initiated: u.Initiated}, "%s  %s\n", stamp(u.Initiated), keyText(u.Key)); err != nil {
			return err
		}
	}
	return nil
}

func (l lister) line(v listed, format string, args ...any) error {
	if l.json {
		return json.NewEncoder(l.w).Encode(v)
	}
	_, err := fmt.Fprintf(l.w, format, args...)
	return err
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// keyText quotes keys with control characters: any node may have chosen them.
func keyText(key string) string {
	if strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(key)
	}
	return key
}

// upTo refuses more than n arguments.
func upTo(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return noArgs(cmd, args[n:])
		}
		return nil
	}
}

// between refuses fewer than least arguments, which it names, and more than most.
func between(least, most int, names string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least {
			return usagef("name %s: see %q", names, cmd.CommandPath()+" --help")
		}
		return upTo(most)(cmd, args)
	}
}
