package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/chain"
	"templar/internal/directory"
	"templar/internal/node"
	"templar/protocol"
)

// query is a command that prints the result of one chain query.
type query func(ctx context.Context, cmd *cobra.Command, c chain.Chain) error

func chainQuery(b *node.Backends, use, short string, q query) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: noArgs,
		Example: fmt.Sprintf("  templar chain %s --endpoint http://127.0.0.1:26657\n  templar chain %[1]s --json", use),
	}
	chainCall(cmd, b, q)
	return cmd
}

func queryHead(ctx context.Context, cmd *cobra.Command, c chain.Chain) error {
	b, err := c.Head(ctx)
	if err != nil {
		return err
	}
	return show(cmd, b, func(out io.Writer) {
		fmt.Fprintf(out, "block %d, %s, %v\n", b.Number, b.Time.UTC().Format(time.RFC3339), b.Hash)
	})
}

func queryMetagraph(ctx context.Context, cmd *cobra.Command, c chain.Chain) error {
	m, err := c.Metagraph(ctx)
	if err != nil {
		return err
	}
	return show(cmd, m, func(out io.Writer) {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "UID\tHOTKEY\tSTAKE\tINCENTIVE\tDIVIDENDS\tPERMIT\tUPDATED")
		for _, n := range m.Neurons {
			fmt.Fprintf(table, "%d\t%v\t%d\t%.4f\t%.4f\t%v\t%d\n", n.UID, n.Hotkey, n.Stake, share(n.Incentive), share(n.Dividends), n.Permit, n.LastUpdate)
		}
		table.Flush()
	})
}

func share(v uint16) float64 { return float64(v) / 65535 }

// committed is a commitment as it is printed. The read secret is public on the chain, but it is
// not shown.
type committed struct {
	Hotkey    protocol.Hotkey `json:"hotkey"`
	Block     uint64          `json:"block"`
	Role      string          `json:"role,omitempty"`
	Endpoint  string          `json:"endpoint,omitempty"`
	Bucket    string          `json:"bucket,omitempty"`
	AccessKey string          `json:"access_key,omitempty"`
	Fault     string          `json:"fault,omitempty"` // why the data is not a valid commitment of a bucket
}

func queryCommitments(ctx context.Context, cmd *cobra.Command, c chain.Chain) error {
	list, err := c.Commitments(ctx)
	if err != nil {
		return err
	}
	shown := make([]committed, len(list))
	for i, raw := range list {
		shown[i] = committed{Hotkey: raw.Hotkey, Block: raw.Block}
		d, err := directory.DecodeCommitment(raw.Data)
		if err != nil {
			shown[i].Fault = err.Error()
			continue
		}
		shown[i].Role, shown[i].Endpoint = string(d.Role), d.Location.Endpoint
		shown[i].Bucket, shown[i].AccessKey = d.Location.Bucket, d.Location.AccessKey
	}
	return show(cmd, shown, func(out io.Writer) {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "HOTKEY\tBLOCK\tROLE\tENDPOINT\tBUCKET")
		for _, s := range shown {
			if s.Fault != "" {
				fmt.Fprintf(table, "%v\t%d\t\t%q\t\n", s.Hotkey, s.Block, s.Fault)
				continue
			}
			// Quoted: any neuron may commit anything, control characters included.
			fmt.Fprintf(table, "%v\t%d\t%s\t%q\t%q\n", s.Hotkey, s.Block, s.Role, s.Endpoint, s.Bucket)
		}
		table.Flush()
	})
}
