package fs

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// An object's file, integers little-endian:
//
//	data | record (JSON) | uint32 length of record | uint32 CRC-32C of record | magic
const (
	magic      = "tmplobj1"
	footerSize = 4 + 4 + len(magic)
	maxRecord  = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errTorn = errors.New("not an intact object file")

// Object is what is known of a stored object.
type Object struct {
	Key      string            `json:"key"`
	Size     int64             `json:"size"`
	Modified time.Time         `json:"modified"`         // when the last byte had arrived
	ETag     []byte            `json:"etag"`             // MD5, or of an upload in parts see Complete
	Header   map[string]string `json:"header,omitempty"` // what else the uploader said of it
}

// Tag is the object's ETag without quotes, as S3 clients know it: the MD5 of the data or, with
// the number of parts behind a hyphen, of the parts' MD5s. Clients take one with a hyphen for
// no digest of the data.
func (o Object) Tag() string { return Tag(o.ETag) }

// Tag is an ETag in that form.
func Tag(etag []byte) string {
	if len(etag) == md5.Size+2 {
		return fmt.Sprintf("%x-%d", etag[:md5.Size], binary.BigEndian.Uint16(etag[md5.Size:]))
	}
	return hex.EncodeToString(etag)
}

// appendRecord encodes what follows an object's data.
func appendRecord(o Object) ([]byte, error) {
	b, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	if len(b) > maxRecord {
		return nil, fmt.Errorf("record of %d bytes, at most %d", len(b), maxRecord)
	}
	n, sum := len(b), crc32.Checksum(b, castagnoli)
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	b = binary.LittleEndian.AppendUint32(b, sum)
	return append(b, magic...), nil
}

// ReadObject reads what a file of a bucket's folder says of its object, whose data are
// the first Size bytes: for tools that look at files without the store.
func ReadObject(f io.ReaderAt, size int64) (Object, error) { return readRecord(f, size) }

// readRecord decodes the end of an object file of the given size.
func readRecord(f io.ReaderAt, size int64) (Object, error) {
	var footer [footerSize]byte
	if size < int64(footerSize) {
		return Object{}, errTorn
	}
	if _, err := f.ReadAt(footer[:], size-int64(footerSize)); err != nil {
		return Object{}, err
	}
	n := int64(binary.LittleEndian.Uint32(footer[:]))
	if string(footer[8:]) != magic || n > maxRecord || n > size-int64(footerSize) {
		return Object{}, errTorn
	}
	b := make([]byte, n)
	if _, err := f.ReadAt(b, size-int64(footerSize)-n); err != nil {
		return Object{}, err
	}
	if crc32.Checksum(b, castagnoli) != binary.LittleEndian.Uint32(footer[4:]) {
		return Object{}, errTorn
	}
	var o Object
	if err := json.Unmarshal(b, &o); err != nil {
		return Object{}, errTorn
	}
	if o.Size != size-int64(footerSize)-n {
		return Object{}, errTorn
	}
	return o, nil
}
