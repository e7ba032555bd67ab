package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"templar/internal/config"
	"templar/internal/store"
)

func storeInit() *cobra.Command {
	cmd := &cobra.Command{
		Use: "init BUCKET...", Short: "Write the file of an S3 server, or add buckets to it",
		Long: `Write the file that "templar store serve" reads, with the buckets named and two random keys for
each: BUCKET-read and BUCKET-write. If the file exists, the buckets that it lacks are added, and
nothing else changes; a server that runs serves them after a restart. "templar store keys" prints
the keys in the form in which nodes read them.`,
		Example: `  templar store init dataset aggregator validator miner
  templar store init alice --config store.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name the buckets, like dataset aggregator alice")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	file := f.String("config", "store.json", "file to write")
	dir := f.String("dir", "objects", "folder of the objects, in a new file")
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		for _, name := range names {
			if err := store.CheckBucketName(name); err != nil {
				return usageError{err}
			}
		}
		s := config.StoreServer{Dir: *dir}
		if _, err := os.Lstat(*file); err == nil {
			if s, err = config.LoadStore(*file); err != nil {
				return usageError{err}
			}
			if cmd.Flags().Changed("dir") && s.Dir != *dir {
				return usagef("--dir: %s names the folder %s: leave the flag out", *file, s.Dir)
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		var added []string
		for _, name := range names {
			if slices.Contains(s.Buckets, name) {
				continue
			}
			s.Buckets, added = append(s.Buckets, name), append(added, name)
			s.Keys = append(s.Keys,
				config.Access{ID: name + "-read", Secret: store.Secret(rand.Text()), Read: []string{name}},
				config.Access{ID: name + "-write", Secret: store.Secret(rand.Text()), Write: []string{name}})
		}
		if len(added) == 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s has these buckets: nothing was changed\n", *file)
			return nil
		}
		if err := config.SaveStore(*file, s); err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s with the buckets %s\n", *file, strings.Join(added, ", "))
		return nil
	}
	return cmd
}

func storeKeys() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys BUCKET", Short: "Print a bucket's address and keys, for the configuration of a node",
		Long: `Print the address and the keys of a bucket of "templar store serve" as the environment variables that
nodes and "templar init" read. --as says what the bucket is to the node: "gradients", its own bucket,
with the key that it writes with; "dataset" or "aggregator", with the key that reads, and with
--write the one that writes, which only the run's owner or an aggregator needs.

What is printed is secret, but for read keys of the dataset and aggregator buckets, which the run's
owner publishes.`,
		Example: `  templar store keys miner --url http://192.0.2.1:9000 --as gradients > miner.env
  templar store keys dataset --url http://192.0.2.1:9000 --as dataset > run.env`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("name one bucket")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	file := f.String("config", "store.json", "the server's file")
	address := f.String("url", "", "address of the server as nodes reach it: http(s)://host[:port]")
	as := f.String("as", "gradients", "what the bucket is to the node: gradients, dataset or aggregator")
	write := f.Bool("write", false, "the key that writes, of a dataset or aggregator bucket")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if u, err := url.Parse(*address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" {
			return usagef("--url: %q is not an address: want http(s)://host[:port], as nodes reach the server", *address)
		}
		if !slices.Contains([]string{"gradients", "dataset", "aggregator"}, *as) {
			return usagef("--as: %q is no kind of bucket: want gradients, dataset or aggregator", *as)
		}
		s, err := config.LoadStore(*file)
		if err != nil {
			return usageError{err}
		}
		env := "R2_" + strings.ToUpper(*as) + "_"
		lines := fmt.Sprintf("%[1]sENDPOINT=%[2]s\n%[1]sBUCKET_NAME=%[3]s\n", env, *address, args[0])
		for _, right := range []string{"READ", "WRITE"} {
			if right == "WRITE" && *as != "gradients" && !*write {
				continue
			}
			key, ok := keyOf(s, args[0], right == "WRITE")
			if !ok {
				return usagef("%s has no %s key of the bucket %q alone: \"templar store init %[3]s\" adds a bucket with keys", *file, strings.ToLower(right), args[0])
			}
			lines += fmt.Sprintf("%[1]s%[2]s_ACCESS_KEY_ID=%[3]s\n%[1]s%[2]s_SECRET_ACCESS_KEY=%[4]s\n", env, right, key.ID, key.Secret.Reveal())
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), lines)
		return err
	}
	return cmd
}

// keyOf is the key that has one right to one bucket, and no other.
func keyOf(s config.StoreServer, bucket string, write bool) (config.Access, bool) {
	for _, k := range s.Keys {
		rights, others := k.Read, k.Write
		if write {
			rights, others = k.Write, k.Read
		}
		if !k.Admin && len(rights) == 1 && rights[0] == bucket && len(others) == 0 {
			return k, true
		}
	}
	return config.Access{}, false
}
