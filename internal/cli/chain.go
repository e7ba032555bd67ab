package cli

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/chain/cometbft"
	"templar/internal/config"
)

func chainGroup(std Std) *cobra.Command {
	cmd := group("chain", "Run a node of the chain, and ask it", "Commands for the chain that the program carries: its blocks are the clock of a run, and it\nholds registrations, stake, commitments and weights.")
	cmd.AddCommand(chainInit(), chainKey(), chainJoin(), chainStart(std), chainStatus(),
		chainRegister(), chainStake("stake"), chainStake("unstake"), chainWeights(), chainParams(),
		chainQuery("head", "Print the newest block", queryHead),
		chainQuery("metagraph", "Print the neurons: who is registered, with which stake and incentive", queryMetagraph),
		chainQuery("commitments", "Print where each neuron says that its bucket is", queryCommitments))
	return cmd
}

func chainStart(std Std) *cobra.Command {
	var c cometbft.Config
	cmd := &cobra.Command{
		Use: "start", Short: "Run a chain node",
		Long:    "Run a chain node from a folder that \"templar chain init\" or \"templar localnet prepare\" wrote.\nOne process at a time may use the folder.",
		Example: "  templar chain start --home templar-localnet/chain --rpc 127.0.0.1:26657 --block-time 500ms",
		Args:    noArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&c.Home, "home", "", "folder of the node")
	f.StringVar(&c.Listen, "rpc", "127.0.0.1:26657", "host:port of the RPC; port 0 takes a free one")
	f.DurationVar(&c.BlockInterval, "block-time", 12*time.Second, "time between blocks, as the run parameters say")
	f.Uint64Var(&c.RetainBlocks, "retain", cometbft.DefaultRetainBlocks, "past blocks to keep")
	f.StringSliceVar(&c.Sync, "sync", nil, "RPC URLs of nodes of the chain: a new node begins with a snapshot, not with block 1")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if c.Home == "" {
			return usagef("--home: missing: name the folder of the node")
		}
		if c.BlockInterval <= 0 {
			return usagef("--block-time: %v is not valid: want a time like 500ms or 12s", c.BlockInterval)
		}
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			return usagef("--rpc: %q is not an address: want host:port", c.Listen)
		}
		log, err := logger(cmd, std)
		if err != nil {
			return err
		}
		c.Logger = log
		n, err := cometbft.New(c)
		if err != nil {
			return err
		}
		log.Info("chain node serves", "endpoint", n.Endpoint(), "block_time", c.BlockInterval)
		return untilInterrupted(cmd.Context(), n.Run(cmd.Context()))
	}
	return cmd
}

// chainCall gives cmd the flags of a chain client and the work to do with it.
func chainCall(cmd *cobra.Command, work query) {
	f := cmd.Flags()
	endpoint := f.String("endpoint", "http://127.0.0.1:26657", "URL of a chain node's RPC")
	netuid := f.Uint16("netuid", config.Default().Chain.NetUID, "subnet")
	verify := f.String("chain.verify", "", "hash of the chain's genesis: check all that the endpoint says (default believe it)")
	timeout := f.Duration("timeout", 30*time.Second, "longest wait for the chain")
	f.Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		genesis, err := config.Chain{Verify: *verify}.Genesis()
		if err != nil {
			return usagef("--chain.verify: %w", err)
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), *timeout)
		defer cancel()
		c, err := cometbft.Dial(ctx, cometbft.Opts{Endpoint: *endpoint, NetUID: *netuid, Verify: genesis})
		if err != nil {
			return err
		}
		defer c.Close()
		return work(ctx, cmd, c)
	}
}

// show prints v for machines with --json, else as people does.
func show(cmd *cobra.Command, v any, people func(out io.Writer)) error {
	if isSet(cmd.Flags(), "json") {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	people(cmd.OutOrStdout())
	return nil
}
