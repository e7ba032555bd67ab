package s3

import (
	"fmt"
	"testing"

	"templar/internal/store"
)

func TestClientsAreBounded(t *testing.T) {
	d := NewDialer(Options{})
	defer d.Close()
	for i := range maxClients + 10 {
		if _, err := d.Dial(store.Location{Endpoint: "http://host", Bucket: "bucket", AccessKey: fmt.Sprint("key-", i), Secret: "secret"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(d.mu.clients); n != maxClients {
		t.Errorf("%d clients are kept, want %d", n, maxClients)
	}
}

// TestHTTPSGoesWithSHA256: the stores behind it have rules of their own for a CRC.
func TestHTTPSGoesWithSHA256(t *testing.T) {
	d := NewDialer(Options{})
	defer d.Close()
	for scheme, want := range map[string]bool{"https": false, "http": true} {
		b, err := d.Dial(store.Location{Endpoint: scheme + "://host", Bucket: "bucket", AccessKey: "key", Secret: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		for name, tr := range map[string]*trust{"put": &b.(*bucket).puts, "part": &b.(*bucket).parts} {
			if h := tr.hashes(maxMD5 + 1); h.sha256 == nil || h.md5 != nil || (h.crc32c != nil) != want {
				t.Errorf("%s, first %s: %+v", scheme, name, h)
			}
		}
	}
}
