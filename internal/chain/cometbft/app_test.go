package cometbft

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/crypto/merkle"

	"templar/internal/chain/chaintest"
	"templar/internal/chain/ledger"
	"templar/internal/chain/ledger/ledgertest"
)

// The ledger's root is the one that CometBFT's proofs are checked against.
func TestRootIsCometBFTs(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	g.Time = time.Unix(1_800_000_000, 0)
	for n := range uint64(9) { // trees of several shapes
		g.Founders = append(g.Founders, ledger.Founder{Hotkey: chaintest.Key(t, 50+n).Hotkey()})
		l, err := ledger.New(g)
		if err != nil {
			t.Fatal(err)
		}
		records := maps.Collect(l.Changes())
		keys := slices.Sorted(maps.Keys(records))
		var leaves [][]byte
		for _, k := range keys {
			sum := sha256.Sum256(records[k])
			leaf := append(binary.AppendUvarint(nil, uint64(len(k))), k...)
			leaves = append(leaves, append(append(leaf, sha256.Size), sum[:]...))
		}
		theirs, proofs := merkle.ProofsFromByteSlices(leaves)
		if ours := l.Root(); !bytes.Equal(theirs, ours[:]) {
			t.Fatalf("%d records: root %x, CometBFT's %x", len(records), ours, theirs)
		}
		for i, k := range keys {
			root, err := merkle.NewValueOp([]byte(k), proofs[i]).Run([][]byte{records[k]})
			if err != nil || !bytes.Equal(root[0], theirs) {
				t.Fatalf("proof of %q: %x, %v", k, root, err)
			}
		}
	}
}

// failingDB is a database on a disk that fills up.
type failingDB struct {
	dbm.DB
	left int // batches
}

func (f *failingDB) NewBatch() dbm.Batch { return &failingBatch{f.DB.NewBatch(), f} }

type failingBatch struct {
	dbm.Batch
	db *failingDB
}

func (b *failingBatch) WriteSync() error {
	if b.db.left--; b.db.left < 0 {
		return errors.New("no space left on device")
	}
	return b.Batch.WriteSync()
}

// A node whose consensus fails says why and ends, and goes on after the cure.
func TestRunEndsWhenConsensusFails(t *testing.T) {
	g, _ := ledgertest.Genesis(t)
	home := t.TempDir()
	if err := Init(home, g); err != nil {
		t.Fatal(err)
	}
	run := func(left int) error {
		n, err := New(Config{Home: home, Listen: "127.0.0.1:0", BlockInterval: 10 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		n.openDB = func(c *cfg.DBContext) (dbm.DB, error) {
			db, err := cfg.DefaultDBProvider(c)
			if c.ID == "app" {
				db = &failingDB{db, left}
			}
			return db, err
		}
		return n.Run(t.Context())
	}
	for _, left := range []int{4, 3} {
		if err := run(left); err == nil || !strings.Contains(err.Error(), "no space left on device") {
			t.Fatalf("run: %v, want the disk's error", err)
		}
	}
}

func TestAppRefusesDamagedState(t *testing.T) {
	db := dbm.NewMemDB()
	if err := db.Set([]byte("clock"), []byte("short")); err != nil {
		t.Fatal(err)
	}
	if _, err := newApp(db, Config{}); err == nil || !strings.Contains(err.Error(), "application state") {
		t.Errorf("error %v", err)
	}
}
