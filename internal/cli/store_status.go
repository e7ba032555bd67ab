package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/config"
	"templar/internal/node"
	"templar/internal/store"
)

// storePatience is how long a server may take for one answer.
const storePatience = 5 * time.Second

func storeStatus(back *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "Check that a store server answers for its buckets",
		Long: `Ask a server that runs from a store's file for each bucket of the file, with a key of the file
that reads it. It fails when the server does not answer, or refuses a key: a health check for
the machine on which the server runs.`,
		Example: `  templar store status --config store.json --endpoint http://127.0.0.1:9000`,
		Args:    noArgs,
	}
	file := cmd.Flags().String("config", "", "file with the folder, buckets and keys")
	endpoint := cmd.Flags().String("endpoint", "http://127.0.0.1:9000", "http(s)://host[:port] of the server")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *file == "" {
			return usagef("--config: missing: name the store's file, see %q", "templar store serve --help")
		}
		c, err := config.LoadStore(*file)
		if err != nil {
			return usageError{err}
		}
		d := back.Buckets()
		defer d.Close()
		t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		defer t.Flush()
		for _, name := range c.Buckets {
			k := reader(c, name)
			if k == nil {
				fmt.Fprintf(t, "%s\tno key of the file reads it\n", name)
				continue
			}
			b, err := d.Dial(store.Location{Endpoint: strings.TrimSuffix(*endpoint, "/"), Bucket: name, AccessKey: k.ID, Secret: k.Secret})
			if err != nil {
				return usagef("--endpoint: %w", err)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), storePatience)
			_, err = b.List(ctx, "", "", 1)
			cancel()
			if err != nil {
				return fmt.Errorf("bucket %s: %w", name, err)
			}
			fmt.Fprintf(t, "%s\tanswers\n", name)
		}
		return nil
	}
	return cmd
}

// reader is a key that reads a bucket, nil if there is none.
func reader(c config.StoreServer, bucket string) *config.Access {
	for i := range c.Keys {
		for _, g := range c.Keys[i].Key().Grants {
			if g.Bucket == bucket {
				return &c.Keys[i]
			}
		}
		if c.Keys[i].Admin {
			return &c.Keys[i]
		}
	}
	return nil
}
