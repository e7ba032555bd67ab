package cli

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"templar/internal/store/server"
)

// bucketCommands take a bucket by its endpoint. In each line BUCKET stands for the flags that name it.
var bucketCommands = []string{
	"store put small first BUCKET", // a folder comes to be with the first object
	"store ls BUCKET",
	"store ls --json BUCKET",
	"store ls --uploads BUCKET",
	"store cat nothing BUCKET",
	"store get nothing got BUCKET",
	"store put small BUCKET",
	"store put small dir/key BUCKET",
	"store put small BUCKET", // again
	"store put small ../key BUCKET",
	"store put small /key BUCKET",
	"store put none BUCKET",
	"store put empty BUCKET",
	"store ls BUCKET",
	"store ls dir/ BUCKET",
	"store ls --json BUCKET",
	"store ls none BUCKET",
	"store cat small BUCKET",
	"store cat dir BUCKET",
	"store cat empty BUCKET",
	"store cat dir/key BUCKET",
	"store cat ../key BUCKET",
	"store get dir/key got BUCKET",
	"store get dir/key got BUCKET", // again
	"store get dir/key BUCKET",
	"store get small . BUCKET",
	"store get empty hollow BUCKET",
	"store bench --sizes 1K --count 1 BUCKET",
	"store check BUCKET",
	"dataset build --tokenizer bytes --name book --shard-tokens 4096 --out s3://BUCKET-NAME ENDPOINT text",
	"dataset build --tokenizer bytes --name book --shard-tokens 4096 --out s3://BUCKET-NAME ENDPOINT text", // again
	"store ls BUCKET",
	"store ls --uploads BUCKET",
	"store ls NO-BUCKET",
}

// varying is what differs from run to run, and the names of the two places.
var varying = regexp.MustCompile(`http://127\.0\.0\.1:\d+|file:///\S*/folder|\d{4}-\d\d-\d\d[T ][0-9:.]+Z?|"etag":"[^"]*"|\d+(\.\d+)?(ms|µs|s| s)\b|[0-9.]+ [KMG]?i?B/s`)

// Every command gives the same output and exit code for a bucket of an S3 server and for one in a folder.
func TestBucketsBehaveAlike(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, content := range map[string]string{"small": "content\n", "empty": "", "text": strings.Repeat("All things that are, are one.\n\n", 600)} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	endpoint := bucketServer(t)
	run := func(command, at string, environ ...string) string {
		flags := "--endpoint " + at + " --bucket alike"
		if len(environ) > 0 {
			flags += " --access-key writer"
		}
		command = strings.NewReplacer("BUCKET-NAME", "alike", "NO-BUCKET", strings.Replace(flags, "alike", "none", 1), "BUCKET", flags, "ENDPOINT", "--endpoint "+at).Replace(command)
		var out, errs bytes.Buffer
		code := stub().Run(t.Context(), strings.Fields(command), Std{In: strings.NewReader(""), Out: &out, Err: &errs, Environ: environ})
		got, err := os.ReadFile("got")
		if err != nil {
			got = nil
		}
		return varying.ReplaceAllString(fmt.Sprintf("exit %d\n%s\n%s\ngot %q", code, &out, &errs, got), "...")
	}
	for _, command := range bucketCommands {
		clear := func() {
			for _, name := range []string{"got", "key", "hollow"} {
				os.Remove(name)
			}
		}
		remote := run(command, endpoint, "TEMPLAR_STORE_SECRET=secret", "R2_DATASET_WRITE_ACCESS_KEY_ID=writer", "R2_DATASET_WRITE_SECRET_ACCESS_KEY=secret")
		clear()
		local := run(command, "file://"+filepath.Join(dir, "folder"))
		clear()
		if remote != local {
			t.Errorf("%s\n-- S3 server:\n%s\n-- folder:\n%s", command, remote, local)
		}
	}
}

// bucketServer serves a bucket "alike" until the test ends.
func bucketServer(t *testing.T) (endpoint string) {
	t.Helper()
	s, err := server.Open(server.Config{Dir: t.TempDir(), Keys: []server.Key{{AccessKey: "writer", Secret: "secret", Admin: true}}})
	if err == nil {
		err = s.CreateBucket("alike")
	}
	l, bad := net.Listen("tcp", "127.0.0.1:0")
	if err != nil || bad != nil {
		t.Fatal(err, bad)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}
