package directory_test

import (
	"context"
	"slices"
	"testing"

	"templar/internal/chain"
	"templar/internal/directory"
	"templar/internal/harness/testnet"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/protocol"
)

func uids(peers []directory.Peer) (out []protocol.UID) {
	for _, p := range peers {
		out = append(out, p.UID)
	}
	return out
}

func TestDirectory(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 2}, func(net *testnet.Network) {
		net.CommitAll()
		d := net.Refreshed("miner-0").Directory
		if got := uids(d.Candidates()); !slices.Equal(got, []protocol.UID{2, 3}) {
			t.Errorf("candidates %v, want the two miners", got)
		}
		if lead, ok := d.Lead(); !ok || lead.UID != 0 || lead.Role != telemetry.Validator {
			t.Errorf("lead %+v, want validator-0", lead)
		}
		for _, p := range d.Peers() {
			if _, writes := p.Bucket.(store.Bucket); writes {
				t.Errorf("uid %d: its bucket can be made to write", p.UID)
			}
		}
		if _, ok := d.Peer(9); ok {
			t.Error("a peer that is not registered")
		}
	})
}

// counting counts how often the commitments were read.
type counting struct {
	chain.Chain
	read *int
}

func (c counting) Commitments(ctx context.Context) ([]chain.Commitment, error) {
	*c.read++
	return c.Chain.Commitments(ctx)
}

// Commitments are read when there is a block that may have changed them, not at each call.
func TestDirectoryReadsCommitmentsOnceABlock(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
		net.CommitAll()
		read := 0
		d := directory.New(net.Run.Params, counting{net.Chain, &read}, net.Store)
		refresh := func() {
			for range 5 {
				if err := d.Refresh(net.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		refresh()
		net.Commit("miner-1", []byte("gone"))
		refresh()
		if read != 2 || len(d.Candidates()) != 1 {
			t.Errorf("read %d times for two blocks; candidates %v", read, uids(d.Candidates()))
		}
	})
}

// A commitment that cannot be used affects its owner only: it has no bucket.
func TestDirectoryHostileCommitments(t *testing.T) {
	elsewhere := func(c directory.Commitment) directory.Commitment {
		c.Location.Endpoint = "http://127.0.0.1:80"
		return c
	}
	climbing := func(c directory.Commitment) directory.Commitment {
		c.Location.Bucket = "../miner-0"
		return c
	}
	for name, data := range map[string]func(directory.Commitment) []byte{
		"garbage":         func(directory.Commitment) []byte { return []byte("garbage") },
		"untrusted store": func(c directory.Commitment) []byte { return encode(t, elsewhere(c)) },
		"bad bucket name": func(c directory.Commitment) []byte { return encode(t, climbing(c)) },
	} {
		t.Run(name, func(t *testing.T) {
			testnet.Test(t, testnet.Config{Miners: 3, Validators: 1}, func(net *testnet.Network) {
				net.CommitAll()
				net.Commit("miner-1", data(net.Node("miner-1").Commitment()))
				d := net.Refreshed("validator-0").Directory
				if got := uids(d.Candidates()); !slices.Equal(got, []protocol.UID{1, 3}) {
					t.Errorf("candidates %v, want all miners but miner-1", got)
				}
				if p, ok := d.Peer(2); !ok || p.Bucket != nil {
					t.Errorf("miner-1 is %+v", p)
				}
			})
		})
	}
}

func encode(t *testing.T, c directory.Commitment) []byte {
	t.Helper()
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
