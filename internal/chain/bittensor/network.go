package bittensor

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// network is a chain that people know by a name.
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

// Networks lists the names that Endpoint knows.
func Networks() (names []string) {
	for _, n := range networks() {
		names = append(names, n.names[0])
	}
	return names
}

// Endpoint returns the URL of a network's name, or the URL itself.
func Endpoint(nameOrURL string) (string, error) {
	for _, n := range networks() {
		if slices.Contains(n.names, nameOrURL) {
			return n.url, nil
		}
	}
	u, err := url.Parse(nameOrURL)
	if err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		return "", fmt.Errorf("%q is neither a network (%s) nor a ws:// or wss:// URL", nameOrURL, strings.Join(Networks(), ", "))
	}
	return nameOrURL, nil
}

// TemplarNetUID returns Templar's subnet on a network, 0 where there is none.
func TemplarNetUID(name string) uint16 {
	for _, n := range networks() {
		if slices.Contains(n.names, name) {
			return n.netuid
		}
	}
	return 0
}
