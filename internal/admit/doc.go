// Package admit bounds what the clients of a public HTTP server can take from the others:
// open connections, requests a second, and computation. The S3 server and the chain's RPC
// server use it.
//
// Clients are distinguished by their host (Proxies.Client): an IPv4 address, or the /64 prefix
// of an IPv6 address, because one subscriber has a whole prefix. Limits by host cannot
// protect clients of one machine from each other, so each limit also works without them:
// Connections makes room at the cost of the host that has most, and shares a rate among
// connections; Line serves in order of arrival.
package admit
