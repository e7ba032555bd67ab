package s3_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"templar/internal/store"
	"templar/internal/store/storetest"
	"templar/internal/store/transfer"
)

// go test ./internal/store/s3 -versitygw -run Versity
var withVersity = flag.Bool("versitygw", false, "build the third-party server in testkit/versitygw, for two minutes at first, and hold the adapter against it")

// versity is a server that somebody else wrote, in a process of its own.
type versity struct {
	endpoint string
	past     string // an endpoint that leads there, if set
	admin    *minio.Core
	buckets  atomic.Int64
}

const versitySecret = "root-secret"

// buildVersity builds the server, once, and returns where it is. A machine that takes very
// long does without.
var buildVersity = sync.OnceValues(func() (program string, err error) {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Minute)
	defer stop()
	build := exec.CommandContext(ctx, "go", "tool", "-n", "versitygw")
	build.Dir, build.WaitDelay = "../../../testkit/versitygw", time.Second
	var stderr strings.Builder
	build.Stderr = &stderr
	out, err := build.Output()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", errors.Join(err, ctx.Err()), stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
})

func startVersity(t *testing.T) *versity {
	t.Helper()
	if !*withVersity {
		t.Skip("the third-party server is built on demand only: go test ./internal/store/s3 -versitygw -run Versity")
	}
	program, err := buildVersity()
	if err != nil {
		t.Skipf("versitygw cannot be built here: %v", err)
	}
	dir := t.TempDir()
	for _, d := range []string{"objects", "users"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // it takes no listener, nor says which port it got
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	ctx, kill := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, program, "--access", "root", "--secret", versitySecret, "--region", "auto", "--port", addr,
		"--keep-alive", "--quiet", "--iam-dir", filepath.Join(dir, "users"), "posix", filepath.Join(dir, "objects"))
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		kill()
		server.Wait()
	})
	v := &versity{endpoint: "http://" + addr}
	transport := http1()
	t.Cleanup(transport.CloseIdleConnections)
	v.admin, err = minio.NewCore(addr, &minio.Options{Creds: credentials.NewStaticV4("root", versitySecret, ""), Region: "auto", BucketLookup: minio.BucketLookupPath, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	v.wait(t)
	for _, user := range []string{"writer", "reader"} {
		add := exec.CommandContext(t.Context(), program, "admin", "--access", "root", "--secret", versitySecret, "--region", "auto", "--endpoint-url", v.endpoint,
			"create-user", "--access", user, "--secret", user[:1]+"-secret", "--role", "user")
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("create user: %v\n%s", err, out)
		}
	}
	return v
}

func (v *versity) wait(t *testing.T) {
	t.Helper()
	for tick, end := time.Tick(20*time.Millisecond), time.After(time.Minute); ; {
		_, err := v.admin.ListBuckets(t.Context())
		if err == nil {
			return
		}
		select {
		case <-tick:
		case <-end:
			t.Fatalf("versitygw does not answer: %v", err)
		}
	}
}

// fixture makes a bucket with a key that writes and one that reads.
func (v *versity) fixture(t *testing.T) storetest.Fixture {
	t.Helper()
	name := fmt.Sprintf("bucket-%d", v.buckets.Add(1))
	if err := v.admin.MakeBucket(t.Context(), name, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	allow := func(user, actions, resource string) string {
		return fmt.Sprintf(`{"Effect": "Allow", "Principal": {"AWS": [%q]}, "Action": [%s], "Resource": ["arn:aws:s3:::%s"]}`, user, actions, resource)
	}
	const lists, reads, writes = `"s3:ListBucket", "s3:ListBucketMultipartUploads"`, `"s3:GetObject"`, `"s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"`
	policy := `{"Version": "2012-10-17", "Statement": [` + strings.Join([]string{
		allow("writer", lists, name), allow("reader", lists, name),
		allow("writer", reads+", "+writes, name+"/*"), allow("reader", reads, name+"/*"),
	}, ", ") + `]}`
	if err := v.admin.SetBucketPolicy(t.Context(), name, policy); err != nil {
		t.Fatal(err)
	}
	d := dialer(t)
	return storetest.Fixture{
		KeysAreFiles: true,
		Bucket:       dial(t, d, cmp.Or(v.past, v.endpoint), name, "writer", "w-secret"),
		ReadOnly:     dial(t, d, v.endpoint, name, "reader", "r-secret"),
		BadSecret:    dial(t, d, v.endpoint, name, "writer", "r-secret"),
		Missing:      dial(t, d, v.endpoint, "missing", "root", versitySecret),
	}
}

// TestVersityConformance holds the adapter, and our suite, against a server that is not
// ours.
func TestVersityConformance(t *testing.T) {
	v := startVersity(t)
	storetest.Run(t, v.fixture)
}

// TestVersityTransfer moves a large object there and back.
func TestVersityTransfer(t *testing.T) {
	f := startVersity(t).fixture(t)
	data := make([]byte, 3*store.MinPart+100)
	rand.NewChaCha8([32]byte{}).Read(data)
	sum := sha256.Sum256(data)
	o := transfer.Options{PartSize: store.MinPart, Threshold: 1, IfAbsent: true, SHA256: &sum}
	up := func() error {
		_, err := transfer.Upload(t.Context(), f.Bucket, "key", bytes.NewReader(data), int64(len(data)), o)
		return err
	}
	if err := up(); err != nil {
		t.Fatal(err)
	}
	if err := up(); !errors.Is(err, store.ErrExists) {
		t.Errorf("a second time: %v", err)
	}
	if left, err := f.Bucket.Uploads(t.Context(), ""); err != nil || len(left) > 0 {
		t.Errorf("unfinished uploads: %v, %v", left, err)
	}
	if _, err := transfer.Download(t.Context(), f.ReadOnly, "key", filepath.Join(t.TempDir(), "file"), o); err != nil {
		t.Error(err)
	}
}

// TestVersityTrust: that server checks CRCs too, of bodies and of parts that were not
// announced to have one.
func TestVersityTrust(t *testing.T) {
	v := startVersity(t)
	u, err := url.Parse(v.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := http1()
	t.Cleanup(transport.CloseIdleConnections)
	for way, upload := range uploads {
		t.Run(way, func(t *testing.T) {
			var sent *log
			v.past, sent = past(t, func(n int, w http.ResponseWriter, r *http.Request, real http.Handler) {
				if n == 3 {
					damage(r)
				}
				real.ServeHTTP(w, r)
			}, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(u)
				r.Out.Host = r.In.Host // which is signed
			}, Transport: transport})
			b := v.fixture(t).Bucket
			for i := range 4 {
				if err := upload(t, b); (err != nil) != (i == 2) || err != nil && !store.Retryable(err) {
					t.Errorf("upload %d: %v", i, err)
				}
			}
			sent.want(t, "sha256+crc32c", "crc32c", "crc32c", "crc32c")
			wantLarge(t, b)
		})
	}
}
