package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"

	"templar/internal/store"
	"templar/internal/store/s3"
	"templar/internal/store/server"
	"templar/internal/store/transfer"
)

// contender is a client and a server on loopback.
type contender struct {
	name   string
	put    func(ctx context.Context, body io.ReaderAt, size int64) error
	get    func(ctx context.Context) (int64, error) // read to the end, and thrown away
	remove func(ctx context.Context) error
}

func contenders(ctx context.Context, dir string, j job) (list []contender, closeAll func(), err error) {
	plain, closePlain := overHTTP("plain", filepath.Join(dir, "plain"), false)
	synced, closeSynced := overHTTP("with MD5 and fsync", filepath.Join(dir, "synced"), true)
	ours, closeOurs, err := overS3(ctx, filepath.Join(dir, "ours"), j)
	if err != nil {
		closeOurs = func() {}
	}
	return []contender{plain, synced, ours}, func() { closePlain(); closeSynced(); closeOurs() }, err
}

// overHTTP keeps one object in a file, written under another name first.
func overHTTP(name, path string, durable bool) (contender, func()) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			http.ServeFile(w, r, path)
			return
		}
		etag, err := receive(path, r.Body, durable)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("ETag", etag)
	}))
	do := func(ctx context.Context, method string, body io.Reader, size int64) (int64, error) {
		req, err := http.NewRequestWithContext(ctx, method, s.URL, body)
		if err != nil {
			return 0, err
		}
		req.ContentLength = size
		resp, err := s.Client().Do(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return 0, errors.New(resp.Status)
		}
		return io.Copy(io.Discard, resp.Body)
	}
	return contender{
		name: name,
		put: func(ctx context.Context, body io.ReaderAt, size int64) error {
			_, err := do(ctx, http.MethodPut, io.NewSectionReader(body, 0, size), size)
			return err
		},
		get:    func(ctx context.Context) (int64, error) { return do(ctx, http.MethodGet, nil, 0) },
		remove: func(context.Context) error { return os.Remove(path) },
	}, s.Close
}

func receive(path string, body io.Reader, durable bool) (etag string, err error) {
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := md5.New()
	w := io.Writer(f)
	if durable {
		w = io.MultiWriter(f, h)
	}
	if _, err := io.Copy(w, body); err != nil {
		return "", err
	}
	if durable {
		if err := f.Sync(); err != nil {
			return "", err
		}
	}
	if err := errors.Join(f.Close(), os.Rename(f.Name(), path)); err != nil || !durable {
		return "", err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	defer folder.Close()
	return `"` + hex.EncodeToString(h.Sum(nil)) + `"`, folder.Sync()
}

// overS3 is the client that nodes use, against the embedded server.
func overS3(ctx context.Context, dir string, j job) (contender, func(), error) {
	key := store.Key{AccessKey: "bench", Secret: "bench-secret", Admin: true}
	s, err := server.Open(server.Config{Dir: dir, Keys: []server.Key{key}, Fsync: true})
	if err != nil {
		return contender{}, nil, err
	}
	endpoint, stop, err := listen(ctx, s, "bench")
	if err != nil {
		return contender{}, nil, err
	}
	d := s3.NewDialer(s3.Options{})
	b, err := d.Dial(store.Location{Endpoint: endpoint, Bucket: "bench", AccessKey: key.AccessKey, Secret: key.Secret})
	const object = "object"
	c := contender{
		name: "ours",
		put: func(ctx context.Context, body io.ReaderAt, size int64) error {
			if j.parts {
				_, err := transfer.Upload(ctx, b, object, body, size, transfer.Options{})
				return err
			}
			_, err := b.Put(ctx, object, body, size, store.PutOptions{})
			return err
		},
		get: func(ctx context.Context) (int64, error) {
			body, _, err := b.Get(ctx, object, -1)
			if err != nil {
				return 0, err
			}
			defer body.Close()
			return io.Copy(io.Discard, body)
		},
		remove: func(ctx context.Context) error { return b.Delete(ctx, object) },
	}
	return c, func() { d.Close(); stop() }, err
}

// listen serves s with a bucket; stop waits for its end.
func listen(ctx context.Context, s *server.Server, buckets ...string) (endpoint string, stop func(), err error) {
	for _, name := range buckets {
		if err := s.CreateBucket(name); err != nil {
			return "", nil, err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = s.Serve(ctx, l) })
	return "http://" + l.Addr().String(), func() { cancel(); running.Wait() }, nil
}

// pattern is an endless body that is cheap to generate.
type pattern struct{}

var block = func() []byte {
	b := make([]byte, mib)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}()

func (pattern) ReadAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		n += copy(p[n:], block[(off+int64(n))%mib:])
	}
	return len(p), nil
}
