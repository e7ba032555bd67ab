package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"templar/internal/config"
	"templar/internal/wallet"
	"templar/protocol"
)

func walletGroup() *cobra.Command {
	cmd := group("wallet", "Make and show hotkeys",
		"A node's identity is a hotkey: a key pair in <wallet.path>/<wallet.name>/hotkeys/<wallet.hotkey>,\nin Bittensor's format. Nothing secret is printed unless asked for.")
	cmd.Example = `  templar wallet new --wallet.name alice --wallet.hotkey miner
  templar wallet show --wallet.name alice --wallet.hotkey miner`
	cmd.AddCommand(walletNew(), walletList(), walletShow(), walletSign(), walletVerify())
	return cmd
}

func walletCommand(use, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: noArgs,
		Example: "  templar wallet " + use + " --wallet.name alice --wallet.hotkey miner",
	}
	config.WalletFlags(cmd.Flags())
	return cmd
}

func walletNew() *cobra.Command {
	cmd := walletCommand("new", "Generate a hotkey and write its key file")
	cmd.Long = "Generate a hotkey and write its key file, which holds its mnemonic too. With --mnemonic, the hotkey\nis that of the twelve words on standard input."
	cmd.Example += "\n  templar wallet new --wallet.hotkey miner --mnemonic < words.txt"
	given := cmd.Flags().Bool("mnemonic", false, "read the mnemonic from standard input")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		open := wallet.Create
		if *given {
			phrase, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 4<<10))
			if err != nil {
				return err
			}
			open = func(path, name, hotkey string) (*wallet.Wallet, error) {
				return wallet.Import(path, name, hotkey, strings.TrimSpace(string(phrase)))
			}
		}
		w, err := openWallet(cmd, open)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), w)
		return nil
	}
	return cmd
}

func walletShow() *cobra.Command {
	cmd := walletCommand("show", "Print a hotkey's address")
	secret := cmd.Flags().Bool("mnemonic", false, "print the mnemonic too: it is enough to restore the key")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		w, err := openWallet(cmd, wallet.Load)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), w)
		if *secret {
			path, name, hotkey := walletNames(cmd)
			phrase, err := wallet.Mnemonic(path, name, hotkey)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), phrase)
		}
		return nil
	}
	return cmd
}

func walletList() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "Print all wallets and their hotkeys", Args: noArgs,
		Example: "  templar wallet list --wallet.path ~/.bittensor/wallets\n  templar wallet list --json",
	}
	path := cmd.Flags().String("wallet.path", config.Default().Wallet.Path, "folder of the wallets")
	cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		all, err := wallet.List(*path)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: make one with \"templar wallet new\"", err)
		}
		if err != nil {
			return err
		}
		return show(cmd, all, func(out io.Writer) { printWallets(out, all) })
	}
	return cmd
}

func printWallets(out io.Writer, all []wallet.Entry) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WALLET\tHOTKEY\tADDRESS\tCOLDKEY")
	for _, e := range all {
		coldkey := ""
		if !e.Coldkey.IsZero() {
			coldkey = e.Coldkey.String()
		}
		if len(e.Hotkeys) == 0 {
			fmt.Fprintf(table, "%s\t\t\t%s\n", e.Name, coldkey)
		}
		for _, h := range e.Hotkeys {
			address := h.Fault
			if address == "" {
				address = h.Hotkey.String()
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", e.Name, h.Name, address, coldkey)
		}
	}
	table.Flush()
}

func walletSign() *cobra.Command {
	cmd := walletCommand("sign", "Sign a message with a hotkey")
	cmd.Example += " --message hello\n  templar wallet sign --wallet.hotkey miner --file report.json"
	message := messageFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		m, err := message()
		if err != nil {
			return err
		}
		w, err := openWallet(cmd, wallet.Load)
		if err != nil {
			return err
		}
		sig, err := w.Sign(m)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), sig)
		return nil
	}
	return cmd
}

func walletVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify", Short: "Check that a hotkey signed a message", Args: noArgs,
		Example: "  templar wallet verify --hotkey 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty --signature 4e17... --message hello",
	}
	hotkey := cmd.Flags().String("hotkey", "", "address of the signer")
	signature := cmd.Flags().String("signature", "", "128 hexadecimal digits, as \"templar wallet sign\" prints them")
	message := messageFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		h, err := protocol.ParseHotkey(*hotkey)
		if err != nil {
			return usagef("--hotkey: %w: want an SS58 address", err)
		}
		var sig protocol.Signature
		if err := sig.UnmarshalText(bytes.TrimPrefix([]byte(*signature), []byte("0x"))); err != nil {
			return usagef("--signature: %w", err)
		}
		m, err := message()
		if err != nil {
			return err
		}
		if !h.Verify(m, sig) {
			return fmt.Errorf("%v did not sign this", h)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%v signed this\n", h)
		return nil
	}
	return cmd
}

// messageFlags adds the flags that give the message to sign, and returns how to read it.
func messageFlags(cmd *cobra.Command) func() ([]byte, error) {
	text := cmd.Flags().String("message", "", "the message")
	file := cmd.Flags().String("file", "", "file with the message")
	return func() ([]byte, error) {
		if (*text == "") == (*file == "") {
			return nil, usagef("--message or --file: give the message one way")
		}
		if *text != "" {
			return []byte(*text), nil
		}
		return os.ReadFile(*file)
	}
}

func walletNames(cmd *cobra.Command) (path, name, hotkey string) {
	flag := func(name string) string { return cmd.Flags().Lookup("wallet." + name).Value.String() }
	return flag("path"), flag("name"), flag("hotkey")
}

// openWallet applies open to the wallet that the flags name.
func openWallet(cmd *cobra.Command, open func(path, name, hotkey string) (*wallet.Wallet, error)) (*wallet.Wallet, error) {
	w, err := open(walletNames(cmd))
	switch {
	case errors.Is(err, wallet.ErrExists):
		return nil, fmt.Errorf("%w: choose another --wallet.hotkey, it is never overwritten", err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: make it with \"templar wallet new\"", err)
	}
	return w, err
}
