package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/chain"
	"templar/internal/chain/cometbft"
	"templar/internal/clock"
	"templar/internal/node"
)

// skewSlack is the tolerated difference between the clocks of chain, store and node.
const skewSlack = 2 * time.Second

// chainHealth is a node's status and the skew of this machine's clock.
type chainHealth struct {
	cometbft.Status
	ClockAhead time.Duration `json:"clock_ahead_ns"`
	Warnings   []string      `json:"warnings"`
}

func chainStatus(b *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "Check the health of a chain node and this machine's clock",
		Long:    "Check the health of a chain node: its height, its peers, whether it receives blocks; and the\ndifference of this machine's clock from the chain's, for which it waits for a block. It fails\nwhen the node is unhealthy.",
		Example: "  templar chain status --endpoint http://127.0.0.1:26657\n  templar chain status --json",
		Args:    noArgs,
	}
	chainCall(cmd, b, func(ctx context.Context, cmd *cobra.Command, any chain.Chain) error {
		if f, ok := any.(connected); ok {
			return statusOf(ctx, cmd, f)
		}
		c, ok := any.(ownChain)
		if !ok {
			return usagef("--backend: this kind of chain does not report its status")
		}
		s, err := c.Admin().Status(ctx)
		if err != nil {
			return err
		}
		h := chainHealth{Status: s, Warnings: []string{}}
		fault := s.Fault()
		if fault == nil {
			if h.ClockAhead, err = chain.Skew(ctx, c, clock.Wall{}); err != nil {
				return err
			}
			h.Warnings = append(h.Warnings, chain.SkewFaults(map[string]time.Duration{"chain": h.ClockAhead}, skewSlack)...)
		}
		if err := show(cmd, h, func(out io.Writer) { printHealth(out, h) }); err != nil {
			return err
		}
		return fault
	})
	return cmd
}

func printHealth(out io.Writer, h chainHealth) {
	role := "follower"
	if h.Authority {
		role = "authority"
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "chain\t%s\n", h.ChainID)
	fmt.Fprintf(table, "genesis\t%v\n", h.Genesis)
	fmt.Fprintf(table, "node\t%s, %s, key %s\n", h.Node, role, h.Key)
	fmt.Fprintf(table, "peers\t%d, %d authorities in all\n", h.Peers, h.Authorities)
	fmt.Fprintf(table, "block\t%d, %s\n", h.Height, h.Time.UTC().Format(time.RFC3339))
	fmt.Fprintf(table, "clock\t%v ahead of the chain's\n", h.ClockAhead.Round(time.Millisecond))
	for _, w := range h.Warnings {
		fmt.Fprintf(table, "warning\t%s\n", w)
	}
	table.Flush()
}
