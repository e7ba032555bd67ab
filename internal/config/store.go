package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"templar/internal/admit"
	"templar/internal/store"
	"templar/internal/strictjson"
	"templar/internal/userfile"
)

// StoreServer configures `templar store serve`. Its file is JSON.
type StoreServer struct {
	// Dir holds the objects. Created if need be.
	Dir string `json:"dir"`
	// Buckets are created if they are not there.
	Buckets []string `json:"buckets"`
	Keys    []Access `json:"keys"`
	// BucketBytes bounds what each bucket may hold, its unfinished uploads included, and
	// BucketUploads how many of these it may have. 0 means an equal share of the disk, and 1000;
	// -1 means no bound.
	BucketBytes   int64 `json:"bucket_bytes,omitempty"`
	BucketUploads int   `json:"bucket_uploads,omitempty"`
	// MinFree is what uploads leave free of the disk, in bytes. 0 means 1 GiB; -1 no bound.
	MinFree int64 `json:"min_free_bytes,omitempty"`
	// Proxies are the addresses of reverse proxies in front of the server, whose
	// X-Forwarded-For names the client: limits are by client.
	Proxies []string `json:"proxies,omitempty"`
}

// LogValue keeps the secrets out of logs.
func (s StoreServer) LogValue() slog.Value { return slog.StringValue(s.Dir) }

// Access is one key that the server accepts, with its rights. A key that is in no list
// may do nothing.
type Access struct {
	ID     string       `json:"id"`
	Secret store.Secret `json:"secret"`
	// Read and Write name buckets. The right to write includes the right to read.
	Read  []string `json:"read,omitempty"`
	Write []string `json:"write,omitempty"`
	// Admin may do everything in every bucket.
	Admin bool `json:"admin,omitempty"`
}

// Key is the access in the store package's terms.
func (a Access) Key() store.Key {
	k := store.Key{AccessKey: a.ID, Secret: a.Secret, Admin: a.Admin}
	for _, b := range a.Read {
		k.Grants = append(k.Grants, store.Grant{Bucket: b})
	}
	for _, b := range a.Write {
		k.Grants = append(k.Grants, store.Grant{Bucket: b, Write: true})
	}
	return k
}

// LoadStore reads and checks a store server's file. Unknown keys are errors.
func LoadStore(path string) (StoreServer, error) {
	b, err := readBytes(path)
	if err != nil {
		return StoreServer{}, err
	}
	var s StoreServer
	if err := strictjson.Config(b, &s); err != nil {
		return StoreServer{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := s.normalise(); err != nil {
		return StoreServer{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, s.validate(path)
}

// normalise takes away what cannot be meant.
func (s *StoreServer) normalise() (err error) {
	if s.Dir, err = userfile.Expand(userfile.Trim(s.Dir)); err != nil {
		return fmt.Errorf("dir: %w", err)
	}
	for i := range s.Keys {
		k := &s.Keys[i]
		k.ID, k.Secret = userfile.Trim(k.ID), store.Secret(userfile.Trim(k.Secret.Reveal()))
	}
	return nil
}

// SaveStore writes s in the form that LoadStore reads, secrets included, mode 0600.
func SaveStore(path string, s StoreServer) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("save configuration: %w", err)
	}
	return writePrivate(path, append(b, '\n'))
}

// validate reports every fault at once.
func (s *StoreServer) validate(path string) error {
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %w", path, fmt.Errorf(format, args...)))
	}
	if s.Dir == "" {
		fault("dir is missing: name the folder for the objects")
	}
	if len(s.Keys) == 0 {
		fault("keys is empty, so nobody could open a bucket: add {\"id\", \"secret\", \"read\": [...], \"write\": [...]}")
	}
	known := map[string]bool{}
	for _, b := range s.Buckets {
		known[b] = true
		if err := store.CheckBucketName(b); err != nil {
			fault("buckets: %w", err)
		}
	}
	if s.BucketBytes < -1 || s.BucketUploads < -1 || s.MinFree < -1 {
		fault("bucket_bytes, bucket_uploads and min_free_bytes: want -1 (no bound), 0 (the default) or more")
	}
	if _, err := admit.ParseProxies(s.Proxies); err != nil {
		fault("proxies: %w", err)
	}
	seen := map[string]bool{}
	for i, k := range s.Keys {
		if len(k.ID) < 3 || k.Secret == "" {
			fault("keys[%d]: want an id of 3 characters or more, and a secret", i)
		}
		if strings.ContainsAny(k.ID, ", \t\r\n") {
			fault("keys[%d]: id %q has a space or comma, which no signed request can carry", i, k.ID)
		}
		if seen[k.ID] {
			fault("keys[%d]: id %q stands twice", i, k.ID)
		}
		seen[k.ID] = true
		for _, g := range k.Key().Grants {
			if !known[g.Bucket] {
				fault("keys[%d]: bucket %q is not in buckets", i, g.Bucket)
			}
		}
	}
	return errors.Join(errs...)
}
