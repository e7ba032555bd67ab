package s3_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/s3"
	"templar/internal/store/server"
	"templar/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs an embedded server on loopback until the test ends.
func serve(t *testing.T, c server.Config) (endpoint string) {
	t.Helper()
	s, err := server.Open(c)
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
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

func dialer(t *testing.T) *s3.Dialer {
	d := s3.NewDialer(s3.Options{})
	t.Cleanup(func() { d.Close() })
	return d
}

func dial(t *testing.T, d *s3.Dialer, endpoint, bucket, key string, secret store.Secret) store.Bucket {
	t.Helper()
	b, err := d.Dial(store.Location{Endpoint: endpoint, Bucket: bucket, AccessKey: key, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fixture(t *testing.T) storetest.Fixture {
	grants := func(write bool) []store.Grant {
		return []store.Grant{{Bucket: "bucket", Write: write}, {Bucket: "missing", Write: write}}
	}
	e := serve(t, server.Config{Dir: t.TempDir(), Keys: []server.Key{
		{AccessKey: "writer", Secret: "w-secret", Grants: grants(true)},
		{AccessKey: "reader", Secret: "r-secret", Grants: grants(false)},
	}})
	d := dialer(t)
	return storetest.Fixture{
		Bucket:    dial(t, d, e, "bucket", "writer", "w-secret"),
		ReadOnly:  dial(t, d, e, "bucket", "reader", "r-secret"),
		BadSecret: dial(t, d, e, "bucket", "writer", "r-secret"),
		Missing:   dial(t, d, e, "missing", "writer", "w-secret"),
	}
}

func TestConformance(t *testing.T) { storetest.Run(t, fixture) }

// TestDecoratedConformance stacks the decorators as a node does.
func TestDecoratedConformance(t *testing.T) {
	wrap := func(b store.Bucket) store.Bucket {
		return store.Retry(store.Meter(store.Limit(b, 4), new(store.Counters)), store.RetryPolicy{}, clock.Wall{})
	}
	storetest.Run(t, func(t *testing.T) storetest.Fixture {
		f := fixture(t)
		return storetest.Fixture{Bucket: wrap(f.Bucket), ReadOnly: wrap(f.ReadOnly), BadSecret: wrap(f.BadSecret), Missing: wrap(f.Missing)}
	})
}

// TestListBeyondAPage: a store sends 1000 keys at a time.
func TestListBeyondAPage(t *testing.T) {
	f := fixture(t)
	const n = 1005
	for i := range n {
		if _, err := f.Bucket.Put(t.Context(), fmt.Sprintf("key-%04d", i), strings.NewReader(""), 0, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	infos, err := f.Bucket.List(t.Context(), "key-", "", 5000)
	if err != nil || len(infos) != n {
		t.Fatalf("%d keys, %v; want %d", len(infos), err, n)
	}
	for i, info := range infos {
		if want := fmt.Sprintf("key-%04d", i); info.Key != want {
			t.Fatalf("key %d is %q, want %q", i, info.Key, want)
		}
	}
}

// http1 is a transport that a test closes itself, so that no goroutine is left.
func http1() *http.Transport { return &http.Transport{MaxIdleConnsPerHost: 8} }
