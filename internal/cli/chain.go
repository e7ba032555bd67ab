package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/admit"
	"templar/internal/chain"
	"templar/internal/chain/cometbft"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/node"
	"templar/internal/userfile"
)

func chainGroup(std Std, b *node.Backends) *cobra.Command {
	cmd := group("chain", "Run and query a node of the chain", "Commands for the built-in chain: its blocks are the clock of a run, and it holds registrations,\nstake, commitments and weights.")
	cmd.AddCommand(chainInit(), chainKey(), chainJoin(), chainStart(std), chainStatus(b),
		chainRegister(b), chainCommit(b), chainStake("stake", b), chainStake("unstake", b), chainWeights(b), chainParams(b),
		chainQuery(b, "head", "Print the newest block", queryHead),
		chainQuery(b, "metagraph", "Print the registered neurons, their stake and incentive", queryMetagraph),
		chainQuery(b, "commitments", "Print the bucket that each neuron committed", queryCommitments))
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
	f.DurationVar(&c.BlockInterval, "block-time", 0, "time between blocks, as the run parameters say (default what the folder says, or 12s)")
	f.Uint64Var(&c.RetainBlocks, "retain", cometbft.DefaultRetainBlocks, "past blocks to keep")
	f.StringSliceVar(&c.Sync, "sync", nil, "RPC URLs of nodes of the chain: a new node begins with a snapshot, not with block 1")
	proxies := f.StringSlice("proxy", nil, "address or prefix of a reverse proxy in front of the RPC, whose X-Forwarded-For names the client: limits are by client")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if c.Home == "" {
			return usagef("--home: missing: name the folder of the node")
		}
		if c.BlockInterval < 0 || c.BlockInterval == 0 && f.Changed("block-time") {
			return usagef("--block-time: %v is not valid: want a time like 500ms or 12s", c.BlockInterval)
		}
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			return usagef("--rpc: %q is not an address: want host:port", c.Listen)
		}
		if c.Proxies, err = admit.ParseProxies(*proxies); err != nil {
			return usagef("--proxy: %w", err)
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
		log.Info("chain node serves", "endpoint", n.Endpoint(), "block_time", n.BlockInterval())
		return untilInterrupted(cmd.Context(), n.Run(cmd.Context()))
	}
	return cmd
}

// chainCall gives cmd the flags of a chain client and the work to do with it.
func chainCall(cmd *cobra.Command, b *node.Backends, work query) {
	f := cmd.Flags()
	c := config.Default().Chain
	f.StringVar(&c.Endpoint, "endpoint", ownEndpoint, "URL of a chain node's RPC: http://, or ws:// and wss:// of Bittensor's, with commas between several")
	f.StringVar(&c.Endpoint, "subtensor.chain_endpoint", ownEndpoint, "the same")
	f.StringVar(&c.Network, "subtensor.network", "", "network of Bittensor's: finney, test, archive, local or a URL")
	f.StringVar(&c.Backend, "backend", c.Backend, "kind of the chain: cometbft or bittensor (default by the endpoint)")
	f.StringVar(&c.State, "chain.state", "~/.templar/chain", "folder for weights that are committed and still to be revealed")
	f.Uint16Var(&c.NetUID, "netuid", c.NetUID, "subnet")
	f.StringVar(&c.Verify, "chain.verify", "", "hash of the chain's genesis: verify the endpoint's answers (default trust them)")
	timeout := f.Duration("timeout", 0, "longest wait for the chain (default 30s, on Bittensor 5m)")
	f.Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := chainOf(cmd, c)
		if err != nil {
			return err
		}
		wait := *timeout
		if wait == 0 {
			wait = 30 * time.Second
			if c.Kind() == config.Bittensor { // a call is in a final block after three or four
				wait = 5 * time.Minute
			}
		}
		if _, err := c.Genesis(); err != nil {
			return usagef("--chain.verify: %w", err)
		}
		if !slices.Contains(b.Build().Chains, c.Kind()) {
			return usagef("--backend: %q is not in this build (it has: %s)", c.Kind(), strings.Join(b.Build().Chains, ", "))
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), wait)
		defer cancel()
		slow := time.AfterFunc(2*time.Second, func() {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s does not answer yet: waiting for at most %v\n", c.Endpoint, wait)
		})
		conn, err := b.Chain(ctx, c, clock.Wall{}, slog.New(slog.DiscardHandler))
		slow.Stop()
		if err != nil {
			return err
		}
		defer conn.Close()
		return work(ctx, cmd, conn)
	}
}

const ownEndpoint = "http://127.0.0.1:26657"

// chainOf completes what the flags say of the chain: a network's name stands for its
// endpoint and subnet unless they are given.
func chainOf(cmd *cobra.Command, c config.Chain) (config.Chain, error) {
	f := cmd.Flags()
	if c.Network != "" && !f.Changed("endpoint") && !f.Changed("subtensor.chain_endpoint") {
		c.Endpoint = ""
	}
	c, err := c.Resolve(f.Changed("netuid"))
	if err != nil {
		return c, usagef("--subtensor.network: %w", err)
	}
	if c.State, err = userfile.Expand(c.State); err != nil {
		return c, usagef("--chain.state: %w", err)
	}
	return c, nil
}

// ownChain is the chain that this program runs: it has administration commands that other
// chains do not have.
type ownChain interface {
	chain.Chain
	Admin() cometbft.Admin
}

// adminCall is chainCall for commands of our own chain only.
func adminCall(cmd *cobra.Command, b *node.Backends, work func(context.Context, *cobra.Command, ownChain) error) {
	chainCall(cmd, b, func(ctx context.Context, cmd *cobra.Command, c chain.Chain) error {
		own, ok := c.(ownChain)
		if !ok {
			return usagef("--backend: this kind of chain has no %q: use the tools that come with it", cmd.Name())
		}
		return work(ctx, cmd, own)
	})
}

// show prints v as JSON with --json, otherwise with people.
func show(cmd *cobra.Command, v any, people func(out io.Writer)) error {
	if isSet(cmd.Flags(), "json") {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	people(cmd.OutOrStdout())
	return nil
}
