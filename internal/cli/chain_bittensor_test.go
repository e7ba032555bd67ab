package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"templar/internal/chain"
	"templar/internal/chain/bittensor"
	"templar/internal/config"
	"templar/internal/wallet"
	"templar/protocol"
)

// shop is a chain on which a registration costs money.
type shop struct {
	chain.Chain
	registered int
}

var errSold = errors.New("sold")

func (*shop) Quote(context.Context, protocol.Hotkey, protocol.Hotkey) (bittensor.Quote, error) {
	return bittensor.Quote{Price: 2 * bittensor.RAO, Balance: 3 * bittensor.RAO}, nil
}

func (s *shop) Register(context.Context, protocol.Signer, chain.Registration) (chain.Receipt, error) {
	s.registered++
	return chain.Receipt{}, errSold
}

// A registration that costs money is made only with consent: without a terminal that is the
// flag --yes. Price and balance are printed in any case.
func TestRegisterPaidConsent(t *testing.T) {
	path := t.TempDir()
	if _, err := wallet.Create(path, "alice", "default"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		yes, dryRun bool
		err         string
		registered  int
	}{
		"a script":             {err: "--yes"},
		"a script with --yes":  {yes: true, err: errSold.Error(), registered: 1},
		"--dry-run":            {dryRun: true},
		"--dry-run with --yes": {dryRun: true, yes: true},
	} {
		var s shop
		var said bytes.Buffer
		cmd := &cobra.Command{Use: "register"}
		config.WalletFlags(cmd.Flags())
		if err := cmd.ParseFlags([]string{"--wallet.path", path, "--wallet.name", "alice", "--wallet.hotkey", "default"}); err != nil {
			t.Fatal(err)
		}
		cmd.SetIn(strings.NewReader("y\n"))
		cmd.SetErr(&said)
		err := registerPaid(t.Context(), cmd, &s, c.yes, c.dryRun)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || s.registered != c.registered {
			t.Errorf("%s: %v, %d registrations, want %q and %d", name, err, s.registered, c.err, c.registered)
		}
		if !strings.Contains(said.String(), "costs 2 TAO") || !strings.Contains(said.String(), "has 3 TAO") {
			t.Errorf("%s: printed %q", name, &said)
		}
	}
}
