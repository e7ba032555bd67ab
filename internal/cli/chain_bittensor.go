package cli

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/chain"
	"templar/internal/chain/bittensor"
	"templar/internal/config"
	"templar/internal/node"
	"templar/internal/wallet"
	"templar/protocol"
)

// priced is a chain on which a registration costs money.
type priced interface {
	chain.Chain
	Quote(ctx context.Context, hotkey, payer protocol.Hotkey) (bittensor.Quote, error)
}

// payer returns the key that signs and pays for a registration: the wallet's coldkey, if it is
// stored in plain text, or else the hotkey, if its balance is sufficient. Otherwise the error
// explains how to register with Bittensor's own tool.
func payer(ctx context.Context, cmd *cobra.Command, c priced, hotkey *wallet.Wallet) (*wallet.Wallet, bittensor.Quote, error) {
	f := cmd.Flags()
	path, name := f.Lookup("wallet.path").Value.String(), f.Lookup("wallet.name").Value.String()
	cold, err := wallet.LoadColdkey(path, name)
	if err == nil {
		q, err := c.Quote(ctx, hotkey.Hotkey(), cold.Hotkey())
		return cold, q, err
	}
	if !errors.Is(err, wallet.ErrEncrypted) && !errors.Is(err, fs.ErrNotExist) {
		return nil, bittensor.Quote{}, err
	}
	q, quoteErr := c.Quote(ctx, hotkey.Hotkey(), hotkey.Hotkey())
	if quoteErr != nil {
		return nil, q, quoteErr
	}
	if q.UID == nil && q.Balance < q.Price {
		return nil, q, fmt.Errorf("%w, and hotkey %v has %s of the %s that a registration costs; register it with:\n  %s",
			err, hotkey, bittensor.TAO(q.Balance), bittensor.TAO(q.Price), btcli(cmd, path, name))
	}
	return hotkey, q, nil
}

// btcli is the line with which the owner of an encrypted coldkey registers.
func btcli(cmd *cobra.Command, path, name string) string {
	f := cmd.Flags()
	network := f.Lookup("subtensor.network").Value.String()
	if network == "" {
		network = f.Lookup("endpoint").Value.String()
	}
	return fmt.Sprintf("btcli tx burned-register --netuid %s --network %s --wallet-path %s -w %s -H %s", f.Lookup("netuid").Value, network, path, name, f.Lookup("wallet.hotkey").Value)
}

// registerPaid prints what a registration costs and makes it when it is confirmed: by the flag
// --yes, or by an answer on a terminal.
func registerPaid(ctx context.Context, cmd *cobra.Command, c priced, yes, dryRun bool) error {
	w, err := openWallet(cmd, wallet.Load)
	if err != nil {
		return err
	}
	signer, q, err := payer(ctx, cmd, c, w)
	if err != nil {
		return err
	}
	if q.UID == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "a registration of %v costs %s and a fee; %v pays, and has %s\n", w, bittensor.TAO(q.Price), signer, bittensor.TAO(q.Balance))
		if dryRun {
			return nil
		}
		if !yes {
			if !isTerminal(cmd.InOrStdin()) {
				return usagef("--yes: missing: a registration spends money, and there is no terminal to confirm it on; nothing was sent")
			}
			fmt.Fprint(cmd.ErrOrStderr(), "register? [y/N] ")
			line, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
			if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
				return errors.New("register: not confirmed, nothing was sent")
			}
		}
	}
	r, err := c.Register(ctx, signer, chain.Registration{Hotkey: w.Hotkey()})
	if err == nil && r.Status == chain.StatusFailed {
		err = fmt.Errorf("the chain refused: %s", r.Reason)
	}
	if err != nil {
		return fmt.Errorf("register %v: %w", w, err)
	}
	return showRegistered(ctx, cmd, c, w.Hotkey(), r)
}

func chainCommit(b *node.Backends) *cobra.Command {
	cmd := &cobra.Command{
		Use: "commit", Short: "Commit bytes for a hotkey, by hand",
		Long: `Replace the commitment of the wallet's hotkey. A running miner or validator commits the location
of its bucket, and replaces this. On Bittensor, the original's form for a bucket on
Cloudflare R2 is 128 characters: account id, id and secret of a key that can only read.`,
		Example: "  templar chain commit --subtensor.network finney --wallet.name alice --hex 0a0b0c",
		Args:    noArgs,
	}
	config.WalletFlags(cmd.Flags())
	text := cmd.Flags().String("hex", "", "the bytes, in hexadecimal digits")
	chainCall(cmd, b, func(ctx context.Context, cmd *cobra.Command, c chain.Chain) error {
		data, err := hex.DecodeString(strings.TrimPrefix(*text, "0x"))
		if err != nil || len(data) == 0 {
			return usagef("--hex: want an even number of hexadecimal digits")
		}
		_, r, err := submit(cmd, func(w *wallet.Wallet) (chain.Receipt, error) { return c.Commit(ctx, w, data) })
		if err != nil {
			return err
		}
		return showReceipt(cmd, r)
	})
	return cmd
}

// revealer is a chain whose weights this program itself must reveal later.
type revealer interface {
	chain.Chain
	Pending(ctx context.Context, h protocol.Hotkey) (n int, next chain.Receipt, end uint64, err error)
}

// settle reveals weights that only this program can reveal, however long that takes; those
// that the chain reveals are left to it.
func settle(cmd *cobra.Command, c chain.Chain, w *wallet.Wallet, r chain.Receipt) (chain.Receipt, error) {
	rev, ok := c.(revealer)
	if !ok || r.Status != chain.StatusPending {
		return r, nil
	}
	n, next, end, err := rev.Pending(cmd.Context(), w.Hotkey())
	if err != nil || n == 0 {
		return r, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "committed in block %d; waiting to reveal from block %d on, until block %d (if this is stopped, \"templar chain weights --reveal\" goes on)\n", r.Block, next.EffectiveAt, end)
	settled, err := c.Settle(cmd.Context(), w, r)
	if err == nil && settled.Status == chain.StatusFailed {
		err = errors.New(settled.Reason)
	}
	return settled, err
}

// revealOpen reveals what a command before this one committed.
func revealOpen(cmd *cobra.Command, c chain.Chain) error {
	rev, ok := c.(revealer)
	if !ok {
		return usagef("--reveal: this kind of chain has no weights to reveal")
	}
	w, err := openWallet(cmd, wallet.Load)
	if err != nil {
		return err
	}
	n, next, _, err := rev.Pending(cmd.Context(), w.Hotkey())
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("reveal %v: nothing is left to reveal", w)
	}
	r, err := c.Settle(cmd.Context(), w, next)
	if err == nil && r.Status == chain.StatusFailed {
		err = errors.New(r.Reason)
	}
	if err != nil {
		return fmt.Errorf("reveal %v: %w", w, err)
	}
	return showReceipt(cmd, r)
}

// connected is a chain that is followed through endpoints.
type connected interface {
	chain.Chain
	Health() bittensor.Health
	Genesis() protocol.Hash
	chain.Clocked
}

// followed is how well a chain is followed, and this machine's clock beside the chain's.
type followed struct {
	bittensor.Health
	Genesis    protocol.Hash `json:"genesis"`
	Neurons    int           `json:"neurons"`
	Time       time.Time     `json:"time"`
	ClockAhead time.Duration `json:"clock_ahead_ns"`
}

// statusOf shows how well an endpoint of Bittensor's follows its chain.
func statusOf(ctx context.Context, cmd *cobra.Command, c connected) error {
	graph, err := c.Metagraph(ctx)
	if err != nil {
		return err
	}
	head, err := c.Head(ctx)
	if err != nil {
		return err
	}
	ahead, err := c.ClockAhead(ctx)
	if err != nil {
		return err
	}
	s := followed{Health: c.Health(), Genesis: c.Genesis(), Neurons: len(graph.Neurons), Time: head.Time, ClockAhead: ahead}
	if err := show(cmd, s, func(out io.Writer) {
		fmt.Fprintf(out, "endpoint  %s\ngenesis   %v\nblock     %d is final, %d the newest\ntime      %s, this machine's clock is %v ahead\nneurons   %d\n",
			s.Endpoint, s.Genesis, s.Final, s.Best, s.Time.UTC().Format(time.RFC3339), s.ClockAhead.Round(time.Millisecond), s.Neurons)
	}); err != nil {
		return err
	}
	if s.Stalled > 0 {
		return fmt.Errorf("the final head has not moved for %v: the chain's finality stalls, or the endpoint does not follow it", s.Stalled.Round(time.Second))
	}
	return nil
}
