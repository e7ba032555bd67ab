package fault_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"templar/internal/aggregator"
	"templar/internal/clock"
	"templar/internal/harness/s3site"
	"templar/internal/harness/testnet"
	"templar/internal/role"
	"templar/internal/store"
	"templar/internal/store/fault"
	"templar/internal/store/s3"
	"templar/internal/store/server"
	"templar/internal/telemetry"
	eventlog "templar/internal/telemetry/log"
)

// scanner looks for secrets in whatever a person or a program may come to read.
type scanner struct {
	secrets []string

	mu    sync.Mutex
	found []string
	read  int // bytes looked at
}

// signature is one that opens something until its address expires.
var signature = regexp.MustCompile(`(?i)signature["']?\s*[=:]\s*["']?[0-9a-f]{64}`)

// forms in which a secret shows.
func forms(secret string) []string {
	return []string{secret, hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)), url.QueryEscape(secret), fmt.Sprint([]byte(secret))}
}

func (s *scanner) scan(where, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read += len(text)
	for _, secret := range s.secrets {
		for _, form := range forms(secret) {
			if strings.Contains(text, form) {
				s.found = append(s.found, fmt.Sprintf("%s: %.300q", where, text))
				return
			}
		}
	}
	if signature.MatchString(text) {
		s.found = append(s.found, fmt.Sprintf("%s shows a signature: %.300q", where, text))
	}
}

// Write takes logs, a record at a time.
func (s *scanner) Write(b []byte) (int, error) {
	s.scan("log", string(b))
	return len(b), nil
}

// value prints v in every way that a careless line would.
func (s *scanner) value(where string, v any) {
	s.scan(where, fmt.Sprintf("%v\n%+v\n%#v\n%s\n%q\n%x", v, v, v, v, v, v))
	if err, ok := v.(error); ok {
		s.scan(where, err.Error())
	}
	j, _ := json.Marshal(v)
	s.scan(where, string(j))
	s.logger().Debug("value", "where", where, "v", v)
}

// logger writes at the lowest level, as text and as JSON.
func (s *scanner) logger() *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelDebug - 4, AddSource: true}
	return slog.New(slog.NewMultiHandler(slog.NewTextHandler(s, o), slog.NewJSONHandler(s, o)))
}

func (s *scanner) report(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.found {
		t.Error(f)
	}
	t.Logf("looked at %d bytes", s.read)
}

// TestScannerFindsWhatIsPlanted: a scan that could not fail would prove nothing.
func TestScannerFindsWhatIsPlanted(t *testing.T) {
	const secret = "planted/secret+1"
	live := strings.Repeat("0a", 32)
	for name, plant := range map[string]func(*scanner){
		"in a message":    func(s *scanner) { s.logger().Debug("dial with " + secret) },
		"in an attribute": func(s *scanner) { s.logger().Info("dial", "key", struct{ Secret string }{secret}) },
		"in an error":     func(s *scanner) { s.value("error", fmt.Errorf("head: %w", errors.New(secret))) },
		"only in %#v": func(s *scanner) {
			s.value("struct", struct{ in struct{ secret string } }{struct{ secret string }{secret}})
		},
		"in JSON":         func(s *scanner) { s.value("map", map[string]any{"a": []string{secret}}) },
		"as bytes":        func(s *scanner) { s.value("bytes", []byte(secret)) },
		"in an address":   func(s *scanner) { s.scan("url", "http://host/?key="+url.QueryEscape(secret)) },
		"a presigned one": func(s *scanner) { s.scan("url", "GET /bucket/key?X-Amz-Signature="+live) },
		"an Authorization": func(s *scanner) {
			s.logger().Debug("request", "header", http.Header{"Authorization": {"AWS4, Signature=" + live}})
		},
		"the standard log":   func(s *scanner) { log.New(s, "", log.LstdFlags).Print(secret) },
		"as a header's JSON": func(s *scanner) { s.value("header", map[string]string{"X-Amz-Signature": live}) },
	} {
		s := &scanner{secrets: []string{"another", secret}}
		plant(s)
		if len(s.found) == 0 {
			t.Errorf("not found: %s", name)
		}
	}
	s := &scanner{secrets: []string{secret}}
	s.value("clean", store.Key{AccessKey: "access", Grants: []store.Grant{{Bucket: "bucket"}}})
	s.logger().Debug("dial", "location", store.Location{Endpoint: "http://host", AccessKey: "access", Secret: secret})
	s.report(t)
}

// TestNoSecretIsShown lets server, client, faults and an aggregator at work with good and
// bad keys say all that they have to say, at every level, and looks for secrets and for
// signatures that are still good.
func TestNoSecretIsShown(t *testing.T) {
	reader := store.Key{AccessKey: "reader", Secret: "reader-pass-4711", Grants: []store.Grant{{Bucket: "bucket"}}}
	writer := store.Key{AccessKey: "writer", Secret: "writer-pass-4711", Grants: []store.Grant{{Bucket: "bucket", Write: true}}}
	forged := store.Key{AccessKey: "writer", Secret: "forged-pass-4711"}
	s := &scanner{secrets: []string{"pass-4711", "owner-secret"}}
	log.SetOutput(s)
	defer log.SetOutput(os.Stderr)

	config := server.Config{Dir: t.TempDir(), Keys: []server.Key{reader, writer}, Log: s.logger()}
	srv, err := server.Open(config)
	if err := errors.Join(err, srv.CreateBucket("bucket")); err != nil {
		t.Fatal(err)
	}
	s.value("config", config)
	s.value("server", srv)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	t.Run("operations", func(t *testing.T) {
		for name, answer := range map[string]httpFault{
			"no fault": func(w http.ResponseWriter, r *http.Request, real http.Handler) { real.ServeHTTP(w, r) },
			"500":      answers(500, "InternalError"), "HTML": html, "shorter": grown(-10), "echo": echo,
			"cut off": func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) },
		} {
			h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r, srv.Handler()) }))
			s.operations(ctx, t, name, h.URL, writer)
			h.Close()
		}
		h := httptest.NewServer(srv.Handler())
		defer h.Close()
		s.operations(ctx, t, "reader", h.URL, reader)
		s.operations(ctx, t, "wrong secret", h.URL, forged)
		s.operations(ctx, t, "nobody listens", "http://127.0.0.1:1", writer)
	})
	t.Run("presigned", func(t *testing.T) { s.presigned(t, srv, writer) })
	if err := os.RemoveAll(config.Dir); err != nil { // what the server says of its own faults
		t.Fatal(err)
	}
	t.Run("broken server", func(t *testing.T) {
		h := httptest.NewServer(srv.Handler())
		defer h.Close()
		s.operations(ctx, t, "broken server", h.URL, writer)
	})
	t.Run("aggregator", func(t *testing.T) { s.aggregator(ctx, t) })
	s.report(t)
}

// echo answers with all that it was sent, as a hostile store may.
func echo(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", r.Header.Get("Authorization"), r.Header.Get("Authorization"))
}

// operations does everything once with a key and scans what it is told.
func (s *scanner) operations(ctx context.Context, t *testing.T, where, endpoint string, key store.Key) {
	t.Helper()
	d := s3.NewDialer(s3.Options{})
	defer d.Close()
	l := store.Location{Endpoint: endpoint, Bucket: "bucket", AccessKey: key.AccessKey, Secret: key.Secret}
	b, err := d.Dial(l)
	if err != nil {
		t.Fatal(err)
	}
	var counters store.Counters
	b = store.Retry(store.Meter(store.Limit(b, 4), &counters), store.RetryPolicy{Attempts: 2, Base: time.Millisecond}, clock.Wall{})
	for _, op := range matrixOps {
		c := cell{ctx: ctx, key: op.name, bucket: b, direct: b}
		result, err := op.run(c)
		s.value(where+": "+op.name+": "+result, err)
	}
	s.scan(where+": location", fmt.Sprintf("%v %+v %#v", l, l, l)) // in JSON it is what a file of keys has
	s.value(where+": counters", counters.Snapshot())
}

// presigned scans what the server says about signed addresses, good and bad.
func (s *scanner) presigned(t *testing.T, srv *server.Server, key store.Key) {
	h := httptest.NewServer(srv.Handler())
	defer h.Close()
	c, err := minio.NewCore(strings.TrimPrefix(h.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(key.AccessKey, key.Secret.Reveal(), ""), Region: "us-east-1", BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "PUT", "DELETE", "POST"} {
		u, err := c.Presign(t.Context(), method, "bucket", "key", time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, address := range []string{u.String(), u.String() + "0", strings.Replace(u.String(), "X-Amz-Expires=60", "X-Amz-Expires=61", 1), strings.Replace(u.String(), "/key", "/other", 1)} {
			req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader("data"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := h.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			s.scan("answer to a presigned "+method, fmt.Sprint(resp.Status, resp.Header, string(body)))
		}
	}
}

// aggregator has the role work for two windows over a store that fails, with keys that
// come from commitments on the chain, and scans its logs and events, and itself.
func (s *scanner) aggregator(ctx context.Context, t *testing.T) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	const windows, miners = 2, 3
	p := testnet.Params()
	p.BlockSeconds, p.BlocksPerWindow = 0.3, 8
	p.DeltaSeconds, p.SlackSeconds, p.GatherSeconds, p.KeySeconds, p.PublicationSeconds = 0.2, 1, 0.6, 0.2, 0.3
	serving, stop := context.WithCancel(ctx)
	endpoint, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- s3site.Serve(serving, t.TempDir(), miners, func(e string) { endpoint <- e }) }()
	site, err := s3site.New(ctx, s3site.Config{Endpoint: <-endpoint, Miners: miners, Aggregators: 1, Params: p})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		err := site.Close()
		stop()
		if err := errors.Join(err, <-done); err != nil {
			t.Error(err)
		}
	}()
	lossy := fault.Random(3, 0.2, fault.Fault{Err: fault.ErrReset}, fault.Fault{Err: store.ErrDenied})
	events := make(chan telemetry.Event, 1000)
	sink := telemetry.Tee(eventlog.New(s.logger()), telemetry.SinkFunc(func(e telemetry.Event) {
		s.value("event", e)
		events <- e
	}))
	deps, err := site.Parts(ctx, 0, s3site.Aggregator{
		Disturb: func(b store.Bucket) store.Bucket { return fault.Wrap(b, clock.Wall{}, lossy) }, Sink: sink, Log: s.logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	a := aggregator.New(role.Config{Windows: windows}, deps.ForAggregator())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	for w := s3site.Start; w < s3site.Start+windows; w++ {
		err := site.AdvanceTo(w)
		if _, uploaded := site.Upload(ctx, w); err != nil || uploaded != nil {
			t.Fatal(err, uploaded)
		}
		if err := site.AdvanceTo(w + 1); err != nil {
			t.Fatal(err)
		}
		for published := false; !published; {
			select {
			case e := <-events:
				_, published = e.Body.(telemetry.Published)
			case err := <-ran:
				ran <- err
				published = true
			case <-ctx.Done():
				t.Fatal(ctx.Err())
			}
		}
	}
	if err := <-ran; err != nil {
		t.Error(err)
		s.value("end", err)
	}
	s.value("role", a)
	commitments, err := site.Chain.Commitments(ctx) // they are public, and hold read keys: not a place for anything else
	if err != nil || len(commitments) == 0 || !bytes.Contains(commitments[0].Data, []byte("owner-secret")) {
		t.Errorf("no keys were in play: %v", err)
	}
}
