//go:build unix

package fs

import (
	"errors"

	"golang.org/x/sys/unix"
)

// regularOnly keeps an open from following a link, and from waiting for a FIFO's other end.
const regularOnly = unix.O_NOFOLLOW | unix.O_NONBLOCK

// linkIsNoObject says of a link, or of what cannot be opened (a socket), that it is no object.
func linkIsNoObject(err error) error {
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
		return errNotRegular
	}
	return err
}
