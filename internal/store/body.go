package store

import "io"

// hookedBody lets a decorator follow a body that it hands on.
type hookedBody struct {
	io.ReadCloser
	onRead  func(n int, err error)
	onClose func()
}

func (b *hookedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.onRead(n, err)
	return n, err
}

func (b *hookedBody) Close() error {
	defer b.onClose()
	return b.ReadCloser.Close()
}
