package cli

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"templar/internal/config"
	"templar/internal/wallet"
)

func walletGroup() *cobra.Command {
	cmd := group("wallet", "Make and show hotkeys",
		"A node's identity is a hotkey: a key pair in <wallet.path>/<wallet.name>/hotkeys/<wallet.hotkey>,\nin Bittensor's format. No command prints the secret half.")
	cmd.Example = `  templar wallet new --wallet.name alice --wallet.hotkey miner
  templar wallet show --wallet.name alice --wallet.hotkey miner`
	cmd.AddCommand(
		walletCommand("new", "Draw a hotkey and write its key file", wallet.Create),
		walletCommand("show", "Print a hotkey's address", wallet.Load),
	)
	return cmd
}

func walletCommand(use, short string, open func(path, name, hotkey string) (*wallet.Wallet, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: noArgs,
		Example: "  templar wallet " + use + " --wallet.name alice --wallet.hotkey miner",
	}
	config.WalletFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		w, err := openWallet(cmd, open)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), w)
		return nil
	}
	return cmd
}

// openWallet applies open to the wallet that the flags name.
func openWallet(cmd *cobra.Command, open func(path, name, hotkey string) (*wallet.Wallet, error)) (*wallet.Wallet, error) {
	flag := func(name string) string { return cmd.Flags().Lookup("wallet." + name).Value.String() }
	w, err := open(flag("path"), flag("name"), flag("hotkey"))
	switch {
	case errors.Is(err, wallet.ErrExists):
		return nil, fmt.Errorf("%w: choose another --wallet.hotkey, it is never overwritten", err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: make it with \"templar wallet new\"", err)
	}
	return w, err
}
