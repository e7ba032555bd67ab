package cometbft

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/tempfile"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/types"

	"templar/internal/chain/ledger"
	"templar/internal/clock"
	"templar/internal/strictjson"
)

// Network is how a node connects to others. The zero value is a single node.
type Network struct {
	Listen   string   `json:"listen"`             // host:port for other nodes
	External string   `json:"external,omitempty"` // host:port as others see it, if not Listen
	Peers    []string `json:"peers"`              // id@host:port of nodes to hold a connection to
	Closed   bool     `json:"closed,omitempty"`   // to nodes that are not in Peers
	// BlockTime is the time between blocks in milliseconds, for a node that is started without
	// one. 0: DefaultBlockTime.
	BlockTime int64 `json:"block_time_ms,omitempty"`
}

// DefaultBlockTime is Bittensor's.
const DefaultBlockTime = 12 * time.Second

// Identity is the public half of a node's keys.
type Identity struct {
	Authority string `json:"authority"` // the key that makes blocks, if the genesis names it: 64 hexadecimal digits
	Node      string `json:"node"`      // what peers know the node by
}

// Keys makes the keys of a node's folder, unless it has them, and returns the public
// halves: what others need for a genesis and a list of peers.
func Keys(home string) (Identity, error) {
	c := homeConfig(home)
	key, err := ensureKeys(c)
	if err != nil {
		return Identity{}, fmt.Errorf("chain keys: %w", err)
	}
	node, err := p2p.LoadNodeKey(c.NodeKeyFile())
	if err != nil {
		return Identity{}, fmt.Errorf("chain keys: %w", err)
	}
	return Identity{Authority: hex.EncodeToString(key.Bytes()), Node: string(node.ID())}, nil
}

// InitNetwork makes one folder for each listen address, which together are the
// authorities of one chain. A node whose address is a host name listens on all interfaces: the
// name may stand for another address each time. The folders keep blockTime; 0 is the default.
func InitNetwork(homes, listen []string, blockTime time.Duration, g ledger.Genesis) error {
	if len(homes) != len(listen) {
		return fmt.Errorf("init chain: %d folders for %d addresses", len(homes), len(listen))
	}
	if err := checkListen(listen); err != nil {
		return fmt.Errorf("init chain: %w", &InvalidError{err})
	}
	if err := checkGenesis(homes[0], g); err != nil {
		return fmt.Errorf("init chain: %w", err)
	}
	var authorities, peers []string
	for i, home := range homes {
		id, err := Keys(home)
		if err != nil {
			return err
		}
		authorities = append(authorities, id.Authority)
		peers = append(peers, id.Node+"@"+listen[i])
	}
	if err := Init(homes[0], g, authorities...); err != nil {
		return err
	}
	genesis, err := os.ReadFile(homeConfig(homes[0]).GenesisFile())
	if err != nil {
		return fmt.Errorf("init chain: %w", err)
	}
	for i, home := range homes {
		others := slices.Delete(slices.Clone(peers), i, i+1)
		n := Network{Listen: bindable(listen[i]), Peers: others, BlockTime: blockTime.Milliseconds()}
		if err := Join(home, genesis, n); err != nil {
			return err
		}
	}
	return nil
}

// bindable is where a node listens that others reach at an address.
func bindable(address string) string {
	host, port, _ := net.SplitHostPort(address)
	if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
		return net.JoinHostPort("0.0.0.0", port)
	}
	return address
}

// InvalidError says that an address or key that was given cannot be. Nothing was written then.
type InvalidError struct{ Err error }

func (e *InvalidError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *InvalidError) Unwrap() error { return e.Err }

// checkListen finds what is wrong before a key is made: what is refused leaves nothing behind.
func checkListen(listen []string) error {
	seen := map[string]bool{}
	local := 0
	for _, address := range listen {
		host, port, err := reachable(address)
		if err != nil {
			return fmt.Errorf("listen address %w", err)
		}
		if seen[net.JoinHostPort(host, port)] {
			return fmt.Errorf("listen address %q appears twice: each node needs one of its own", address)
		}
		seen[net.JoinHostPort(host, port)] = true
		if (Network{Listen: address}).loopback() {
			local++
		}
	}
	if local > 0 && local < len(listen) {
		return fmt.Errorf("listen addresses %s: some are of this machine only, where nodes of others cannot reach them", strings.Join(listen, ", "))
	}
	return nil
}

// reachable returns host and port of an address at which other nodes can reach one, in a form
// that can be compared.
func reachable(address string) (host, port string, err error) {
	host, port, err = hostPort(address)
	if err != nil {
		return "", "", err
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Unmap().IsUnspecified() || ip.IsMulticast() {
			return "", "", fmt.Errorf("%q: others cannot reach %s: name the address at which they can", address, host)
		}
		host = ip.Unmap().String()
	}
	if host == "" {
		return "", "", fmt.Errorf("%q has no host: name the address at which others reach the node", address)
	}
	return strings.ToLower(host), port, nil
}

// hostPort splits an address. Port 0 would be another one each time.
func hostPort(address string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(address)
	if err != nil || strings.ContainsAny(host, "/@ \t") {
		return "", "", fmt.Errorf("%q: want host:port", address)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", "", fmt.Errorf("%q: want a port from 1 to 65535", address)
	}
	return host, strconv.FormatUint(n, 10), nil
}

// Join makes home the folder of a node of the chain whose genesis file is given. The
// node is an authority if the genesis names its key, else it follows.
func Join(home string, genesis []byte, n Network) error {
	c := homeConfig(home)
	doc, err := types.GenesisDocFromJSON(genesis)
	if err != nil {
		return fmt.Errorf("join chain: genesis: %w", err)
	}
	if _, err := ledger.DecodeGenesis(doc.AppState); err != nil {
		return fmt.Errorf("join chain: %w", err)
	}
	if err := n.validate(); err != nil {
		return fmt.Errorf("join chain: %w", &InvalidError{err})
	}
	existing, err := readGenesis(c)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("join chain: %w", err)
	default:
		have, err1 := GenesisHash(existing)
		want, err2 := GenesisHash(doc)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if have != want {
			return fmt.Errorf("join chain %q: %w %q: %s", doc.ChainID, ErrOtherGenesis, existing.ChainID, home)
		}
	}
	if _, err := ensureKeys(c); err != nil {
		return fmt.Errorf("join chain: %w", err)
	}
	if err := writeNetwork(home, n); err != nil {
		return fmt.Errorf("join chain: %w", err)
	}
	return tempfile.WriteFileAtomic(c.GenesisFile(), genesis, 0o600)
}

// ReadGenesisHash returns the GenesisHash of a node's folder.
func ReadGenesisHash(home string) (string, error) {
	doc, err := readGenesis(homeConfig(home))
	if err != nil {
		return "", err
	}
	h, err := GenesisHash(doc)
	return h.String(), err
}

func (n Network) validate() error {
	if n.BlockTime < 0 {
		return fmt.Errorf("block_time_ms %d: want a time above 0", n.BlockTime)
	}
	if n.Listen == "" && len(n.Peers) == 0 {
		return nil
	}
	if _, _, err := hostPort(n.Listen); err != nil {
		return fmt.Errorf("listen address %w", err)
	}
	if n.External != "" {
		if _, _, err := reachable(n.External); err != nil {
			return fmt.Errorf("external address %w", err)
		}
	}
	seen := map[string]bool{}
	for _, p := range n.Peers {
		id, address, ok := strings.Cut(p, "@")
		if _, err := hex.DecodeString(id); !ok || err != nil || len(id) != 2*p2p.IDByteLength {
			return fmt.Errorf("peer %q: want id@host:port, as \"templar chain key\" prints the id", p)
		}
		host, port, err := reachable(address)
		if err != nil {
			return fmt.Errorf("peer %w", err)
		}
		if at := net.JoinHostPort(host, port); seen[id] || seen[at] {
			return fmt.Errorf("peer %q appears twice, or its address does", p)
		} else {
			seen[id], seen[at] = true, true
		}
	}
	return nil
}

func networkFile(home string) string { return filepath.Join(home, "config", "network.json") }

func writeNetwork(home string, n Network) error {
	b, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	return tempfile.WriteFileAtomic(networkFile(home), append(b, '\n'), 0o600)
}

// readNetwork returns the zero value for a single node.
func readNetwork(home string) (n Network, err error) {
	b, err := os.ReadFile(networkFile(home))
	if errors.Is(err, fs.ErrNotExist) {
		return Network{}, nil
	}
	if err != nil {
		return Network{}, err
	}
	if err := strictjson.Config(b, &n); err != nil {
		return Network{}, fmt.Errorf("%s: %w", networkFile(home), err)
	}
	return n, n.validate()
}

// loopback reports whether all of the network is on this machine.
func (n Network) loopback() bool {
	host, _, _ := net.SplitHostPort(n.Listen)
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// A name of a peer that cannot be resolved is asked for again, this often and this long.
const (
	resolveEvery = time.Second
	resolveFor   = 30 * time.Second
)

// awaitNames waits until the names of peers resolve, at most resolveFor: CometBFT asks for each once, when
// it starts, and never dials those that had no answer. Where hosts get their names when they
// start, as containers do, two authorities that start together would not find each other.
func (n Network) awaitNames(ctx context.Context, lookup func(context.Context, string) error, log *slog.Logger) error {
	until := time.Now().Add(resolveFor)
	for _, p := range n.Peers {
		_, address, _ := strings.Cut(p, "@")
		host, _, _ := net.SplitHostPort(address)
		for {
			err := lookup(ctx, host)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !time.Now().Before(until) {
				log.Warn("a peer's name does not resolve: this node connects when the peer does", "peer", host, "err", err)
				break
			}
			if err := (clock.Wall{}).Sleep(ctx, resolveEvery); err != nil {
				return err
			}
		}
	}
	return nil
}

func lookup(ctx context.Context, host string) error {
	_, err := net.DefaultResolver.LookupHost(ctx, host)
	return err
}

func authorityKey(text string) (ed25519.PubKey, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != ed25519.PubKeySize {
		return nil, fmt.Errorf("authority key %q: want 64 hexadecimal digits, as \"templar chain key\" prints them", text)
	}
	return b, nil
}
