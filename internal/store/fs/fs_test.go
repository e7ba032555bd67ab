package fs_test

import (
	"testing"

	"templar/internal/store/fs"
	"templar/internal/store/storetest"
)

func open(t *testing.T, dir string, o fs.Options) *fs.Store {
	t.Helper()
	s, err := fs.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	for name, fsync := range map[string]bool{"fast": false, "fsync": true} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) storetest.Fixture {
				s := open(t, t.TempDir(), fs.Options{Fsync: fsync})
				if err := s.CreateBucket("bucket"); err != nil {
					t.Fatal(err)
				}
				return storetest.Fixture{Bucket: s.Bucket("bucket"), Missing: s.Bucket("missing")}
			})
		})
	}
}
