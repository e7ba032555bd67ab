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
