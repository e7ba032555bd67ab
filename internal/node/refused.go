package node

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// Refused finds out at once that no server listens at a chain's endpoint, or at any of several with commas between them:
// a client waits for a server that is about to start. Without an error the endpoint may still not answer.
func Refused(ctx context.Context, endpoint string) (err error) {
	for e := range strings.SplitSeq(endpoint, ",") {
		u, parsing := url.Parse(strings.TrimSpace(e))
		if parsing != nil || u.Hostname() == "" {
			return nil // the client explains it
		}
		if via, _ := http.ProxyFromEnvironment(&http.Request{URL: u}); via != nil {
			return nil
		}
		port := cmp.Or(u.Port(), map[string]string{"https": "443", "wss": "443"}[u.Scheme], "80")
		var c net.Conn
		if c, err = new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port)); err == nil {
			return c.Close()
		}
		var name *net.DNSError
		if !errors.Is(err, syscall.ECONNREFUSED) && !(errors.As(err, &name) && name.IsNotFound) {
			return nil
		}
	}
	return err
}
