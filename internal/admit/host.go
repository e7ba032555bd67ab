package admit

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the addresses of reverse proxies in front of a server. Only these are believed
// about the client that a request comes from: any client can send X-Forwarded-For.
type Proxies []netip.Prefix

// ParseProxies reads addresses and prefixes.
func ParseProxies(texts []string) (p Proxies, err error) {
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, addrErr := netip.ParseAddr(text)
			if addrErr != nil {
				return nil, fmt.Errorf("proxy %q: want an address or a prefix, like 10.0.0.1 or 10.0.0.0/8", text)
			}
			addr = addr.Unmap()
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		p = append(p, prefix.Masked())
	}
	return p, nil
}

func (p Proxies) has(a netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// Client names the host that a request comes from: the remote end of the connection, or, if
// that is a proxy, the nearest address in X-Forwarded-For that is none. local reports a
// connection from this machine that no listed proxy forwarded: hosts on one machine cannot
// be distinguished, so limits by host do not apply to them.
func (p Proxies) Client(remote string, h http.Header) (host string, local bool) {
	a, ok := address(remote)
	if !ok {
		return remote, false
	}
	if p.has(a) {
		hops := strings.Split(strings.Join(h["X-Forwarded-For"], ","), ",")
		for i := len(hops) - 1; i >= 0 && p.has(a); i-- {
			next, ok := address(strings.TrimSpace(hops[i]))
			if !ok {
				break
			}
			a = next
		}
		return group(a), false
	}
	return group(a), a.IsLoopback()
}

// Host names the host at the remote end of a connection.
func Host(remote string) string {
	if a, ok := address(remote); ok {
		return group(a)
	}
	return remote
}

// address reads an address with or without a port.
func address(text string) (netip.Addr, bool) {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return a.Unmap().WithZone(""), err == nil
}

// group is an IPv4 address, or the /64 of an IPv6 address.
func group(a netip.Addr) string {
	if a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}
