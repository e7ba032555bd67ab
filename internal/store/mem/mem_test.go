package mem_test

import (
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/mem"
	"templar/internal/store/storetest"
)

func fixture(t *testing.T) storetest.Fixture {
	t.Helper()
	s := mem.New(time.Now)
	grants := func(write bool) []store.Grant {
		return []store.Grant{{Bucket: "bucket", Write: write}, {Bucket: "missing", Write: write}}
	}
	if err := s.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	if err := s.AddKeys(store.Key{AccessKey: "writer", Secret: "w-secret", Grants: grants(true)},
		store.Key{AccessKey: "reader", Secret: "r-secret", Grants: grants(false)}); err != nil {
		t.Fatal(err)
	}
	dial := func(bucket, key string, secret store.Secret) store.Bucket {
		b, err := s.Dial(store.Location{Bucket: bucket, AccessKey: key, Secret: secret})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return storetest.Fixture{
		Bucket:    dial("bucket", "writer", "w-secret"),
		ReadOnly:  dial("bucket", "reader", "r-secret"),
		BadSecret: dial("bucket", "writer", "r-secret"),
		Missing:   dial("missing", "writer", "w-secret"),
	}
}

func TestConformance(t *testing.T) { storetest.Run(t, fixture) }

func TestDecoratedConformance(t *testing.T) {
	for name, wrap := range map[string]func(store.Bucket) store.Bucket{
		"retry": func(b store.Bucket) store.Bucket { return store.Retry(b, store.RetryPolicy{}, clock.Wall{}) },
		"limit": func(b store.Bucket) store.Bucket { return store.Limit(b, 2) },
		"meter": func(b store.Bucket) store.Bucket { return store.Meter(b, new(store.Counters)) },
		"watch": func(b store.Bucket) store.Bucket { return store.Watch(b, &store.Watcher{Patience: time.Hour}) },
		"all": func(b store.Bucket) store.Bucket {
			b = store.Meter(store.Limit(b, 1), new(store.Counters))
			return store.Retry(b, store.RetryPolicy{}, clock.Wall{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) storetest.Fixture {
				f := fixture(t)
				return storetest.Fixture{Bucket: wrap(f.Bucket), ReadOnly: wrap(f.ReadOnly), BadSecret: wrap(f.BadSecret), Missing: wrap(f.Missing)}
			})
		})
	}
}

func TestTimesComeFromTheClock(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 999_999_999, time.UTC)
	s := mem.New(func() time.Time { return now })
	if err := s.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	if err := s.AddKeys(store.Key{AccessKey: "admin", Secret: "secret", Admin: true}); err != nil {
		t.Fatal(err)
	}
	b, err := s.Dial(store.Location{Bucket: "bucket", AccessKey: "admin", Secret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	info, err := b.Put(t.Context(), "key", nil, 0, store.PutOptions{})
	if want := time.Date(2026, 1, 2, 3, 4, 5, 999e6, time.UTC); err != nil || !info.LastModified.Equal(want) {
		t.Errorf("LastModified %v (%v), want %v", info.LastModified, err, want)
	}
}
