package admin

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// guarded refuses requests that change something, that name a server that this one is not, or that
// a page of another origin made.
func guarded(next http.Handler, hosts []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "this server is read-only", http.StatusMethodNotAllowed)
		case !knownHost(r.Host, hosts):
			http.Error(w, "this server does not answer to that name: use its address, localhost, or a name from admin.hosts", http.StatusMisdirectedRequest)
		case !sameOrigin(r):
			http.Error(w, "requests of other sites' pages are refused", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// knownHost reports whether a Host header names this server. An address cannot be another site's
// name, and so is always accepted.
func knownHost(host string, known []string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return strings.EqualFold(name, "localhost") || slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) })
}

// sameOrigin reports whether a request comes from a page of this server or from no page. A link
// on another page may open this one: that page cannot read the answer.
func sameOrigin(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		_, host, ok := strings.Cut(origin, "://")
		return ok && strings.EqualFold(host, r.Host)
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return true
	}
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}
