package store

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxKeyLen is the longest object key in bytes, as in S3.
const MaxKeyLen = 1024

// CheckKey refuses an object key that some S3 implementation would refuse or mangle.
// Its error wraps ErrInvalid.
func CheckKey(key string) error {
	switch {
	case strings.TrimSpace(key) == "":
		return fmt.Errorf("%w: blank object key", ErrInvalid)
	case len(key) > MaxKeyLen:
		return fmt.Errorf("%w: object key of %d bytes, at most %d", ErrInvalid, len(key), MaxKeyLen)
	case !utf8.ValidString(key):
		return fmt.Errorf("%w: object key %q is not UTF-8", ErrInvalid, key)
	case strings.ContainsFunc(key, unicode.IsControl):
		return fmt.Errorf("%w: control character in object key %q", ErrInvalid, key)
	}
	return nil
}

// CheckPut refuses a Put of a key or size that cannot be. Its error wraps ErrInvalid.
func CheckPut(key string, size int64) error {
	if size < 0 {
		return fmt.Errorf("%w: object %q of %d bytes", ErrInvalid, key, size)
	}
	return CheckKey(key)
}

// CheckRange refuses a GetRange that cannot be asked for. Its error wraps ErrInvalid.
func CheckRange(offset, n int64) error {
	if offset < 0 || n <= 0 || offset+n < 0 {
		return fmt.Errorf("%w: range of %d bytes at %d", ErrInvalid, n, offset)
	}
	return nil
}

// CheckETag refuses an object that has another ETag than the one asked for, unless that
// is empty. Its error wraps ErrChanged.
func CheckETag(key string, have Info, want string) error {
	if want != "" && have.ETag != want {
		return fmt.Errorf("object %q: %w: its ETag is %.64q, not %.64q", key, ErrChanged, have.ETag, want)
	}
	return nil
}

// CheckBucketName refuses names that are not DNS labels of 3 to 63 bytes with dots,
// and with them whatever could climb out of a directory. Its error wraps ErrInvalid.
func CheckBucketName(name string) error {
	ok := len(name) >= 3 && len(name) <= 63
	for label := range strings.SplitSeq(name, ".") {
		ok = ok && label != "" && label[0] != '-' && label[len(label)-1] != '-' &&
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
	}
	if !ok {
		return fmt.Errorf("%w: bucket name %q (3 to 63 of a-z, 0-9, '-' and '.')", ErrInvalid, name)
	}
	return nil
}
