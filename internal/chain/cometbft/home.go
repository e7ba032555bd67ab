package cometbft

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/libs/tempfile"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/types"

	"templar/internal/chain/ledger"
	"templar/internal/versioned"
)

// homeFolder is a node's folder: what our own code and CometBFT's databases hold in it.
var homeFolder = versioned.Folder{File: versioned.File{
	Name: "chain.json", Version: 1, Remedy: "run the release that wrote it, or join the chain with another folder (templar chain join)",
}}

// ErrOtherGenesis is wrapped when a home folder belongs to another chain.
var ErrOtherGenesis = errors.New("the folder holds another chain")

// Init makes home the folder of a new chain's node: its keys and the genesis. The
// authorities are keys (Identity.Authority); none means that the node is the only one. A
// zero genesis time means now. Called again with the same genesis it does nothing; the
// time may then be zero or what it was. Any other genesis gives ErrOtherGenesis.
func Init(home string, g ledger.Genesis, authorities ...string) error {
	if err := CheckAuthorities(authorities); err != nil {
		return fmt.Errorf("init chain: %w", err)
	}
	c := homeConfig(home)
	existing, err := readGenesis(c)
	if err == nil {
		return sameGenesis(home, existing, g)
	}
	if err := checkGenesis(home, g); err != nil {
		return fmt.Errorf("init chain: %w", err)
	}
	if g.Time.IsZero() {
		g.Time = time.Now().UTC()
	}
	if err := writeHome(c, g, authorities); err != nil {
		return fmt.Errorf("init chain: %w", err)
	}
	return nil
}

// CheckAuthorities finds what is wrong with keys that are to stand in a genesis.
func CheckAuthorities(keys []string) error {
	seen := map[string]bool{}
	for _, text := range keys {
		k, err := authorityKey(text)
		if err != nil {
			return err
		}
		if seen[string(k)] {
			return fmt.Errorf("authority key %q appears twice", text)
		}
		seen[string(k)] = true
	}
	return nil
}

// checkGenesis finds what is wrong with a genesis that is to be written to home.
func checkGenesis(home string, g ledger.Genesis) error {
	existing, err := readGenesis(homeConfig(home))
	if err == nil {
		return sameGenesis(home, existing, g)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if g.Time.IsZero() {
		g.Time = time.Now().UTC()
	}
	return g.Validate()
}

func sameGenesis(home string, existing *types.GenesisDoc, g ledger.Genesis) error {
	if g.Time.IsZero() {
		old, err := ledger.DecodeGenesis(existing.AppState)
		if err != nil {
			return fmt.Errorf("init chain: %s: %w", home, err)
		}
		g.Time = old.Time
	}
	want, err := g.Encode()
	if err != nil {
		return fmt.Errorf("init chain: %w", err)
	}
	var have bytes.Buffer
	if err := json.Compact(&have, existing.AppState); err != nil {
		return fmt.Errorf("init chain: %s: %w", home, err)
	}
	if !bytes.Equal(have.Bytes(), want) {
		return fmt.Errorf("init chain %q: %w, or chain %q with other parameters: %s (remove the folder to begin anew)",
			g.ChainID, ErrOtherGenesis, existing.ChainID, home)
	}
	return nil
}

// writeHome writes the genesis last: a folder without one is made again from the start.
func writeHome(c *cfg.Config, g ledger.Genesis, authorities []string) error {
	own, err := ensureKeys(c)
	if err != nil {
		return err
	}
	keys := []ed25519.PubKey{own}
	if len(authorities) > 0 {
		keys = nil
	}
	for _, text := range authorities {
		k, err := authorityKey(text)
		if err != nil {
			return err
		}
		keys = append(keys, k)
	}
	state, err := g.Encode()
	if err != nil {
		return err
	}
	params := types.DefaultConsensusParams()
	params.Block.MaxBytes = maxBlockBytes
	params.ABCI.VoteExtensionsEnableHeight = 1 // votes carry randomness (beacon.go)
	doc := types.GenesisDoc{ChainID: g.ChainID, GenesisTime: g.Time, AppState: state, ConsensusParams: params}
	for _, k := range keys {
		doc.Validators = append(doc.Validators, types.GenesisValidator{Address: k.Address(), PubKey: k, Power: 1, Name: "authority"})
	}
	if err := doc.ValidateAndComplete(); err != nil {
		return err
	}
	b, err := cmtjson.MarshalIndent(&doc, "", "  ")
	if err != nil {
		return err
	}
	return tempfile.WriteFileAtomic(c.GenesisFile(), b, 0o600)
}

// ensureKeys makes the keys of a folder that has none, and returns the public half of
// the one that makes blocks. Keys that exist are never replaced, nor is the record of
// what was signed with them.
func ensureKeys(c *cfg.Config) (ed25519.PubKey, error) {
	for _, file := range []string{c.GenesisFile(), c.PrivValidatorStateFile()} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return nil, err
		}
	}
	if _, err := p2p.LoadOrGenNodeKey(c.NodeKeyFile()); err != nil {
		return nil, err
	}
	if _, err := os.Stat(c.PrivValidatorKeyFile()); errors.Is(err, fs.ErrNotExist) {
		key := privval.NewFilePV(ed25519.GenPrivKey(), c.PrivValidatorKeyFile(), c.PrivValidatorStateFile())
		if err := recovered(func() error { key.Save(); return nil }); err != nil {
			return nil, err
		}
	}
	key, err := readAuthority(c)
	if err != nil {
		return nil, err
	}
	public, ok := key.Key.PubKey.(ed25519.PubKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a key of type %s, want ed25519", c.PrivValidatorKeyFile(), key.Key.PubKey.Type())
	}
	return public, nil
}

func readGenesis(c *cfg.Config) (*types.GenesisDoc, error) {
	b, err := os.ReadFile(c.GenesisFile())
	if err != nil {
		return nil, err
	}
	doc, err := types.GenesisDocFromJSON(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.GenesisFile(), err)
	}
	return doc, nil
}

// readAuthority reads the block-making key. CometBFT's own loader ends the process on
// a bad file, so both files are tried first. The signing state is never made up: an
// authority that forgot what it signed could sign a second block for one height.
func readAuthority(c *cfg.Config) (*privval.FilePV, error) {
	if err := tryJSON(c.PrivValidatorKeyFile(), &privval.FilePVKey{}); err != nil {
		return nil, err
	}
	if err := tryJSON(c.PrivValidatorStateFile(), &privval.FilePVLastSignState{}); err != nil {
		return nil, err
	}
	return privval.LoadFilePV(c.PrivValidatorKeyFile(), c.PrivValidatorStateFile()), nil
}

func tryJSON(file string, v any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := cmtjson.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s is damaged: %w", file, err)
	}
	return nil
}

// recovered turns a panic of CometBFT's into an error.
func recovered(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cometbft: %v", r)
		}
	}()
	return f()
}
