// Package s3 is the adapter to object stores that speak S3: Cloudflare R2, AWS,
// MinIO and our own embedded server.
//
// It asks for nothing that R2 lacks: path-style addresses, region "auto", no
// trailing checksums, no chunked signatures, no request about the bucket before the
// first one about an object. It does not retry (store.Retry does) and follows no
// redirect, so that a peer's endpoint cannot point us elsewhere.
//
// Every body goes with a checksum: small ones with their MD5, large ones with their SHA-256
// or, over plain http, with the CRC-32C of stores that are seen to check it (trust).
//
// Every call ends: one about names after a minute, one with a body after the time that
// its size takes at a very slow rate, and either as soon as nothing moves any more.
package s3

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"templar/internal/store"
)

// Options tune the connections of a Dialer. Zero fields mean the default.
type Options struct {
	// ConnectTimeout bounds the TCP and the TLS handshake, each; default 5 s.
	ConnectTimeout time.Duration
	// HeaderTimeout bounds the wait for a response's header after the request was
	// sent; default 30 s.
	HeaderTimeout time.Duration
	// StallTimeout bounds the time in which not a byte goes either way; default 1 min.
	StallTimeout time.Duration
	// CallTimeout bounds a call, bodies aside, of which it also allows MinRate bytes a
	// second; default 1 min, and 16 KiB/s.
	CallTimeout time.Duration
	MinRate     int64
	// IdlePerHost is how many unused connections are kept for each credential; default 64.
	IdlePerHost int
}

// Dialer opens buckets. It keeps a client for each endpoint and credential, and makes it
// anew after a fault of its connections. It is safe for concurrent use.
type Dialer struct {
	options Options

	mu struct {
		sync.Mutex
		clients map[clientID]*client
	}
}

// clientID is a digest, because a map key that holds the secret would show when printed.
type clientID [sha256.Size]byte

// client is the right to ask one endpoint, with connections of its own: the faults of
// one credential's connections never touch another's.
type client struct {
	*minio.Core
	transport *http.Transport
}

var _ store.Dialer = (*Dialer)(nil)

// NewDialer makes a Dialer. Close it when its buckets are no longer used.
func NewDialer(o Options) *Dialer {
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, 5*time.Second)
	o.HeaderTimeout = cmp.Or(o.HeaderTimeout, 30*time.Second)
	o.StallTimeout = cmp.Or(o.StallTimeout, time.Minute)
	o.CallTimeout = cmp.Or(o.CallTimeout, time.Minute)
	o.MinRate = cmp.Or(o.MinRate, 16<<10)
	o.IdlePerHost = cmp.Or(o.IdlePerHost, 64)
	d := &Dialer{options: o}
	d.mu.clients = make(map[clientID]*client)
	return d
}

// Close closes the idle connections; those in use close when their bodies do.
func (d *Dialer) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.mu.clients {
		c.transport.CloseIdleConnections()
	}
	return nil
}

// Dial opens a bucket without asking the server anything: a bucket-scoped key need
// not have the right to. Its error wraps store.ErrInvalid.
func (d *Dialer) Dial(l store.Location) (store.Bucket, error) {
	if err := store.CheckBucketName(l.Bucket); err != nil {
		return nil, err
	}
	u, err := parseEndpoint(l.Endpoint)
	if err != nil {
		return nil, err
	}
	id := clientID(sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", u, l.Region, l.AccessKey, l.Secret.Reveal())))
	make := func() (*client, error) { return d.newClient(u, l) }
	if _, err := d.client(id, make); err != nil {
		return nil, err
	}
	b := &bucket{dialer: d, name: l.Bucket, place: u.Host + "/" + l.Bucket, id: id, make: make}
	if u.Scheme == "https" {
		b.puts.state.Store(denied)
		b.parts.state.Store(denied)
	}
	return b, nil
}

func parseEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	// The parse error would repeat the endpoint with whatever password it holds.
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		u.RawQuery != "" || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("%w: storage endpoint must be http(s)://host[:port]", store.ErrInvalid)
	}
	return u, nil
}

func (d *Dialer) newClient(u *url.URL, l store.Location) (*client, error) {
	transport := d.newTransport()
	core, err := minio.NewCore(u.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(l.AccessKey, l.Secret.Reveal(), ""),
		Secure:       u.Scheme == "https",
		Region:       cmp.Or(l.Region, "auto"),
		BucketLookup: minio.BucketLookupPath,
		Transport:    boundedTransport{transport},
		MaxRetries:   1, // and see failure
	})
	if err != nil {
		return nil, fmt.Errorf("%w: storage endpoint %q: %w", store.ErrInvalid, u.Host, err)
	}
	return &client{Core: core, transport: transport}, nil
}

// client returns the client of that id, made if there is none.
func (d *Dialer) client(id clientID, make func() (*client, error)) (*client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.mu.clients[id]; c != nil {
		return c, nil
	}
	c, err := make()
	if err != nil {
		return nil, err
	}
	for other, old := range d.mu.clients { // any will do: it is made again when it is asked for
		if len(d.mu.clients) < maxClients {
			break
		}
		delete(d.mu.clients, other)
		old.transport.CloseIdleConnections()
	}
	d.mu.clients[id] = c
	return c, nil
}

// maxClients bounds the clients that are kept: peers may change their keys as they like.
const maxClients = 4096

// drop forgets a client whose connection failed, so that the next request has a new one:
// the others that it keeps lead the same way. Requests that run on it are left to end.
func (d *Dialer) drop(id clientID, c *client) {
	d.mu.Lock()
	if d.mu.clients[id] == c {
		delete(d.mu.clients, id)
	}
	d.mu.Unlock()
	c.transport.CloseIdleConnections()
}
