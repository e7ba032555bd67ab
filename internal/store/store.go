// Package store is the port to object storage: a small interface, the adapters
// behind it (memory, directory, S3) and decorators of one concern each. Package
// store/storetest holds the conformance suite that every adapter passes, and
// package store/server the embedded S3 server.
//
// Objects appear whole or not at all, large ones in parts too (Multipart; package
// store/transfer moves files that way). A key is written once in the protocol;
// PutOptions.IfAbsent lets the store enforce it.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Errors that adapters wrap. Whatever is none of these is a fault of the transport
// or of the server, and worth a retry.
var (
	ErrNotFound = errors.New("no such object or bucket")
	ErrExists   = errors.New("object exists already")
	ErrDenied   = errors.New("access denied")
	ErrTooLarge = errors.New("object is larger than the limit")
	ErrInvalid  = errors.New("invalid request")
	ErrChanged  = errors.New("object was replaced meanwhile")
)

// ErrUnauthenticated is the ErrDenied of a key that the store does not know, or whose
// secret is wrong: such a key may do nothing, while one that is merely denied may do
// something else.
var ErrUnauthenticated = fmt.Errorf("%w: unknown access key or wrong secret", ErrDenied)

// Info is what a store tells of an object without sending it.
type Info struct {
	Key  string
	Size int64
	// LastModified has whole milliseconds. Stores that report whole seconds round down, some of them only in
	// Head and Get.
	LastModified time.Time
	ETag         string // opaque: not a portable digest
}

// InParts reports whether the object was sent in parts: its ETag ends with their number. AWS dates
// such an object by the beginning of its upload, before its contents are fixed.
func (i Info) InParts() bool { return strings.Contains(i.ETag, "-") }

// The embedded server's header for an object's date in milliseconds, which Last-Modified cannot hold.
// It is not among the metadata that the writer of an object chooses.
const (
	DateHeader = "X-Templar-Last-Modified"
	DateFormat = "2006-01-02T15:04:05.000Z"
)

// Reader reads one bucket. Other nodes' buckets are Readers, so that no code path
// can write to them.
type Reader interface {
	// Head returns the object's Info, or an error that wraps ErrNotFound.
	Head(ctx context.Context, key string) (Info, error)
	// Get returns the body. A body over limit bytes gives ErrTooLarge before a byte
	// of it is read; limit < 0 means no limit. The body ends with an error, never
	// with io.EOF, when it is shorter than announced. The caller closes it.
	Get(ctx context.Context, key string, limit int64) (io.ReadCloser, Info, error)
	// GetRange returns n bytes from offset on, fewer at the object's end. Unless etag
	// is empty, the object must have it: another one gives ErrChanged.
	GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error)
	// List returns up to max objects whose keys begin with prefix, in ascending key
	// order, after the key `after`. Fewer than max means there are no more.
	List(ctx context.Context, prefix, after string, max int) ([]Info, error)
}

// PutOptions are the conditions of a Put.
type PutOptions struct {
	// IfAbsent makes Put fail with ErrExists when the key is taken.
	IfAbsent bool
}

// Bucket reads and writes one bucket.
type Bucket interface {
	Reader
	Multipart
	// Put stores body's first size bytes under key, all or nothing. Adapters send a
	// checksum along, so that a body damaged on the way is refused. Info may lack
	// LastModified: Head has it.
	Put(ctx context.Context, key string, body io.ReaderAt, size int64, o PutOptions) (Info, error)
	// Delete removes the object. Deleting what is not there is no error.
	Delete(ctx context.Context, key string) error
}

// Secret is a credential that prints as stars everywhere but in Reveal.
type Secret string

// Reveal returns the credential itself, for signing requests and for commitments.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString hides the credential from %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the credential from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Location says where a bucket is and with which key to open it.
type Location struct {
	Endpoint  string // http(s)://host[:port]
	Region    string // empty: "auto"
	Bucket    string
	AccessKey string
	Secret    Secret `json:"-"` // nothing that marshals a Location is to be trusted with it
}

// Dialer opens buckets. It keeps clients per credential, so dialling again is cheap.
type Dialer interface {
	Dial(Location) (Bucket, error)
}
