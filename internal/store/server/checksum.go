package server

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strconv"
	"strings"
)

const (
	checksumPrefix = "X-Amz-Checksum-"
	checksumType   = "X-Amz-Checksum-Type"
	composite      = "COMPOSITE"   // of an upload in parts: of the parts' checksums
	fullObject     = "FULL_OBJECT" // of the data, as if they had come in one
)

// checksums are S3's that this server knows, by the end of their header's name.
var checksums = []string{"Crc32", "Crc32c", "Crc64nvme", "Sha1", "Sha256"}

// The polynomials of the CRCs, reversed.
var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	nvme       = crc64.MakeTable(nvmePolynomial)
)

const nvmePolynomial = 0x9a6c9329ac4bc9b5

// checksum is one of S3's checksums over a body that is being received. A nil one is
// none.
type checksum struct {
	header   string // its name
	hash     hash.Hash
	want     []byte // nil while the trailer is still to come
	computed bool   // nothing came to compare it with
}

// newChecksum returns the checksum of that header, nil if there is none such.
func newChecksum(header string) *checksum {
	c := &checksum{header: http.CanonicalHeaderKey(header)}
	switch c.header {
	case checksumPrefix + "Crc32":
		c.hash = crc32.NewIEEE()
	case checksumPrefix + "Crc32c":
		c.hash = crc32.New(castagnoli)
	case checksumPrefix + "Crc64nvme":
		c.hash = crc64.New(nvme)
	case checksumPrefix + "Sha1":
		c.hash = sha1.New()
	case checksumPrefix + "Sha256":
		c.hash = sha256.New()
	default:
		return nil
	}
	return c
}

// ofAlgorithm returns the checksum that S3 calls by that name, like CRC32C.
func ofAlgorithm(name string) (*checksum, error) {
	for _, end := range checksums {
		if strings.EqualFold(name, end) {
			return newChecksum(checksumPrefix + end), nil
		}
	}
	return nil, unsupported("This server does not know the checksum algorithm %.40q: it has CRC32, CRC32C, CRC64NVME, SHA1 and SHA256.", name)
}

func (c *checksum) algorithm() string {
	return strings.ToUpper(strings.TrimPrefix(c.header, checksumPrefix))
}

var errTwoChecksums = refusef(http.StatusBadRequest, "InvalidRequest", "The body has checksums of several kinds: send one.")

// headerChecksum returns the checksum that the headers give of the body: with its value, or
// without one that the body brings in a trailer or that is only named.
func (c *call) headerChecksum(kind bodyKind) (found *checksum, err error) {
	if kind == noBody || kind == documents {
		return nil, nil
	}
	for _, end := range checksums {
		name := checksumPrefix + end
		if !c.has(name) {
			continue
		}
		if found != nil {
			return nil, errTwoChecksums
		}
		found = newChecksum(name)
		if !found.expect(c.get(name)) {
			return nil, refusef(http.StatusBadRequest, "InvalidRequest", "The value of %s is not the base64 of %d bytes.", name, found.hash.Size())
		}
	}
	for _, name := range []string{"X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Checksum-Algorithm"} {
		if !c.has(name) {
			continue
		}
		named, err := ofAlgorithm(c.get(name))
		switch trailer := newChecksum(c.get("X-Amz-Trailer")); {
		case err != nil:
			return nil, err
		case found == nil && trailer == nil && name == "X-Amz-Sdk-Checksum-Algorithm":
			return nil, refusef(http.StatusBadRequest, "InvalidRequest", "%s is there, and no %s%s or trailer of it.", name, strings.ToLower(checksumPrefix), strings.ToLower(named.algorithm()))
		case found != nil && found.header != named.header, found == nil && trailer != nil && trailer.header != named.header:
			return nil, refusef(http.StatusBadRequest, "InvalidRequest", "%s says %s, and the checksum that came is another.", name, named.algorithm())
		case found == nil:
			found = named
		}
	}
	return found, nil
}

// expect sets the value, in base64 as it stands in headers and trailers.
func (c *checksum) expect(value string) bool {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	if err != nil || len(b) != c.hash.Size() {
		return false
	}
	c.want = b
	return true
}

// value is the checksum of what was written, once that has been checked.
func (c *checksum) value() string { return base64.StdEncoding.EncodeToString(c.hash.Sum(nil)) }

func (c *checksum) write(p []byte) {
	if c != nil {
		c.hash.Write(p)
	}
}

// check compares what was written with what was expected.
func (c *checksum) check() error {
	if c == nil || c.computed && c.want == nil || string(c.hash.Sum(nil)) == string(c.want) {
		return nil
	}
	return refusef(http.StatusBadRequest, "BadDigest", "The body does not have the %s that was sent with it.", strings.ToLower(c.header))
}

// joined is the checksum of an object that was put together from parts with the checksums
// values, of so many bytes each: of the whole, or a composite.
func (c *checksum) joined(kind string, values []string, sizes []int64) (string, bool) {
	var whole uint64
	for i, v := range values {
		b, err := base64.StdEncoding.DecodeString(v)
		if err != nil || len(b) != c.hash.Size() {
			return "", false
		}
		if kind == composite {
			c.hash.Write(b)
			continue
		}
		whole = c.combine(whole, b, sizes[i])
	}
	if kind == composite {
		return c.value() + "-" + strconv.Itoa(len(values)), true
	}
	b := binary.BigEndian.AppendUint64(nil, whole)
	return base64.StdEncoding.EncodeToString(b[8-c.hash.Size():]), true
}

// combine returns the CRC of two stretches, from the first's and from the second's, which is n
// bytes long: the first's is moved over n zero bytes, by squaring, and the second's added.
func (c *checksum) combine(first uint64, second []byte, n int64) uint64 {
	var b uint64
	for _, x := range second {
		b = b<<8 | uint64(x)
	}
	poly, width := uint64(crc32.IEEE), 32
	switch c.header {
	case checksumPrefix + "Crc32c":
		poly = crc32.Castagnoli
	case checksumPrefix + "Crc64nvme":
		poly, width = nvmePolynomial, 64
	}
	// The operator of one zero bit, then of two, of four, ...
	op := make([]uint64, width)
	op[0] = poly
	for i := 1; i < width; i++ {
		op[i] = 1 << (i - 1)
	}
	for bits := uint64(n) * 8; bits > 0; bits >>= 1 {
		if bits&1 != 0 {
			first = times(op, first)
		}
		square := make([]uint64, width)
		for i := range square {
			square[i] = times(op, op[i])
		}
		op = square
	}
	return first ^ b
}

// times multiplies a matrix over GF(2), of columns, by a vector.
func times(matrix []uint64, v uint64) (sum uint64) {
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 != 0 {
			sum ^= matrix[i]
		}
	}
	return sum
}
