package wandb

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// A .wandb file is a log in LevelDB's form behind a header of seven bytes: blocks of 32 KiB, which
// hold chunks of a checksum, a length, a kind and data. The header counts as part of the first block.
const (
	blockSize   = 32 << 10
	chunkHeader = 7 // checksum (4), length (2), kind (1), little-endian
	maxRecord   = 64 << 20
)

// fileHeader is ":W&B", a magic number and the version 0.
const fileHeader = ":W&B\xE1\xBE\x00"

const (
	chunkFull = iota + 1
	chunkFirst
	chunkMiddle
	chunkLast
)

// frame returns a record's chunks, for a file that is at bytes long.
func frame(at int64, record []byte) []byte {
	var out []byte
	for first := true; ; first = false {
		left := blockSize - int((at+int64(len(out)))%blockSize)
		if left < chunkHeader { // the rest of a block that cannot hold a header is zero
			out = append(out, make([]byte, left)...)
			left = blockSize
		}
		n := min(len(record), left-chunkHeader)
		last := n == len(record)
		kind := byte(chunkMiddle)
		switch {
		case first && last:
			kind = chunkFull
		case first:
			kind = chunkFirst
		case last:
			kind = chunkLast
		}
		begin := len(out)
		out = append(out, 0, 0, 0, 0, 0, 0, kind)
		out = append(out, record[:n]...)
		binary.LittleEndian.PutUint32(out[begin:], crc32.ChecksumIEEE(out[begin+6:]))
		binary.LittleEndian.PutUint16(out[begin+4:], uint16(n))
		if record = record[n:]; last {
			return out
		}
	}
}

// errTorn means that the file ends, or is damaged, before the end of a record.
var errTorn = errors.New("damaged record")

// reader reads records one after the other.
type reader struct {
	from  io.Reader
	at    int64 // offset of the next chunk
	whole int64 // offset after the last record that was whole
}

// next returns the next record, io.EOF after the last, and errTorn at a damaged one.
func (r *reader) next() ([]byte, error) {
	var record []byte
	for started := false; ; {
		if left := blockSize - r.at%blockSize; left < chunkHeader {
			if _, err := io.CopyN(io.Discard, r.from, left); err != nil {
				return nil, r.ended(started)
			}
			r.at += left
		}
		var h [chunkHeader]byte
		if n, err := io.ReadFull(r.from, h[:]); err != nil {
			return nil, r.ended(started || n > 0)
		}
		size, kind := int(binary.LittleEndian.Uint16(h[4:])), h[6]
		begins := kind == chunkFull || kind == chunkFirst
		if int(r.at%blockSize)+chunkHeader+size > blockSize || begins == started || kind < chunkFull || kind > chunkLast || len(record)+size > maxRecord {
			return nil, errTorn
		}
		data := make([]byte, 1+size)
		data[0] = kind
		if _, err := io.ReadFull(r.from, data[1:]); err != nil || crc32.ChecksumIEEE(data) != binary.LittleEndian.Uint32(h[:]) {
			return nil, errTorn
		}
		record, started = append(record, data[1:]...), true
		r.at += int64(chunkHeader + size)
		if kind == chunkFull || kind == chunkLast {
			r.whole = r.at
			return record, nil
		}
	}
}

func (r *reader) ended(amid bool) error {
	if amid {
		return errTorn
	}
	return io.EOF
}

// newReader reads the file's header.
func newReader(from io.Reader) (*reader, error) {
	h := make([]byte, len(fileHeader))
	if _, err := io.ReadFull(from, h); err != nil || string(h) != fileHeader {
		return nil, errors.New("not a .wandb file")
	}
	return &reader{from: from, at: int64(len(h)), whole: int64(len(h))}, nil
}
