package localnet

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"templar/internal/config"
	"templar/internal/store"
	"templar/internal/telemetry"
)

// floods is how many hostile connections the chain's RPC and the store each get:
// go test ./internal/localnet -run Flood -floods 1000 -v.
var floods = flag.Int("floods", 200, "hostile connections to the RPC, and as many to the store")

var floodWindows = flag.Uint("flood-windows", 0, "windows under the flood; 0: as few as show it")

// floodPace is how long a window is under the flood, in windows of the preset.
var floodPace = flag.Float64("flood-pace", 1, "time of a window under the flood, in times of the preset's")

// floodReads makes all hostile connections to the store read with its public keys, as fast as they are answered.
var floodReads = flag.Bool("flood-reads", false, "all hostile connections to the store read with the public keys")

// flood is hostile connections of one machine. All come from the address of the honest nodes, so
// that no limit by address helps.
type flood struct {
	ctx    context.Context
	wg     sync.WaitGroup
	opened atomic.Int64 // connections, those opened again included
	sent   atomic.Int64 // whole requests
	failed atomic.Int64 // of them, answered by an error
}

// hold keeps n connections open that have sent so much and nothing else; one that the server
// closes is opened again.
func (f *flood) hold(address string, n int, begin string) {
	for range n {
		f.wg.Go(func() {
			for f.ctx.Err() == nil {
				f.once(address, begin)
				pause(f.ctx, 50*time.Millisecond)
			}
		})
	}
}

func (f *flood) once(address, begin string) {
	var d net.Dialer
	c, err := d.DialContext(f.ctx, "tcp", address)
	if err != nil {
		return
	}
	defer c.Close()
	stop := context.AfterFunc(f.ctx, func() { c.Close() })
	defer stop()
	f.opened.Add(1)
	if _, err := io.WriteString(c, begin); err != nil {
		return
	}
	one := make([]byte, 1) // an answer is not read, but for its first bytes; the end is noticed
	for range 100 {
		if _, err := c.Read(one); err != nil {
			return
		}
	}
	<-f.ctx.Done()
}

// ask sends requests over n connections as fast as they are answered.
func (f *flood) ask(url string, n int, body string) { f.request(http.MethodPost, url, n, body) }

func (f *flood) request(method, url string, n int, body string) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n}}
	for range n {
		f.opened.Add(1)
		f.wg.Go(func() {
			for f.ctx.Err() == nil {
				req, err := http.NewRequestWithContext(f.ctx, method, url, strings.NewReader(body))
				if err != nil {
					return
				}
				r, err := client.Do(req)
				if err != nil {
					pause(f.ctx, 50*time.Millisecond)
					continue
				}
				_, _ = io.Copy(io.Discard, r.Body)
				r.Body.Close()
				f.sent.Add(1)
				if r.StatusCode >= http.StatusBadRequest {
					f.failed.Add(1)
				}
			}
		})
	}
	context.AfterFunc(f.ctx, client.CloseIdleConnections)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// chain floods the RPC.
func (f *flood) chain(address string, n int) {
	call := func(method, params string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
	}
	head := func(body string) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	f.hold(address, n/5, "")
	f.hold(address, n/5, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
	f.hold(address, n/5, head(call("templar_next", `{"after":"99999999"}`)))
	f.ask("http://"+address, n/5, call("abci_query", `{"path":"/metagraph"}`))
	f.ask("http://"+address, n/5, "["+strings.Repeat(call("genesis", "{}")+",", 200)+call("genesis", "{}")+"]")
}

// store floods the S3 server, half of it with its public keys.
func (f *flood) store(address string, n int, p public) {
	if !*floodReads {
		f.hold(address, n/8, "")
		f.hold(address, n/8, "PUT /bucket/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
		f.hold(address, n/8, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", p.large.RequestURI(), p.large.Host))
		f.ask("http://"+address+"/bucket/x", n/8, "unsigned")
		n /= 2
	}
	f.request(http.MethodGet, p.large.String(), n/5, "")
	f.request(http.MethodGet, p.small.String(), n/5, "")
	f.request(http.MethodGet, p.missing.String(), n/5, "")
	f.request(http.MethodHead, p.head.String(), n/5, "")
	f.request(http.MethodGet, p.list.String(), n/5, "")
}

// public are requests that the public keys of the buckets sign, which all nodes read with.
type public struct{ large, small, missing, head, list *url.URL }

// signs returns requests of the dataset's bucket, and of the aggregator's, with the keys that an evaluator has.
func signs(t *testing.T, ctx context.Context, n *network) (p public) {
	t.Helper()
	c, err := n.config(member{name: "evaluator-0", role: telemetry.Evaluator})
	if err != nil {
		t.Fatal(err)
	}
	sign := func(b config.Bucket, method, key string) *url.URL {
		at := b.Location()
		core, err := minio.NewCore(n.StoreAddr, &minio.Options{Creds: credentials.NewStaticV4(at.AccessKey, at.Secret.Reveal(), ""), Region: "us-east-1"})
		if err != nil {
			t.Error(err)
			return &url.URL{}
		}
		query := url.Values{}
		if key == "" {
			query.Set("list-type", "2")
		}
		u, err := core.Presign(ctx, method, at.Bucket, key, time.Hour, query)
		if err != nil {
			t.Error(err)
			return &url.URL{}
		}
		return u
	}
	dataset, aggregator := c.Buckets.Dataset, c.Buckets.Aggregator
	small, large := extremes(t, ctx, n, dataset.Location())
	return public{
		large: sign(dataset, http.MethodGet, large), small: sign(dataset, http.MethodGet, small), head: sign(dataset, http.MethodHead, large),
		missing: sign(aggregator, http.MethodGet, "aggregator-999999-v2"), list: sign(aggregator, http.MethodGet, ""),
	}
}

// extremes are the smallest and the largest object of a bucket.
func extremes(t *testing.T, ctx context.Context, n *network, at store.Location) (small, large string) {
	t.Helper()
	core, err := minio.NewCore(n.StoreAddr, &minio.Options{Creds: credentials.NewStaticV4(at.AccessKey, at.Secret.Reveal(), "")})
	if err != nil {
		t.Fatal(err)
	}
	least, most := int64(math.MaxInt64), int64(0)
	for o := range core.Client.ListObjects(ctx, at.Bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err == nil && o.Size > most {
			large, most = o.Key, o.Size
		}
		if o.Err == nil && o.Size < least {
			small, least = o.Key, o.Size
		}
	}
	if large == "" {
		t.Error("no object in the bucket")
	}
	return small, large
}

// TestFloods: hostile connections to the RPC and the store cost an honest network of one machine
// no window.
func TestFloods(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some windows of wall time")
	}
	makeOptions := func() Options {
		o := options(t, 2)
		o.Miners, o.JSON = 2, filepath.Join(t.TempDir(), "report.json")
		o.Windows = max(o.Windows, uint64(*floodWindows))
		return o
	}
	// The preset's windows are of 1.2 s. On a machine that other tests keep busy they are longer.
	for pace := *floodPace; ; pace *= 4 {
		o := makeOptions()
		stretch(t, o, pace)
		f := &flood{}
		began := time.Now()
		if err := f.around(t, o); err != nil {
			t.Fatal(err)
		}
		err := checkWindows(o, checkStates(t, o))
		t.Logf("%d windows in %v at %v times the preset's time, under %d connections to each server, %d opened in all, %d requests answered, %d of them by an error",
			o.Windows, time.Since(began).Round(time.Second), pace, *floods, f.opened.Load(), f.sent.Load(), f.failed.Load())
		if err == nil {
			if f.opened.Load() < int64(*floods) {
				t.Error("the flood did not come")
			}
			return
		}
		if pace > 20 {
			t.Fatal(err)
		}
		t.Log(err)
	}
}

// around runs a network under the flood.
func (f *flood) around(t *testing.T, o Options) error {
	t.Helper()
	n, err := read(o.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer f.wg.Wait()
	defer cancel()
	f.ctx = ctx
	f.wg.Go(func() {
		for _, address := range []string{n.ChainAddr, n.StoreAddr} {
			for {
				c, err := net.Dial("tcp", address)
				if err == nil {
					c.Close()
					break
				}
				if pause(ctx, 20*time.Millisecond); ctx.Err() != nil {
					return
				}
			}
		}
		p := signs(t, ctx, n)
		f.chain(n.ChainAddr, *floods)
		f.store(n.StoreAddr, *floods, p)
	})
	return Run(t.Context(), o)
}
