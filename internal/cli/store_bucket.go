package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/node"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/internal/userfile"
	"templar/protocol"
)

// bucketFlags are the flags that choose a command's bucket and keys.
type bucketFlags struct {
	kind, config                         string
	endpoint, region, bucket             string
	key, secretFile, readKey, readSecret string
}

const bucketHelp = `
The bucket and its keys come from a node's configuration file (--config), then from the
environment (R2_GRADIENTS_*, R2_DATASET_*, R2_AGGREGATOR_*, by --bucket-kind), then from
flags; the last one counts. A secret is never given as a flag: name a file that holds it,
or set TEMPLAR_STORE_SECRET for the secret of --access-key. A folder of this machine has no
keys; what writes to it keeps others out meanwhile.`

func (b *bucketFlags) add(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVar(&b.config, "config", "", "a node's configuration file, .json or .yaml")
	f.StringVar(&b.kind, "bucket-kind", "gradients", "which of the node's buckets: gradients, dataset or aggregator")
	f.StringVar(&b.endpoint, "endpoint", "", "http(s)://host[:port] of the store, or file:///directory")
	f.StringVar(&b.bucket, "bucket", "", "name of the bucket")
	f.StringVar(&b.region, "region", "", "region of the store (default auto)")
	f.StringVar(&b.key, "access-key", "", "id of the key to use")
	f.StringVar(&b.secretFile, "secret-file", "", "file with the secret of --access-key")
}

// addRead adds the flags of the second key, for commands that use both.
func (b *bucketFlags) addRead(f *pflag.FlagSet) {
	f.StringVar(&b.readKey, "read-access-key", "", "id of the key that others read with")
	f.StringVar(&b.readSecret, "read-secret-file", "", "file with the secret of --read-access-key")
}

// absent says of an object that is not there, or of a bucket when the key is empty, the same for every kind of store.
func absent(err error, l store.Location, key string) error {
	switch {
	case !errors.Is(err, store.ErrNotFound):
		return err
	case key == "":
		return fmt.Errorf("bucket %q: %w", l.Bucket, store.ErrNotFound)
	}
	return fmt.Errorf("object %q of bucket %q: %w", key, l.Bucket, store.ErrNotFound)
}

// views are one bucket seen with its two keys. A view without an access key is unknown.
type views struct{ read, write store.Location }

// locate combines the settings of file, environment and flags.
func (b *bucketFlags) locate(cmd *cobra.Command, std Std) (views, error) {
	v, err := b.fromNode(cmd, std)
	if err != nil {
		return views{}, err
	}
	if err := b.overlay(&v, std); err != nil {
		return views{}, err
	}
	env := "R2_" + strings.ToUpper(b.kind) + "_"
	switch {
	case v.read.Endpoint == "":
		return views{}, usagef("--endpoint: missing: give it, or --config, or set %sENDPOINT or %[1]sACCOUNT_ID", env)
	case v.read.Bucket == "":
		return views{}, usagef("--bucket: missing: give it, or --config, or set %sBUCKET_NAME", env)
	case !v.canRead() && !v.canWrite():
		return views{}, usagef("--access-key: missing: give it with --secret-file, or --config, or set %sREAD_ACCESS_KEY_ID and %[1]sREAD_SECRET_ACCESS_KEY", env)
	}
	return v, nil
}

// fromNode returns the bucket as a node with that configuration uses it.
func (b *bucketFlags) fromNode(cmd *cobra.Command, std Std) (views, error) {
	sources := config.Sources{File: b.config, Environ: std.Environ}
	log, err := logger(cmd, std)
	if err != nil {
		return views{}, err
	}
	n, warnings, err := config.Load(telemetry.Miner, sources)
	if err != nil {
		return views{}, usageError{err}
	}
	for _, w := range warnings {
		log.Warn(w)
	}
	switch b.kind {
	case "gradients":
		return views{read: n.Buckets.Gradients.Reading(), write: n.Buckets.Gradients.Writing()}, nil
	case "dataset":
		v := views{read: n.Buckets.Dataset.Location(), write: n.Buckets.Dataset.Location()}
		v.write.AccessKey = userfile.Trim(std.getenv("R2_DATASET_WRITE_ACCESS_KEY_ID"))
		v.write.Secret = store.Secret(userfile.Trim(std.getenv("R2_DATASET_WRITE_SECRET_ACCESS_KEY")))
		return v, nil
	case "aggregator":
		owner, _, err := config.Load(telemetry.Aggregator, sources)
		if err != nil {
			return views{}, usageError{err}
		}
		v := views{read: n.Buckets.Aggregator.Location(), write: owner.Buckets.Aggregator.Location()}
		if v.read.AccessKey == v.write.AccessKey { // from the file, which has one key
			if n.Buckets.Gradients.Name == "" {
				v.read.AccessKey, v.read.Secret = "", ""
			} else {
				v.write.AccessKey, v.write.Secret = "", ""
			}
		}
		return v, nil
	}
	return views{}, usagef("--bucket-kind: %q is no kind of bucket: want gradients, dataset or aggregator", b.kind)
}

func (b *bucketFlags) overlay(v *views, std Std) error {
	for _, l := range []*store.Location{&v.read, &v.write} {
		l.Endpoint, l.Bucket, l.Region = cmp.Or(b.endpoint, l.Endpoint), cmp.Or(b.bucket, l.Bucket), cmp.Or(b.region, l.Region)
	}
	switch {
	case b.key == "" && b.secretFile != "":
		return usagef("--secret-file: add --access-key, the id of the key whose secret it holds")
	case b.readKey == "" && b.readSecret != "":
		return usagef("--read-secret-file: add --read-access-key, the id of the key whose secret it holds")
	}
	if b.key != "" {
		secret, err := secretOf("--secret-file", b.secretFile, std.getenv("TEMPLAR_STORE_SECRET"))
		if err != nil {
			return err
		}
		v.write.AccessKey, v.write.Secret = b.key, secret
		v.read.AccessKey, v.read.Secret = "", ""
	}
	if b.readKey != "" {
		secret, err := secretOf("--read-secret-file", b.readSecret, "")
		if err != nil {
			return err
		}
		v.read.AccessKey, v.read.Secret = b.readKey, secret
	}
	return nil
}

// secretOf reads a secret from a file; without one it returns the alternative.
func secretOf(flag, file, alternative string) (store.Secret, error) {
	if file == "" {
		if alternative == "" {
			return "", usagef("%s: missing: name the file that holds the key's secret", flag)
		}
		return store.Secret(userfile.Trim(alternative)), nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", usagef("%s: %w", flag, err)
	}
	secret := userfile.Trim(string(b))
	if secret == "" || strings.ContainsAny(secret, " \t\r\n") {
		return "", usagef("%s: %s: want a file that holds a secret and nothing else", flag, file)
	}
	return store.Secret(secret), nil
}

// canRead says whether there is a key to read with, or a directory, which has no keys.
func (v views) canRead() bool { return opens(v.read) }

// canWrite says whether there is a key to write with.
func (v views) canWrite() bool { return opens(v.write) }

func opens(l store.Location) bool {
	_, local := protocol.LocalStore(l.Endpoint)
	return local || l.AccessKey != ""
}

// reading is the view to read with.
func (v views) reading() store.Location {
	if v.canRead() {
		return v.read
	}
	return v.write
}

// writing is the view to write with.
func (v views) writing() (store.Location, error) {
	if !v.canWrite() {
		return store.Location{}, usagef("--access-key: missing: only a key that reads is known")
	}
	return v.write, nil
}

// withBucket opens a bucket to read, with retries, for as long as f runs.
func withBucket(back *node.Backends, l store.Location, f func(store.Bucket) error) error {
	d := back.Buckets()
	defer d.Close()
	b, err := d.Dial(l)
	if err != nil {
		return usageError{err}
	}
	return f(store.Retry(b, store.RetryPolicy{}, clock.Wall{}))
}

// withOwnBucket opens a bucket to write, with retries, for as long as f runs.
func withOwnBucket(back *node.Backends, l store.Location, f func(store.Bucket) error) error {
	d := back.Buckets()
	defer d.Close()
	b, release, err := d.DialOwn(l)
	if err != nil {
		return usageError{err}
	}
	defer release()
	return f(store.Retry(b, store.RetryPolicy{}, clock.Wall{}))
}

// goesOn prints how to continue a transfer that was interrupted.
func goesOn(ctx context.Context, w io.Writer, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(w, "templar: run the same command again to continue")
	}
	return err
}
