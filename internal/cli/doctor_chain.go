package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/chain"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/node"
)

// withClocks adds a comparison of this machine's clock with those of a chain and a store to a
// command. These clocks decide whether an upload counts.
func withClocks(cmd *cobra.Command, b *node.Backends) *cobra.Command {
	chainURL := cmd.Flags().String("chain", "", "URL of a chain node's RPC, or a network of Bittensor's: compare its clock")
	storeURL := cmd.Flags().String("store", "", "URL of an object store: compare its clock")
	before := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := before(cmd, args); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
		defer cancel()
		ahead := map[string]time.Duration{}
		for name, measure := range map[string]func() (time.Duration, error){
			"chain": func() (time.Duration, error) { return chainSkew(ctx, b, *chainURL) },
			"store": func() (time.Duration, error) { return storeSkew(ctx, *storeURL) },
		} {
			if cmd.Flags().Lookup(name).Value.String() == "" {
				continue
			}
			d, err := measure()
			if err != nil {
				return err
			}
			ahead[name] = d
			fmt.Fprintf(cmd.OutOrStdout(), "clock     %v ahead of the %s's\n", d.Round(time.Millisecond), name)
		}
		for _, f := range chain.SkewFaults(ahead, skewSlack) {
			fmt.Fprintf(cmd.OutOrStdout(), "warning   %s\n", f)
		}
		return nil
	}
	return cmd
}

func chainSkew(ctx context.Context, b *node.Backends, url string) (time.Duration, error) {
	named, err := config.Chain{Endpoint: url}.Resolve(true)
	if err != nil {
		return 0, usagef("--chain: %w", err)
	}
	if err := node.Refused(ctx, named.Endpoint); err != nil {
		return 0, fmt.Errorf("chain's clock: %w", err)
	}
	c, err := b.Chain(ctx, named, clock.Wall{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return chain.Skew(ctx, c, clock.Wall{})
}

// storeSkew uses the Date header of a response. It has whole seconds: half of one is added.
func storeSkew(ctx context.Context, url string) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return 0, usagef("--store: %w", err)
	}
	begin := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("store's clock: %w", err)
	}
	defer resp.Body.Close()
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, fmt.Errorf("store's clock: no valid Date in its response: %w", err)
	}
	middle := begin.Add(time.Since(begin) / 2)
	return middle.Sub(date.Add(500 * time.Millisecond)), nil
}
