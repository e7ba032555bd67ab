package fs

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"os"

	"templar/internal/store"
)

// ErrBadDigest is wrapped when a body is not what its sender said.
var ErrBadDigest = errors.New("body has another MD5")

const (
	chunk     = 256 << 10 // of a body, read, hashed and written at once
	ahead     = 4         // chunks that the hash may lag behind
	writeback = 8 << 20   // bytes after which the disk is told to begin
)

// receive writes body to f from offset on and returns its size and MD5. size < 0 takes
// what comes; want, if set, is the MD5 that it must have.
func (s *Store) receive(ctx context.Context, f *os.File, offset int64, body io.Reader, size int64, want []byte) (int64, []byte, error) {
	h := newHasher(s, size)
	limited := body
	if size >= 0 { // what follows in f may be another part
		limited = io.LimitReader(body, size)
	}
	n, err := s.copyBody(ctx, f, offset, limited, h)
	sum := h.sum()
	switch {
	case err != nil:
		return 0, nil, err
	case size >= 0 && n < size:
		return 0, nil, fmt.Errorf("body of %d bytes ends after %d: %w", size, n, io.ErrUnexpectedEOF)
	case want != nil && !bytes.Equal(sum, want):
		return 0, nil, ErrBadDigest
	}
	if size >= 0 {
		err = wantEnd(body, size)
	}
	return n, sum, err
}

// wantEnd reads on: there must be nothing, and a body that checks itself may only now find
// itself wrong.
func wantEnd(body io.Reader, size int64) error {
	var next [1]byte
	n, err := io.ReadFull(body, next[:])
	if n > 0 {
		return fmt.Errorf("%w: body of %d bytes goes on after them", store.ErrInvalid, size)
	}
	if err != io.EOF {
		return err
	}
	return nil
}

func (s *Store) copyBody(ctx context.Context, f *os.File, offset int64, body io.Reader, h *hasher) (n int64, err error) {
	for flushed := int64(0); err == nil; {
		if err = ctx.Err(); err != nil {
			break
		}
		buf := h.buffer()
		var m int
		m, err = fill(body, buf)
		h.hash(buf[:m])
		if _, werr := f.WriteAt(buf[:m], offset+n); werr != nil {
			return n, werr
		}
		n += int64(m)
		if s.fsync && n-flushed >= writeback {
			startWriteback(f, offset+flushed, n-flushed)
			flushed = n
		}
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// fill reads until buf is full or r ends.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}

// hasher computes a body's MD5 in a goroutine of its own, beside the reading and
// writing of what follows: none of the three alone is as slow as all in turn.
type hasher struct {
	store *Store
	work  chan []byte
	free  chan []byte // hashed, and to be filled again
	done  chan []byte // the sum
}

func newHasher(s *Store, size int64) *hasher {
	n := ahead
	if 0 <= size && size < chunk {
		n = 1
	}
	h := &hasher{s, make(chan []byte, n), make(chan []byte, n), make(chan []byte, 1)}
	for range n {
		h.free <- nil
	}
	go func() {
		sum := md5.New()
		for b := range h.work {
			sum.Write(b)
			h.free <- b[:chunk]
		}
		h.done <- sum.Sum(nil)
	}()
	return h
}

// buffer waits for a buffer that may be written to.
func (h *hasher) buffer() []byte {
	if b := <-h.free; b != nil {
		return b
	}
	return h.store.buffers.Get().(*[chunk]byte)[:]
}

// hash takes b, which buffer returned, or its beginning. It may be read until the next
// call of buffer.
func (h *hasher) hash(b []byte) { h.work <- b }

// sum ends the goroutine and gives the buffers back.
func (h *hasher) sum() []byte {
	close(h.work)
	sum := <-h.done
	for range cap(h.free) {
		select {
		case b := <-h.free:
			if b != nil {
				h.store.buffers.Put((*[chunk]byte)(b))
			}
		default:
		}
	}
	return sum
}
