package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"templar/internal/chain"
	"templar/internal/chain/ledger"
	"templar/internal/config"
	"templar/internal/node"
	"templar/internal/wallet"
	"templar/protocol"
)

// submit makes a call with the wallet that the flags name. A call that the chain refused is
// an error.
func submit(cmd *cobra.Command, call func(w *wallet.Wallet) (chain.Receipt, error)) (*wallet.Wallet, chain.Receipt, error) {
	w, err := openWallet(cmd, wallet.Load)
	if err != nil {
		return nil, chain.Receipt{}, err
	}
	r, err := call(w)
	switch {
	case err != nil:
		return w, r, fmt.Errorf("%s %v: %w", cmd.Name(), w, err)
	case r.Status == chain.StatusFailed:
		return w, r, fmt.Errorf("%s %v: the chain refused: %s", cmd.Name(), w, r.Reason)
	}
	return w, r, nil
}

// showReceipt prints an outcome.
func showReceipt(cmd *cobra.Command, r chain.Receipt) error {
	return show(cmd, map[string]uint64{"block": r.Block, "effective_at": r.EffectiveAt}, func(out io.Writer) {
		text := "in effect at"
		if r.Status == chain.StatusPending {
			text = "committed, to be revealed by the chain from"
		}
		fmt.Fprintf(out, "in block %d, %s block %d\n", r.Block, text, r.EffectiveAt)
	})
}

// hotkeyFlag reads an SS58 address, zero when the flag is empty.
func hotkeyFlag(name, value string) (h protocol.Hotkey, err error) {
	if value == "" {
		return h, nil
	}
	if h, err = protocol.ParseHotkey(value); err != nil {
		return h, usagef("--%s: %w: want an SS58 address", name, err)
	}
	return h, nil
}

func chainRegister(b *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "register", Short: "Register a hotkey on the subnet",
		Long: `Register the wallet's hotkey, or, as an authority, another one. The coldkey is the address of
its owner, for information only. On Bittensor a registration costs money: the wallet's coldkey signs
and pays if its file is not encrypted, else the hotkey itself if it has the money; otherwise the
btcli line that does it is printed. Price and balance are shown before.`,
		Example: `  templar chain register --endpoint http://127.0.0.1:26657 --wallet.name alice --wallet.hotkey miner
  templar chain register --subtensor.network finney --wallet.name alice --wallet.hotkey miner --dry-run
  templar chain register --subtensor.network finney --wallet.name alice --wallet.hotkey miner --yes
  templar chain register --wallet.name authority --hotkey 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty`,
		Args: noArgs,
	}
	config.WalletFlags(cmd.Flags())
	other := cmd.Flags().String("hotkey", "", "hotkey to register (default the wallet's)")
	owner := cmd.Flags().String("coldkey", "", "address of the owner")
	yes := cmd.Flags().BoolP("yes", "y", false, "spend the money without asking; required without a terminal (Bittensor)")
	dryRun := cmd.Flags().Bool("dry-run", false, "only show the cost and the paying key (Bittensor)")
	chainCall(cmd, b, func(ctx context.Context, cmd *cobra.Command, c chain.Chain) error {
		if p, ok := c.(priced); ok {
			if *other != "" || *owner != "" {
				return usagef("--hotkey, --coldkey: on Bittensor the wallet's hotkey is registered, and its coldkey owns it")
			}
			return registerPaid(ctx, cmd, p, *yes, *dryRun)
		}
		hotkey, err := hotkeyFlag("hotkey", *other)
		if err != nil {
			return err
		}
		coldkey, err := hotkeyFlag("coldkey", *owner)
		if err != nil {
			return err
		}
		w, receipt, err := submit(cmd, func(w *wallet.Wallet) (chain.Receipt, error) {
			return c.Register(ctx, w, chain.Registration{Hotkey: hotkey, Coldkey: coldkey})
		})
		if err != nil {
			return err
		}
		if hotkey.IsZero() {
			hotkey = w.Hotkey()
		}
		return showRegistered(ctx, cmd, c, hotkey, receipt)
	})
	return cmd
}

// showRegistered shows the neuron that a registration made.
func showRegistered(ctx context.Context, cmd *cobra.Command, c chain.Chain, hotkey protocol.Hotkey, r chain.Receipt) error {
	m, err := c.Metagraph(ctx)
	if err != nil {
		return err
	}
	n, ok := m.ByHotkey(hotkey)
	if !ok {
		return fmt.Errorf("register %v: included in block %d, but not registered: look again in a block", hotkey, r.Block)
	}
	return show(cmd, n, func(out io.Writer) {
		fmt.Fprintf(out, "%v is uid %d since block %d\n", n.Hotkey, n.UID, n.Registered)
	})
}

// chainStake is the command stake or unstake.
func chainStake(use string, b *node.Backends) *cobra.Command {
	short := map[string]string{"stake": "Give stake to a hotkey, as an authority", "unstake": "Take stake from a hotkey: the wallet's own, or any as an authority"}
	cmd := &cobra.Command{
		Use: use, Short: short[use],
		Example: "  templar chain " + use + " --wallet.name authority --hotkey 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty --amount 1000",
		Args:    noArgs,
	}
	config.WalletFlags(cmd.Flags())
	other := cmd.Flags().String("hotkey", "", "whose stake")
	amount := cmd.Flags().Uint64("amount", 0, "how much")
	adminCall(cmd, b, func(ctx context.Context, cmd *cobra.Command, c ownChain) error {
		hotkey, err := hotkeyFlag("hotkey", *other)
		if err != nil {
			return err
		}
		if hotkey.IsZero() || *amount == 0 {
			return usagef("--hotkey and --amount: say whose stake, and how much")
		}
		call := c.Admin().Stake
		if use == "unstake" {
			call = c.Admin().Unstake
		}
		_, r, err := submit(cmd, func(w *wallet.Wallet) (chain.Receipt, error) { return call(ctx, w, hotkey, *amount) })
		if err != nil {
			return err
		}
		return showReceipt(cmd, r)
	})
	return cmd
}

func chainWeights(b *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "weights", Short: "Set weights by hand, as a validator",
		Long:    "Set the wallet's weights, in any scale: they are scaled so that the largest is 65535. A running\nvalidator sets its own and replaces these. A chain may ask that they be committed first: then the\nchain reveals them later, or this command does, and waits for it.",
		Example: "  templar chain weights --wallet.name alice --wallet.hotkey validator --set 3=100,7=50",
		Args:    noArgs,
	}
	config.WalletFlags(cmd.Flags())
	set := cmd.Flags().StringSlice("set", nil, "uid=weight, weights from 0 to 65535")
	reveal := cmd.Flags().Bool("reveal", false, "reveal weights that were committed before, and set none")
	version := cmd.Flags().Uint64("version-key", 0, "version of the validator's rules")
	chainCall(cmd, b, func(ctx context.Context, cmd *cobra.Command, c chain.Chain) error {
		if *reveal {
			return revealOpen(cmd, c)
		}
		weights := chain.Weights{VersionKey: *version}
		for _, pair := range *set {
			uid, value, _ := strings.Cut(pair, "=")
			u, err1 := strconv.ParseUint(uid, 10, 16)
			v, err2 := strconv.ParseUint(value, 10, 16)
			if err1 != nil || err2 != nil {
				return usagef("--set: %q is not valid: want uid=weight, both from 0 to 65535", pair)
			}
			weights.Entries = append(weights.Entries, chain.Weight{UID: protocol.UID(u), Value: uint16(v)})
		}
		if len(weights.Entries) == 0 {
			return usagef("--set: missing: want uid=weight")
		}
		w, r, err := submit(cmd, func(w *wallet.Wallet) (chain.Receipt, error) { return c.SetWeights(ctx, w, weights) })
		if err == nil {
			r, err = settle(cmd, c, w, r)
		}
		if err != nil {
			return err
		}
		return showReceipt(cmd, r)
	})
	return cmd
}

func chainParams(b *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "params", Short: "Print the chain's parameters, or vote to change them",
		Long: `Print the chain's parameters and the authorities' pending votes. With --set, vote as an
authority to change the named parameters and keep the others; they change when more than two
thirds of the authorities vote for the same values. A vote replaces the previous one.`,
		Example: `  templar chain params --json
  templar chain params --wallet.name authority --set tempo=100 --set open_registration=false`,
		Args: noArgs,
	}
	config.WalletFlags(cmd.Flags())
	set := cmd.Flags().StringArray("set", nil, "name=value, the value as JSON")
	adminCall(cmd, b, func(ctx context.Context, cmd *cobra.Command, c ownChain) error {
		p, err := c.Admin().Params(ctx)
		if err != nil {
			return err
		}
		if len(*set) > 0 {
			return vote(ctx, cmd, c, p, *set)
		}
		votes, err := c.Admin().Votes(ctx)
		if err != nil {
			return err
		}
		return showParams(cmd, p, votes)
	})
	return cmd
}

func showParams(cmd *cobra.Command, p ledger.Params, votes map[protocol.Hotkey]ledger.Params) error {
	all := struct {
		Params ledger.Params                     `json:"params"`
		Votes  map[protocol.Hotkey]ledger.Params `json:"votes"`
	}{p, votes}
	if !isSet(cmd.Flags(), "json") && len(votes) == 0 {
		b, err := json.MarshalIndent(p, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), string(b))
		return nil
	}
	e := json.NewEncoder(cmd.OutOrStdout())
	e.SetIndent("", "  ")
	return e.Encode(all)
}

func vote(ctx context.Context, cmd *cobra.Command, c ownChain, p ledger.Params, set []string) error {
	changed, err := changedParams(p, set)
	if err != nil {
		return err
	}
	_, r, err := submit(cmd, func(w *wallet.Wallet) (chain.Receipt, error) { return c.Admin().Vote(ctx, w, changed) })
	if err != nil {
		return err
	}
	return showReceipt(cmd, r)
}

// changedParams applies name=value pairs.
func changedParams(p ledger.Params, set []string) (ledger.Params, error) {
	current, err := p.Encode()
	if err != nil {
		return p, err
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(current, &fields); err != nil {
		return p, err
	}
	for _, pair := range set {
		name, value, _ := strings.Cut(pair, "=")
		if _, ok := fields[name]; !ok || !json.Valid([]byte(value)) {
			return p, usagef("--set: %q is not valid: want a parameter's name, =, and a JSON value; see \"templar chain params\"", pair)
		}
		fields[name] = json.RawMessage(value)
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return p, err
	}
	if p, err = ledger.DecodeParams(b); err != nil {
		return p, usagef("--set: %w", err)
	}
	return p, nil
}
