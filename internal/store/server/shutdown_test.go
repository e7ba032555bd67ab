package server_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"templar/internal/store"
	"templar/internal/store/s3"
	"templar/internal/store/server"
)

// gate is a body that stops in the middle, at its second reading, until it is
// opened: the first computes the checksum.
type gate struct {
	io.ReaderAt
	size    int64
	open    chan struct{}
	reading int
}

func (g *gate) ReadAt(p []byte, off int64) (int, error) {
	if off == 0 {
		g.reading++
	}
	if off >= g.size/2 && g.reading == 2 {
		<-g.open
	}
	return g.ReaderAt.ReadAt(p, off)
}

// waitForFile waits until a body is being received.
func waitForFile(t *testing.T, dir string) {
	t.Helper()
	for tick := time.Tick(time.Millisecond); ; {
		if files, err := os.ReadDir(dir); err == nil && len(files) > 0 {
			return
		}
		select {
		case <-tick:
		case <-t.Context().Done():
			t.Fatal("no request arrived")
		}
	}
}

// TestServeFinishesOpenRequests: a Put that runs when Serve's context ends is stored
// and answered before Serve returns.
func TestServeFinishesOpenRequests(t *testing.T) {
	dir := t.TempDir()
	s, err := server.Open(server.Config{Dir: dir, Keys: []server.Key{admin}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	d := s3.NewDialer(s3.Options{})
	defer d.Close()
	b, err := d.Dial(store.Location{Endpoint: "http://" + l.Addr().String(), Bucket: "bucket", AccessKey: admin.AccessKey, Secret: admin.Secret})
	if err != nil {
		t.Fatal(err)
	}
	const size = 1 << 20
	g := &gate{ReaderAt: strings.NewReader(strings.Repeat("x", size)), size: size, open: make(chan struct{})}
	stored := make(chan error, 1)
	go func() {
		_, err := b.Put(context.Background(), "key", g, size, store.PutOptions{})
		stored <- err
	}()
	waitForFile(t, filepath.Join(dir, "tmp"))
	stop()
	close(g.open)
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := <-stored; err != nil {
		t.Errorf("put: %v", err)
	}
}
