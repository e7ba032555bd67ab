package store_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/mem"
	"templar/internal/store/s3"
	"templar/internal/store/server"
)

const hidden = "hush-hush-0123456789"

// TestSecretsDoNotPrint prints whatever comes to hold a secret in every way that a
// careless log line would.
func TestSecretsDoNotPrint(t *testing.T) {
	loc := store.Location{Endpoint: "http://127.0.0.1:1", Bucket: "bucket", AccessKey: "access", Secret: hidden}
	key := store.Key{AccessKey: "access", Secret: hidden, Grants: []store.Grant{{Bucket: "bucket"}}}
	memory := mem.New(time.Now)
	dialer := s3.NewDialer(s3.Options{})
	defer dialer.Close()
	config := server.Config{Dir: t.TempDir(), Keys: []server.Key{key}}
	srv, err := server.Open(config)
	if err := errors.Join(err, memory.AddKeys(key)); err != nil {
		t.Fatal(err)
	}
	overMem, err1 := memory.Dial(loc)
	overS3, err2 := dialer.Dial(loc)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	// Through a dialer of its own: printing one that has just been in use is a race.
	used := s3.NewDialer(s3.Options{})
	defer used.Close()
	overUsed, err := used.Dial(loc)
	if err != nil {
		t.Fatal(err)
	}
	_, refused := overUsed.Head(t.Context(), "key") // nobody listens there
	badEndpoint := loc
	badEndpoint.Endpoint = "http://user:" + hidden + "@host"
	_, unparsed := used.Dial(badEndpoint)
	_, denied := overMem.Put(t.Context(), "key", strings.NewReader(""), 0, store.PutOptions{})
	if refused == nil || unparsed == nil || denied == nil {
		t.Fatal("want three errors")
	}

	for _, v := range []any{
		store.Secret(hidden), loc, &loc, key, &key, []store.Key{key}, config, memory, dialer, srv, overMem, overS3,
		store.Retry(overS3, store.RetryPolicy{}, clock.Wall{}), store.Limit(overMem, 1), store.ReadOnly(overMem),
		refused, unparsed, denied,
	} {
		var logs bytes.Buffer
		slog.New(slog.NewTextHandler(&logs, nil)).Error("x", "v", v)
		if _, bare := v.(store.Secret); !bare { // configuration files hold it as it is
			slog.New(slog.NewJSONHandler(&logs, nil)).Error("x", "v", []any{v})
		}
		texts := []string{fmt.Sprint(v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v), fmt.Sprintf("%s %q %x", v, v, v), logs.String()}
		if err, ok := v.(error); ok {
			j, _ := json.Marshal(map[string]any{"err": err, "text": err.Error()})
			texts = append(texts, string(j))
		}
		for _, text := range texts {
			if strings.Contains(text, hidden) || strings.Contains(text, fmt.Sprintf("%x", hidden)) {
				t.Errorf("%T shows its secret: %.300s", v, text)
			}
		}
	}
	var logs bytes.Buffer
	slog.New(slog.NewJSONHandler(&logs, nil)).Error("x", "loc", loc, "key", key, "secret", store.Secret(hidden), "err", refused)
	if strings.Contains(logs.String(), hidden) {
		t.Errorf("JSON log shows a secret: %s", &logs)
	}
}

func TestSecretReveals(t *testing.T) {
	if got := store.Secret(hidden).Reveal(); got != hidden {
		t.Errorf("got %q", got)
	}
	if got := store.Secret("").String(); got != "" {
		t.Errorf("no secret prints as %q", got)
	}
}

func TestKeyRights(t *testing.T) {
	k := store.Key{AccessKey: "access", Secret: "s", Grants: []store.Grant{{Bucket: "mine", Write: true}, {Bucket: "theirs"}}}
	for _, c := range []struct {
		key    store.Key
		bucket string
		write  bool
		want   bool
	}{
		{k, "mine", true, true}, {k, "mine", false, true}, {k, "theirs", false, true}, {k, "theirs", true, false},
		{k, "other", false, false}, {store.Key{Admin: true}, "other", true, true}, {store.Key{}, "", false, false},
	} {
		if got := c.key.Allows(c.bucket, c.write); got != c.want {
			t.Errorf("%+v, bucket %q, write %v: got %v", c.key, c.bucket, c.write, got)
		}
	}
	var ring store.Keyring
	for _, bad := range []store.Key{{AccessKey: "ab", Secret: "s"}, {AccessKey: "access"}} {
		if ring.Add(bad) == nil {
			t.Errorf("added %+v", bad)
		}
	}
	if err := ring.Add(k); err != nil {
		t.Fatal(err)
	}
	if err := ring.Authorize("access", "s", "mine", true); err != nil {
		t.Error(err)
	}
	for _, c := range [][3]string{{"access", "wrong", "mine"}, {"nobody", "s", "mine"}, {"access", "s", "theirs"}, {"access", "", "mine"}} {
		err, good := ring.Authorize(c[0], store.Secret(c[1]), c[2], true), c[0] == "access" && c[1] == "s"
		if !errors.Is(err, store.ErrDenied) || errors.Is(err, store.ErrUnauthenticated) == good {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestCheckBucketName(t *testing.T) {
	for name, want := range map[string]bool{
		"abc": true, "a-b.c1": true, strings.Repeat("a", 63): true,
		"": false, "ab": false, "..": false, "...": false, "a..b": false, "../x": false, "a/b": false, "Abc": false,
		"-ab": false, "ab-": false, "a.-b": false, ".ab": false, "a_b": false, "äbc": false, strings.Repeat("a", 64): false,
	} {
		if err := store.CheckBucketName(name); (err == nil) != want || err != nil && !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
