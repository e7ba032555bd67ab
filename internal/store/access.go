package store

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
	"sync"
)

// Grant is the right to read one bucket, and with Write to change it too.
type Grant struct {
	Bucket string
	Write  bool
}

// Key is a credential that one of our own servers accepts, and its rights.
type Key struct {
	AccessKey string
	Secret    Secret `json:"-"` // as in Location
	// Admin may do everything in every bucket, and make and remove buckets.
	Admin  bool
	Grants []Grant
}

// Allows tells whether the key may read, or change, the bucket.
func (k Key) Allows(bucket string, write bool) bool {
	if k.Admin {
		return true
	}
	for _, g := range k.Grants {
		if g.Bucket == bucket && (g.Write || !write) {
			return true
		}
	}
	return false
}

// Keyring is the set of keys that a server accepts. It is safe for concurrent use.
type Keyring struct {
	mu struct {
		sync.RWMutex
		// In closures: fmt calls no methods on unexported fields, so that a Secret
		// there would print as it is. It cannot look into a function.
		keys map[string]func() Key
	}
}

// Add makes the keys valid; one that is there already gets the new secret and rights.
func (r *Keyring) Add(keys ...Key) error {
	for _, k := range keys {
		if len(k.AccessKey) < 3 {
			return fmt.Errorf("access key %q: need 3 characters or more", k.AccessKey)
		}
		if k.Secret == "" {
			return fmt.Errorf("access key %q: the secret is empty", k.AccessKey)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.keys == nil {
		r.mu.keys = make(map[string]func() Key)
	}
	for _, k := range keys {
		r.mu.keys[k.AccessKey] = func() Key { return k }
	}
	return nil
}

// Lookup finds a key by its id.
func (r *Keyring) Lookup(accessKey string) (Key, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if k := r.mu.keys[accessKey]; k != nil {
		return k(), true
	}
	return Key{}, false
}

// Authorize checks a credential against the right that is asked for. Its error wraps
// ErrDenied, and ErrUnauthenticated if the credential is not good for anything.
func (r *Keyring) Authorize(accessKey string, secret Secret, bucket string, write bool) error {
	k, ok := r.Lookup(accessKey)
	if !ok || subtle.ConstantTimeCompare([]byte(k.Secret), []byte(secret)) == 0 {
		return ErrUnauthenticated
	}
	if !k.Allows(bucket, write) {
		return fmt.Errorf("%w: key %q has no such right to bucket %q", ErrDenied, accessKey, bucket)
	}
	return nil
}

// LogValue keeps the secret out of logs, whatever the handler does with structs.
func (l Location) LogValue() slog.Value {
	return slog.GroupValue(slog.String("endpoint", l.Endpoint), slog.String("bucket", l.Bucket),
		slog.String("access_key", l.AccessKey))
}

// LogValue keeps the secret out of logs, whatever the handler does with structs.
func (k Key) LogValue() slog.Value {
	return slog.GroupValue(slog.String("access_key", k.AccessKey), slog.Bool("admin", k.Admin),
		slog.Any("grants", k.Grants))
}
