package s3

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"io"
	"sync/atomic"

	"templar/internal/store"
)

// trust in a store to check the CRC-32C that comes with a body. Computed on both sides, a
// SHA-256 costs as much as the server's MD5; but a store that does not know the CRC would
// ignore it, and take a damaged body. So the first large body goes with both, and only
// after an answer that names its CRC do those that follow go without the SHA-256.
//
// Puts and parts are trusted apart: a store may know the one and refuse the other. Over
// https it is denied from the start: there the stores are that have rules of their own for
// checksums of parts (Cloudflare R2, AWS).
type trust struct{ state atomic.Int32 }

const (
	untried int32 = iota
	denied        // or being tried: a failure, of whatever kind, is not tried twice
	given
)

// hashes chooses what goes with a body of size bytes.
func (t *trust) hashes(size int64) hashes {
	switch {
	case size <= maxMD5:
		return hashes{md5: md5.New()}
	case t.state.CompareAndSwap(untried, denied):
		return hashes{sha256: sha256.New(), crc32c: newCRC()}
	case t.state.Load() == given:
		return hashes{crc32c: newCRC()}
	}
	return hashes{sha256: sha256.New()}
}

// errUnchecked is worth a retry, which goes with the SHA-256.
var errUnchecked = errors.New("the store did not check the body, as it did before")

// learn takes what a store made of a body. Its error means that nothing vouches for it.
func (t *trust) learn(sent digest, echo string) error {
	switch {
	case sent.crc32c == "":
	case echo == sent.crc32c:
		t.state.Store(given)
	default:
		t.state.Store(denied)
		if sent.sha256Hex == "" {
			return errUnchecked
		}
	}
	return nil
}

// send has put send a body with its digest, and again if a store refuses the first
// CRC-32C that it gets. put returns the one that the answer names.
func (c *call) send(ctx context.Context, t *trust, body io.ReaderAt, size int64, put func(digest) (echo string, err error)) error {
	for {
		d, err := checksum(ctx, body, size, t.hashes(size))
		if err != nil {
			return wrap(c.op, c.bucket.place, c.key, err)
		}
		echo, err := put(d)
		if err == nil {
			return wrap(c.op, c.bucket.place, c.key, t.learn(d, echo))
		}
		err = c.check(ctx, err)
		if tried := d.crc32c != "" && d.sha256Hex != ""; !tried || !errors.Is(err, store.ErrInvalid) {
			return err
		}
	}
}
