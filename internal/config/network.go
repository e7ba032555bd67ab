package config

import (
	"fmt"
	"slices"
	"strings"
)

// network is a chain of Bittensor's that people know by a name.
type network struct {
	names  []string
	url    string
	netuid uint16 // Templar's, 0 for none
}

func networks() []network {
	return []network{
		{[]string{"finney", "mainnet"}, "wss://entrypoint-finney.opentensor.ai:443", 3},
		{[]string{"test", "testnet"}, "wss://test.finney.opentensor.ai:443", 268},
		{[]string{"archive"}, "wss://archive.chain.opentensor.ai:443", 3},
		{[]string{"dev"}, "wss://dev.chain.opentensor.ai:443", 0},
		{[]string{"lite"}, "wss://lite.chain.opentensor.ai:443", 3},
		{[]string{"local"}, "ws://127.0.0.1:9944", 2},
	}
}

// Networks lists the names of networks.
func Networks() (names []string) {
	for _, n := range networks() {
		names = append(names, n.names[0])
	}
	return names
}

func named(name string) (network, bool) {
	for _, n := range networks() {
		if slices.Contains(n.names, name) {
			return n, true
		}
	}
	return network{}, false
}

// Names of the kinds of chain that a program is built with.
const (
	CometBFT  = "cometbft"  // which this program runs itself, http://
	Bittensor = "bittensor" // Subtensor, ws:// and wss://
)

// Kind is the chain's back end: Backend if it is set, else the one that speaks the
// endpoint's protocol.
func (c Chain) Kind() string {
	switch {
	case c.Backend != "":
		return c.Backend
	case strings.HasPrefix(c.Endpoint, "ws://"), strings.HasPrefix(c.Endpoint, "wss://"):
		return Bittensor
	}
	return CometBFT
}

// Endpoints are the URLs of Endpoint, which lists several with commas between them.
func (c Chain) Endpoints() []string {
	list := strings.Split(c.Endpoint, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// resolved is Resolve for endpoints that are URLs by now: it adds the subnet.
func (c Chain) resolved(netuidGiven bool) Chain {
	for _, n := range networks() {
		if !netuidGiven && n.netuid != 0 && c.Endpoint == n.url {
			c.NetUID = n.netuid
		}
	}
	return c
}

// Resolve replaces the network's name, or the names in Endpoint, by endpoints, unless there
// is an endpoint already. The subnet is Templar's on that network unless one was given.
func (c Chain) Resolve(netuidGiven bool) (Chain, error) {
	name := c.Network
	if c.Endpoint != "" {
		name = c.Endpoint
	}
	var urls []string
	for _, part := range strings.Split(name, ",") {
		part = strings.TrimSpace(part)
		n, ok := named(part)
		switch {
		case ok:
			urls = append(urls, n.url)
		case strings.Contains(part, "://"), part == "":
			urls = append(urls, part)
		default:
			return c, fmt.Errorf("network %q is not known: want %s, or a URL", part, strings.Join(Networks(), ", "))
		}
	}
	c.Endpoint = strings.Join(urls, ",")
	return c.resolved(netuidGiven), nil
}
