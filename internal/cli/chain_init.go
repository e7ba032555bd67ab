package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"templar/internal/chain/cometbft"
	"templar/internal/chain/ledger"
	"templar/internal/config"
	"templar/protocol"
)

func chainInit() *cobra.Command {
	cmd := &cobra.Command{
		Use: "init", Short: "Write the folder of a new chain's first node",
		Long: `Write the folder of a new chain's first node: the key that makes blocks, and the genesis.
The genesis comes from a file, or has the values of Bittensor, open registration, and the
authorities named here, hotkeys that may give stake. Doing it again with the same genesis
changes nothing.`,
		Example: `  templar chain init --home chain --chain-id ours --authority 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty
  templar chain init --home chain --genesis genesis.json`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	home := f.String("home", "", "folder to write")
	file := f.String("genesis", "", "file with the genesis (JSON)")
	id := f.String("chain-id", "templar", "name of the chain")
	netuid := f.Uint16("netuid", config.Default().Chain.NetUID, "subnet")
	authorities := f.StringSlice("authority", nil, "hotkeys that may give stake")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *home == "" {
			return usagef("--home: missing: name the folder to write")
		}
		g, err := newGenesis(*file, *id, *netuid, *authorities)
		if err != nil {
			return usageError{err}
		}
		if err := cometbft.Init(*home, g); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "templar chain start --home %q\n", *home)
		return nil
	}
	return cmd
}

func newGenesis(file, id string, netuid uint16, authorities []string) (ledger.Genesis, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return ledger.Genesis{}, fmt.Errorf("--genesis: %w: name a file that you can read", err)
		}
		return ledger.DecodeGenesis(b)
	}
	g := ledger.DefaultGenesis(id)
	g.NetUID = netuid
	for _, a := range authorities {
		h, err := protocol.ParseHotkey(a)
		if err != nil {
			return ledger.Genesis{}, fmt.Errorf("--authority: %w: want an SS58 address, as \"templar wallet show\" prints it", err)
		}
		g.Authorities = append(g.Authorities, h)
	}
	return g, nil
}
