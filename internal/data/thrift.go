package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The footer of a parquet file is a structure in Thrift's compact encoding. The library makes
// room for as many items as a list says that it has, before it reads one: a few bytes could ask
// for more memory than there is, which ends the process. So the footer is walked first.

const (
	maxFooter      = 64 << 20 // bytes
	maxFooterItems = 1 << 20  // of all lists
	maxFooterDepth = 32
)

var errFooter = errors.New("damaged parquet file: its footer")

// checkFooter reads the footer of a file and walks it.
func checkFooter(r io.ReaderAt, size int64) error {
	var tail [8]byte
	if size < int64(len(tail)) {
		return fmt.Errorf("%w: %d bytes are too few", errFooter, size)
	}
	if _, err := r.ReadAt(tail[:], size-int64(len(tail))); err != nil {
		return err
	}
	n := int64(binary.LittleEndian.Uint32(tail[:4]))
	if n > size-int64(len(tail)) || n > maxFooter {
		return fmt.Errorf("%w has %d bytes", errFooter, n)
	}
	footer := make([]byte, n)
	if _, err := r.ReadAt(footer, size-int64(len(tail))-n); err != nil {
		return err
	}
	w := thriftWalk{rest: footer}
	return w.structure(0)
}

// thriftWalk passes over values.
type thriftWalk struct {
	rest  []byte
	items uint64
}

func (w *thriftWalk) take(n uint64) ([]byte, error) {
	if n > uint64(len(w.rest)) {
		return nil, fmt.Errorf("%w ends too early", errFooter)
	}
	out := w.rest[:n]
	w.rest = w.rest[n:]
	return out, nil
}

func (w *thriftWalk) varint() (uint64, error) {
	v, n := binary.Uvarint(w.rest)
	if n <= 0 {
		return 0, fmt.Errorf("%w has a broken number", errFooter)
	}
	w.rest = w.rest[n:]
	return v, nil
}

// structure passes over fields up to the one that ends them.
func (w *thriftWalk) structure(depth int) error {
	for {
		head, err := w.take(1)
		if err != nil || head[0] == 0 {
			return err
		}
		if head[0]>>4 == 0 { // the field's number follows
			if _, err := w.varint(); err != nil {
				return err
			}
		}
		if kind := head[0] & 0xf; kind == 1 || kind == 2 { // a bool that is its own value
			continue
		} else if err := w.value(kind, depth); err != nil {
			return err
		}
	}
}

func (w *thriftWalk) value(kind byte, depth int) (err error) {
	switch kind {
	case 1, 2, 3: // in a list, a bool is a byte
		_, err = w.take(1)
	case 4, 5, 6:
		_, err = w.varint()
	case 7:
		_, err = w.take(8)
	case 8:
		var n uint64
		if n, err = w.varint(); err == nil {
			_, err = w.take(n)
		}
	case 9, 10:
		err = w.list(depth + 1)
	case 12:
		if depth >= maxFooterDepth {
			return fmt.Errorf("%w is more than %d deep", errFooter, maxFooterDepth)
		}
		err = w.structure(depth + 1)
	default: // maps are in no footer
		err = fmt.Errorf("%w has a value of kind %d", errFooter, kind)
	}
	return err
}

func (w *thriftWalk) list(depth int) error {
	if depth > maxFooterDepth {
		return fmt.Errorf("%w is more than %d deep", errFooter, maxFooterDepth)
	}
	head, err := w.take(1)
	if err != nil {
		return err
	}
	n := uint64(head[0] >> 4)
	if n == 0xf {
		if n, err = w.varint(); err != nil {
			return err
		}
	}
	if w.items += min(n, maxFooterItems+1); w.items > maxFooterItems {
		return fmt.Errorf("%w lists more than %d items", errFooter, maxFooterItems)
	}
	for range n {
		if err := w.value(head[0]&0xf, depth); err != nil {
			return err
		}
	}
	return nil
}
