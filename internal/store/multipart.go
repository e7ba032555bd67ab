package store

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
)

// Limits of objects that are sent in parts, as in S3.
const (
	MinPart  = 5 << 20 // bytes of a part that is not the last
	MaxParts = 10_000
)

// Upload is an object on its way: begun, and neither completed nor aborted.
type Upload struct {
	Key       string
	ID        string // opaque
	Initiated time.Time
}

// Part is a part of an upload, as the store has it.
type Part struct {
	Number int // from 1
	Size   int64
	ETag   string // the part's MD5 in most stores
}

// Multipart sends an object in parts, which a later process can go on with. Nothing of
// an upload shows in Head, Get or List before it is complete.
type Multipart interface {
	// CreateUpload begins an upload. The object is stored by CompleteUpload only.
	CreateUpload(ctx context.Context, key string) (Upload, error)
	// Uploads returns the unfinished uploads whose keys begin with prefix, by key, then
	// the oldest first: the first thousand of them.
	Uploads(ctx context.Context, prefix string) ([]Upload, error)
	// PutPart stores a part, all or nothing; one of the same number is replaced. Like
	// Put it sends a checksum along.
	PutPart(ctx context.Context, u Upload, number int, body io.ReaderAt, size int64) (Part, error)
	// Parts returns the upload's parts in ascending order of their numbers.
	Parts(ctx context.Context, u Upload) ([]Part, error)
	// CompleteUpload makes an object of the parts, which CheckParts must find good, and
	// ends the upload. When the key is taken and o.IfAbsent is set, it fails with
	// ErrExists and the upload stays. A second time gives ErrNotFound, or the object in
	// stores that remember.
	CompleteUpload(ctx context.Context, u Upload, parts []Part, o PutOptions) (Info, error)
	// AbortUpload drops the upload with its parts. Dropping what is not there is no
	// error; the other calls give ErrNotFound then.
	AbortUpload(ctx context.Context, u Upload) error
}

// CheckParts refuses parts that Cloudflare R2, the strictest store, would not join: out of
// order, of several sizes, or too small, but for the last, which may be smaller than the
// others and not larger. Its error wraps ErrInvalid.
func CheckParts(parts []Part) error {
	if len(parts) == 0 || len(parts) > MaxParts {
		return fmt.Errorf("%w: %d parts, want 1 to %d", ErrInvalid, len(parts), MaxParts)
	}
	for i, p := range parts {
		last, first := i == len(parts)-1, parts[0].Size
		switch {
		case p.Number < 1 || p.Number > MaxParts || i > 0 && p.Number <= parts[i-1].Number:
			return fmt.Errorf("%w: part %d at place %d", ErrInvalid, p.Number, i+1)
		case !last && p.Size < MinPart:
			return fmt.Errorf("%w: part %d of %d bytes, want %d or more", ErrInvalid, p.Number, p.Size, MinPart)
		case p.Size > first || !last && p.Size != first:
			return fmt.Errorf("%w: part %d of %d bytes after parts of %d", ErrInvalid, p.Number, p.Size, first)
		}
	}
	return nil
}

// CheckPart refuses a PutPart that cannot be. Its error wraps ErrInvalid.
func CheckPart(number int, size int64) error {
	if number < 1 || number > MaxParts || size < 0 {
		return fmt.Errorf("%w: part %d of %d bytes", ErrInvalid, number, size)
	}
	return nil
}

// PartsETag is what the ETag of an object begins with that was joined from the parts, in
// stores whose ETags are MD5: the hexadecimal MD5 of the parts' MD5s, before "-" and the
// number of parts in most. It is "" when the parts' ETags are no MD5.
func PartsETag(parts []Part) string {
	h := md5.New()
	for _, p := range parts {
		sum, err := hex.DecodeString(p.ETag)
		if err != nil || len(sum) != md5.Size {
			return ""
		}
		h.Write(sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// joined tells whether an object is the one that these parts make.
func joined(info Info, parts []Part) bool {
	var size int64
	for _, p := range parts {
		size += p.Size
	}
	etag := PartsETag(parts)
	return info.Size == size && etag != "" && strings.HasPrefix(info.ETag, etag)
}
