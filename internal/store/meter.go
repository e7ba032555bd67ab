package store

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
)

// Counters add up the traffic of the buckets that they meter.
type Counters struct{ requests, errors, up, down atomic.Int64 }

// Counts is a reading of Counters.
type Counts struct {
	Requests  int64 `json:"requests"`
	Errors    int64 `json:"errors"`     // failed calls and broken bodies; ErrNotFound and ErrExists are answers
	BytesUp   int64 `json:"bytes_up"`   // of bodies stored
	BytesDown int64 `json:"bytes_down"` // of bodies read
}

// Snapshot reads the counters, each by itself.
func (c *Counters) Snapshot() Counts {
	return Counts{Requests: c.requests.Load(), Errors: c.errors.Load(), BytesUp: c.up.Load(), BytesDown: c.down.Load()}
}

// Meter counts what passes through b. Inside Retry it counts every attempt, outside
// what the caller asked for.
func Meter(b Bucket, c *Counters) Bucket { return &metered{bucket: b, counters: c} }

type metered struct {
	bucket   Bucket
	counters *Counters
}

func (m *metered) count(err error) {
	m.counters.requests.Add(1)
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrExists) {
		m.counters.errors.Add(1)
	}
}

func (m *metered) Head(ctx context.Context, key string) (Info, error) {
	info, err := m.bucket.Head(ctx, key)
	m.count(err)
	return info, err
}

func (m *metered) Get(ctx context.Context, key string, limit int64) (io.ReadCloser, Info, error) {
	body, info, err := m.bucket.Get(ctx, key, limit)
	m.count(err)
	if err != nil {
		return nil, info, err
	}
	return m.follow(body), info, nil
}

func (m *metered) GetRange(ctx context.Context, key string, offset, n int64, etag string) (io.ReadCloser, error) {
	body, err := m.bucket.GetRange(ctx, key, offset, n, etag)
	m.count(err)
	if err != nil {
		return nil, err
	}
	return m.follow(body), nil
}

func (m *metered) follow(body io.ReadCloser) io.ReadCloser {
	read := func(n int, err error) {
		m.counters.down.Add(int64(n))
		if err != nil && err != io.EOF {
			m.counters.errors.Add(1)
		}
	}
	return &hookedBody{ReadCloser: body, onRead: read, onClose: func() {}}
}

func (m *metered) List(ctx context.Context, prefix, after string, max int) ([]Info, error) {
	infos, err := m.bucket.List(ctx, prefix, after, max)
	m.count(err)
	return infos, err
}

func (m *metered) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o PutOptions) (Info, error) {
	info, err := m.bucket.Put(ctx, key, body, size, o)
	m.count(err)
	if err == nil {
		m.counters.up.Add(size)
	}
	return info, err
}

func (m *metered) Delete(ctx context.Context, key string) error {
	err := m.bucket.Delete(ctx, key)
	m.count(err)
	return err
}

func (m *metered) CreateUpload(ctx context.Context, key string) (Upload, error) {
	u, err := m.bucket.CreateUpload(ctx, key)
	m.count(err)
	return u, err
}

func (m *metered) Uploads(ctx context.Context, prefix string) ([]Upload, error) {
	uploads, err := m.bucket.Uploads(ctx, prefix)
	m.count(err)
	return uploads, err
}

func (m *metered) PutPart(ctx context.Context, u Upload, number int, body io.ReaderAt, size int64) (Part, error) {
	p, err := m.bucket.PutPart(ctx, u, number, body, size)
	m.count(err)
	if err == nil {
		m.counters.up.Add(size)
	}
	return p, err
}

func (m *metered) Parts(ctx context.Context, u Upload) ([]Part, error) {
	parts, err := m.bucket.Parts(ctx, u)
	m.count(err)
	return parts, err
}

func (m *metered) CompleteUpload(ctx context.Context, u Upload, parts []Part, o PutOptions) (Info, error) {
	info, err := m.bucket.CompleteUpload(ctx, u, parts, o)
	m.count(err)
	return info, err
}

func (m *metered) AbortUpload(ctx context.Context, u Upload) error {
	err := m.bucket.AbortUpload(ctx, u)
	m.count(err)
	return err
}
