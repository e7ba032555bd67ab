package cometbft

import (
	"slices"
	"strings"

	abci "github.com/cometbft/cometbft/abci/types"

	"templar/internal/admit"
)

// Nodes of strangers may connect, to follow the chain. They must not take the places of the
// peers that the folder names, which are the other authorities: CometBFT asks the application
// about each connection.
const (
	queryPeerAddress = "/p2p/filter/addr/"
	queryPeerID      = "/p2p/filter/id/"

	// maxStrangers is how many nodes that the folder does not name may be connected.
	maxStrangers = 40
	// maxIncoming is how many connections may be open before it is known whose they are.
	maxIncoming = 4096
	// A host may open so many connections a second, and at once. Peers that the folder names
	// are not bound by it: their connections are known by address.
	connectRate, connectBurst = 0.2, 8
)

// gate decides on connections of other nodes.
type gate struct {
	listed    []string // ids
	hosts     []string // of listed peers, as admit.Host names them
	closed    bool     // to strangers
	local     bool     // all nodes are on this machine: hosts say nothing
	rates     *admit.Rates
	connected func() []string // ids of the peers at the moment; nil before the node runs
}

func newGate(n Network) *gate {
	g := &gate{closed: n.Closed, local: n.Listen == "" || n.loopback(), rates: admit.NewRates(connectRate, connectBurst)}
	for _, p := range n.Peers {
		id, address, _ := strings.Cut(p, "@")
		g.listed = append(g.listed, id)
		g.hosts = append(g.hosts, admit.Host(address))
	}
	return g
}

// query answers CometBFT. ok is false when the path is another one.
func (g *gate) query(path string) (answer *abci.ResponseQuery, ok bool) {
	refused := ""
	if address, is := strings.CutPrefix(path, queryPeerAddress); is {
		refused = g.address(address)
	} else if id, is := strings.CutPrefix(path, queryPeerID); is {
		refused = g.id(id)
	} else {
		return nil, false
	}
	if refused != "" {
		return &abci.ResponseQuery{Code: uint32(codeBusy), Log: refused}, true
	}
	return &abci.ResponseQuery{}, true
}

func (g *gate) address(address string) (refused string) {
	host := admit.Host(address)
	if g.local || slices.Contains(g.hosts, host) {
		return ""
	}
	if _, ok := g.rates.Allow(host, 1); !ok {
		return "too many connections from this address"
	}
	return ""
}

func (g *gate) id(id string) (refused string) {
	if slices.Contains(g.listed, id) {
		return ""
	}
	if g.closed {
		return "this node connects to the peers of its list only"
	}
	strangers := 0
	if g.connected != nil {
		for _, other := range g.connected() {
			if !slices.Contains(g.listed, other) {
				strangers++
			}
		}
	}
	if strangers >= maxStrangers {
		return "this node has no room for more peers that are not in its list"
	}
	return ""
}
