package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/minio/minio-go/v7"
)

// Faults of which the HTTP client knows nothing.
var (
	errSlow    = errors.New("the store is too slow")
	errNoStore = errors.New("the answer is not that of an S3 store: check the endpoint, and what stands between")
)

// call is one request, or one after another, on one client.
type call struct {
	*client
	bucket *bucket
	op     string
	key    string
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// begin readies a call that may take the time that a body of size bytes needs. The caller
// ends it.
func (b *bucket) begin(ctx context.Context, op, key string, size int64) (context.Context, *call, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, fmt.Errorf("%s %s/%s: %w", op, b.place, key, err)
	}
	c, err := b.dialer.client(b.id, b.make)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ctx = context.WithValue(ctx, cancelKey{}, cancel)
	timer := time.AfterFunc(b.dialer.options.allowance(size), func() { cancel(&failure{errSlow}) })
	return ctx, &call{client: c, bucket: b, op: op, key: key, cancel: cancel, timer: timer}, nil
}

// failure ends a call's context, whatever the library makes of that. After a fault that it
// takes for worth a retry the library would wait, though its first attempt was its last: when
// the context has ended it does not.
type failure struct{ error }

// cancelKey finds what ends the context of a request's call.
type cancelKey struct{}

// fail ends the call with err, which it returns.
func fail(ctx context.Context, err error) error {
	if cancel, ok := ctx.Value(cancelKey{}).(context.CancelCauseFunc); ok {
		cancel(&failure{err})
	}
	return err
}

// allowance is the time that a call with a body of size bytes may take.
func (o Options) allowance(size int64) time.Duration {
	return o.CallTimeout + time.Duration(float64(max(0, size))/float64(o.MinRate)*float64(time.Second))
}

func (c *call) end() {
	c.timer.Stop()
	c.cancel(nil)
}

// check names the call in err. After a fault of the connection the client is dropped.
func (c *call) check(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var f *failure
	if errors.As(context.Cause(ctx), &f) {
		err = f.error
	}
	if minio.ToErrorResponse(err).StatusCode == 0 && !errors.Is(err, context.Canceled) {
		c.bucket.dialer.drop(c.bucket.id, c.client)
	}
	return wrap(c.op, c.bucket.place, c.key, err)
}

// checkETag takes an answer without an ETag for what it is: not that of a store, which may
// not have got the body.
func (c *call) checkETag(etag string) error {
	if etag == "" {
		return wrap(c.op, c.bucket.place, c.key, errNoStore)
	}
	return nil
}

// body hands on a response's body. Closing it ends the call.
func (c *call) body(ctx context.Context, r io.ReadCloser, size int64) io.ReadCloser {
	c.timer.Reset(c.bucket.dialer.options.allowance(size))
	return &body{ReadCloser: r, call: c, ctx: ctx}
}

type body struct {
	io.ReadCloser
	call *call
	ctx  context.Context
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.call.check(b.ctx, err)
	}
	return n, err
}

func (b *body) Close() error {
	defer b.call.end()
	return b.ReadCloser.Close()
}
