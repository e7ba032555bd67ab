package server

import (
	"net/http"
	"strings"

	"github.com/rclone/gofakes3/signature"
)

// target is what a request's path names; either may be empty.
type target struct{ bucket, key string }

// parseTarget splits a path as gofakes3 does: a difference would let a request pass
// the check of one bucket and reach another.
func parseTarget(path string) target {
	bucket, key, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
	return target{bucket, key}
}

// serve lets a request pass on when there is room for it, and its signature, its right
// and its form are good.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	paced := s.pace(w, r)
	w = paced
	body, unread := r.Body, int64(maxDrainOfAnon)
	defer func() {
		drain(r, body, unread)
		paced.renew() // net/http sends the rest of the answer now
	}()
	select {
	case s.room <- struct{}{}:
		defer func() { <-s.room }()
	default:
		w.Header().Set("Retry-After", "1")
		refuse(w, r, errSlowDown)
		return
	}
	key, refused := s.authenticate(r)
	if refused != nil {
		refuse(w, r, *refused)
		return
	}
	unread = maxDrain
	s.answer(w, r, key)
}

// answer does what a request asks for that key signed.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, key Key) {
	t, query := parseTarget(r.URL.Path), r.URL.Query()
	if !allowed(key, r, t) {
		refuse(w, r, errAccessDenied)
		return
	}
	sum, refused := s.checkBody(w, r, key)
	if refused != nil {
		refuse(w, r, *refused)
		return
	}
	switch {
	case query.Has("uploads") || query.Has("uploadId"):
		s.multipart(w, r, t, query, sum)
	case isPut(r, t, query):
		if err := s.putObject(w, r, t, sum); err != nil {
			s.fail(w, r, err)
		}
	case r.Method == http.MethodPost && !query.Has("delete"):
		refuse(w, r, errNotImplemented) // uploads from a browser's form
	default:
		s.objects.ServeHTTP(w, r)
	}
}

// authenticate returns the key whose secret signed the request. It takes the key
// from the verification itself: reading it from the request a second time could
// find another one.
func (s *Server) authenticate(r *http.Request) (Key, *signature.APIError) {
	var key Key
	code := signature.V4SignVerifyWithLookup(r, func(accessKey string) (string, bool) {
		k, ok := s.keys.Lookup(accessKey)
		key = k
		return k.Secret.Reveal(), ok
	})
	if code != signature.ErrNone {
		e := signature.GetAPIError(code)
		return Key{}, &e
	}
	return key, nil
}

// allowed applies the key's grants: who may read a bucket may read and list its
// objects, who may write may change them. Buckets themselves are an admin's.
func allowed(key Key, r *http.Request, t target) bool {
	write := r.Method != http.MethodGet && r.Method != http.MethodHead
	switch {
	case t.bucket == "", t.key == "" && (r.Method == http.MethodPut || r.Method == http.MethodDelete):
		return key.Admin
	case !key.Allows(t.bucket, write):
		return false
	}
	source := r.Header.Get("X-Amz-Copy-Source")
	return source == "" || key.Allows(parseTarget(source).bucket, false)
}
