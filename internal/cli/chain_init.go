package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"templar/internal/chain/cometbft"
	"templar/internal/chain/ledger"
	"templar/internal/config"
	"templar/internal/userfile"
	"templar/protocol"
)

func chainInit() *cobra.Command {
	cmd := &cobra.Command{
		Use: "init", Short: "Create a chain: write its genesis and the folders of its first nodes",
		Long: `Create a chain: write its genesis, and the folder of its first node, or of all its
authorities, the nodes that make blocks. The genesis comes from a file, or has the values of
Bittensor, open registration, and the hotkeys named here, which may give stake and change
parameters. Running it again with the same genesis changes nothing.

A chain of one authority needs no more. With --listen, one folder is made for each address,
<home>/0 and so on, to be moved to their machines. Strangers keep their keys to themselves:
each operator sends the output of "templar chain key" to the operator that runs init with
--with, gets the genesis file back, and runs "templar chain join".`,
		Example: `  templar chain init --home chain --chain-id ours --authority 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty
  templar chain init --home chain --founder 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty=1000 --set tempo=100
  templar chain init --home net --listen 10.0.0.1:26656,10.0.0.2:26656,10.0.0.3:26656,10.0.0.4:26656
  templar chain init --home chain --genesis genesis.json`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	home := f.String("home", "", "folder to write")
	file := f.String("genesis", "", "file with the ledger's genesis (JSON)")
	id := f.String("chain-id", "templar", "name of the chain")
	netuid := f.Uint16("netuid", config.Default().Chain.NetUID, "subnet")
	hotkeys := f.StringSlice("authority", nil, "hotkeys that may give stake and change parameters")
	founders := f.StringSlice("founder", nil, "hotkeys that are registered from block 0 on, HOTKEY or HOTKEY=STAKE: with stake they are validators at once")
	set := f.StringArray("set", nil, "another value of a chain parameter, name=value; \"templar chain params\" prints them; may be repeated")
	listen := f.StringSlice("listen", nil, "host:port at which the authorities reach each other")
	with := f.StringSlice("with", nil, "keys that make blocks beside this folder's, from \"templar chain key\"")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case *home == "":
			return usagef("--home: missing: name the folder to write")
		case len(*listen) > 0 && len(*with) > 0:
			return usagef("--listen makes all keys itself: leave --with out, or each authority makes its own")
		}
		g, err := newGenesis(*file, *id, *netuid, *hotkeys)
		if err == nil {
			err = found(&g, *founders, *set)
		}
		if err != nil {
			return usageError{err}
		}
		if len(*listen) > 0 {
			return initNetwork(cmd, *home, *listen, g)
		}
		keys := *with
		if len(keys) > 0 {
			if err := cometbft.CheckAuthorities(keys); err != nil {
				return usagef("--with: %w", err)
			}
			own, err := cometbft.Keys(*home)
			if err != nil {
				return err
			}
			keys = append(keys, own.Authority)
		}
		if err := cometbft.Init(*home, g, keys...); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "templar chain start --home %q\n", *home)
		return nil
	}
	return cmd
}

// found adds founders and parameters to a genesis.
func found(g *ledger.Genesis, founders, set []string) (err error) {
	for _, f := range founders {
		hotkey, stake, given := strings.Cut(f, "=")
		n := ledger.Founder{}
		if n.Hotkey, err = protocol.ParseHotkey(hotkey); err != nil {
			return fmt.Errorf("--founder: %w: want an SS58 address, as \"templar wallet show\" prints it", err)
		}
		if given {
			if n.Stake, err = strconv.ParseUint(stake, 10, 63); err != nil {
				return fmt.Errorf("--founder: %q is not a stake: want a whole number", stake)
			}
		}
		g.Founders = append(g.Founders, n)
	}
	g.Params, err = changedParams(g.Params, set)
	return err
}

func initNetwork(cmd *cobra.Command, home string, listen []string, g ledger.Genesis) error {
	homes := make([]string, len(listen))
	for i := range listen {
		homes[i] = filepath.Join(home, strconv.Itoa(i))
	}
	if err := cometbft.InitNetwork(homes, listen, 0, g); err != nil {
		return usageIfInvalid(err)
	}
	for i, h := range homes {
		fmt.Fprintf(cmd.OutOrStdout(), "templar chain start --home %q --rpc 127.0.0.1:%d\n", h, 26657+10*i)
	}
	return nil
}

// usageIfInvalid says that the input was wrong, if it was.
func usageIfInvalid(err error) error {
	if invalid := (*cometbft.InvalidError)(nil); errors.As(err, &invalid) {
		return usageError{err}
	}
	return err
}

func chainKey() *cobra.Command {
	cmd := &cobra.Command{
		Use: "key", Short: "Print the public keys of a node, creating them if needed",
		Long: `Print the key with which a node makes blocks, if the genesis names it, and the id under which
its peers know it. The keys are created if the folder has none. Nothing printed is secret.`,
		Example: `  templar chain key --home chain
  templar chain key --home chain --json`,
		Args: noArgs,
	}
	home := cmd.Flags().String("home", "", "folder of the node")
	cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *home == "" {
			return usagef("--home: missing: name the folder of the node")
		}
		id, err := cometbft.Keys(*home)
		if err != nil {
			return err
		}
		return show(cmd, id, func(out io.Writer) {
			fmt.Fprintf(out, "authority %s\nnode      %s\n", id.Authority, id.Node)
		})
	}
	return cmd
}

func chainJoin() *cobra.Command {
	var n cometbft.Network
	cmd := &cobra.Command{
		Use: "join", Short: "Write the folder of a node that joins a chain",
		Long: `Write the folder of a node that joins a chain, from the genesis file that the chain's other
nodes have (config/genesis.json in their folders). It makes blocks if the genesis names its
key, see "templar chain key"; otherwise it follows the chain and serves clients.`,
		Example: `  templar chain join --home chain --genesis genesis.json --listen 10.0.0.5:26656 --peers 8d3f...@10.0.0.1:26656
  templar chain start --home chain --sync http://10.0.0.1:26657`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	home := f.String("home", "", "folder to write")
	file := f.String("genesis", "", "the chain's genesis file")
	f.StringVar(&n.Listen, "listen", "0.0.0.0:26656", "host:port for other nodes")
	f.StringVar(&n.External, "external", "", "host:port as other nodes see it (default as --listen)")
	f.StringSliceVar(&n.Peers, "peers", nil, "nodes to connect to, id@host:port")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *home == "" || *file == "" {
			return usagef("--home and --genesis: name the folder to write, and the chain's genesis file")
		}
		genesis, err := readGenesis(*file)
		if err != nil {
			return usageError{err}
		}
		if err := cometbft.Join(*home, genesis, n); err != nil {
			return usageIfInvalid(err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "templar chain start --home %q\n", *home)
		return nil
	}
	return cmd
}

func readGenesis(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--genesis: %w: name a file that you can read", err)
	}
	if b, err = userfile.JSON(b); err != nil {
		return nil, fmt.Errorf("--genesis: %s %w", file, err)
	}
	return b, nil
}

func newGenesis(file, id string, netuid uint16, authorities []string) (ledger.Genesis, error) {
	if file != "" {
		b, err := readGenesis(file)
		if err != nil {
			return ledger.Genesis{}, err
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
