package localnet

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// listen takes a free port of loopback that systems do not assign to connections or to listeners
// on port 0 (those are above 32767), so that it stays free while a node of the network is down.
func listen() (l net.Listener, err error) {
	for range 100 {
		if l, err = net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10_000+rand.IntN(20_000))); err == nil {
			return l, nil
		}
	}
	return nil, err
}
