// Package s3 is the adapter to object stores that speak S3: Cloudflare R2, AWS,
// MinIO and our own embedded server.
//
// It asks for nothing that R2 lacks: path-style addresses, region "auto", no
// trailing checksums, no chunked signatures, no request about the bucket before the
// first one about an object. It does not retry (store.Retry does) and follows no
// redirect, so that a peer's endpoint cannot point us elsewhere.
package s3

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net"
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
	// sent; default 30 s. Bodies are bounded by the caller's context.
	HeaderTimeout time.Duration
	// IdlePerHost is how many unused connections are kept for each host; default 64.
	IdlePerHost int
}

// Dialer opens buckets. Clients are kept by endpoint and credential, and all share
// one pool of connections. It is safe for concurrent use.
type Dialer struct {
	transport *http.Transport

	mu struct {
		sync.Mutex
		clients map[[sha256.Size]byte]*minio.Core
	}
}

var _ store.Dialer = (*Dialer)(nil)

// NewDialer makes a Dialer. Close it when its buckets are no longer used.
func NewDialer(o Options) *Dialer {
	connect := cmp.Or(o.ConnectTimeout, 5*time.Second)
	d := &Dialer{transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connect, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   connect,
		ResponseHeaderTimeout: cmp.Or(o.HeaderTimeout, 30*time.Second),
		MaxIdleConns:          1024,
		MaxIdleConnsPerHost:   cmp.Or(o.IdlePerHost, 64),
		IdleConnTimeout:       30 * time.Second,
		// Announced lengths are lengths of objects: nothing may unpack them.
		DisableCompression: true,
	}}
	d.mu.clients = make(map[[sha256.Size]byte]*minio.Core)
	return d
}

// Close closes the idle connections; those in use close when their bodies do.
func (d *Dialer) Close() error {
	d.transport.CloseIdleConnections()
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
	client, err := d.client(u, l)
	if err != nil {
		return nil, err
	}
	return &bucket{client: client, name: l.Bucket}, nil
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

func (d *Dialer) client(u *url.URL, l store.Location) (*minio.Core, error) {
	region := cmp.Or(l.Region, "auto")
	// A digest, because a map key that holds the secret would show when printed.
	id := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", u, region, l.AccessKey, l.Secret.Reveal()))
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.mu.clients[id]; c != nil {
		return c, nil
	}
	c, err := minio.NewCore(u.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(l.AccessKey, l.Secret.Reveal(), ""),
		Secure:       u.Scheme == "https",
		Region:       region,
		BucketLookup: minio.BucketLookupPath,
		Transport:    boundedTransport{d.transport},
		MaxRetries:   1,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: storage endpoint %q: %w", store.ErrInvalid, u.Host, err)
	}
	d.mu.clients[id] = c
	return c, nil
}
