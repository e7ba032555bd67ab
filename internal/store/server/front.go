package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

const requestID = "X-Amz-Request-Id"

// call is one request, once it is known to be signed.
type call struct {
	w           http.ResponseWriter
	r           *http.Request // headers that stood in the query are among the others
	bucket, key string        // either may be empty
	query       query
	auth        *auth
	sum         *checksum // that comes with the body, nil if none does
}

// parseTarget splits a path: a bucket's name has no slash, and a key may begin with one.
func parseTarget(path string) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimLeft(path, "/"), "/")
	return bucket, key
}

func (c *call) level() level {
	switch {
	case c.key != "":
		return onObject
	case c.bucket != "":
		return onBucket
	}
	return onService
}

func (c *call) has(header string) bool { _, ok := c.r.Header[header]; return ok }

// get returns a header that may stand there several times, as one.
func (c *call) get(header string) string { return strings.Join(c.r.Header[header], ",") }

func (c *call) ctx() context.Context { return c.r.Context() }

// serve lets a request pass on when its signature, its right and its form are good, and there
// is room for it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	client, r := s.attend(w, r)
	defer client.leave()
	client.Header().Set(requestID, rand.Text()[:16])
	c, err := s.begin(client, r)
	if err != nil {
		client.Header().Set("Connection", "close") // what has no key takes up no place
		s.refusals.Wait(r.Context())
		s.refuse(client, r, err)
		return
	}
	client.known = true
	// A key that cannot write is public: what it has open is as good as a stranger's.
	public := reads(c.auth.key)
	s.connections.Know(r.Context(), !public)
	if public && s.connections.Pace(r.Context(), s.reads) != nil {
		return // it did not wait
	}
	host, local := s.proxies.Client(r.RemoteAddr, r.Header)
	leave, ok := s.slots.enter(r.Context(), &request{key: c.auth.key.AccessKey, reader: public, host: host, local: local, client: client})
	if !ok {
		s.refuse(client, r, errSlowDown)
		return
	}
	client.place = sync.OnceFunc(leave)
	defer client.place()
	if err := s.answer(c); err != nil {
		s.refuse(client, r, s.hint(c, err))
	}
}

// begin finds out who sent a request.
func (s *Server) begin(w *client, r *http.Request) (*call, error) {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	a, err := s.authenticate(r, q)
	if err != nil {
		return nil, err
	}
	c := &call{w: w, r: r, query: q, auth: a}
	c.bucket, c.key = parseTarget(r.URL.Path)
	return c, q.hoist(r.Header)
}

// answer does what the request asks for, if its key may, or says why not.
func (s *Server) answer(c *call) error {
	o, err := s.find(c)
	// Who has no right learns that first.
	if o == nil && !c.auth.key.Allows(c.bucket, false) || o != nil && !c.allowed(o.right) {
		return errNoRight
	}
	if err != nil {
		return err
	}
	if c.bucket != "" && o.right != toAdminister && !s.files.HasBucket(c.bucket) {
		return noSuchBucket(c.bucket)
	}
	if err := s.checkBody(c, o.body); err != nil {
		return err
	}
	return o.do(s, c)
}

// allowed applies the key's grants: who may read a bucket may read and list its objects, who may
// write may change them.
func (c *call) allowed(r right) bool {
	if r == toAdminister {
		return c.auth.key.Admin
	}
	if !c.auth.key.Allows(c.bucket, r == toWrite) {
		return false
	}
	if !c.has("X-Amz-Copy-Source") {
		return true
	}
	bucket, _, err := c.source()
	return err != nil || c.auth.key.Allows(bucket, false) // the operation says what is wrong with it
}

// source returns what the request copies from.
func (c *call) source() (bucket, key string, err error) {
	path, version, _ := strings.Cut(c.get("X-Amz-Copy-Source"), "?")
	path, err = url.PathUnescape(path)
	bucket, key = parseTarget(path)
	switch {
	case err != nil || bucket == "" || key == "":
		return "", "", invalid("X-Amz-Copy-Source is %.80q, want /bucket/key, percent-encoded.", c.get("X-Amz-Copy-Source"))
	case version != "" && version != "versionId=null":
		return "", "", invalid("X-Amz-Copy-Source names a version, and this server keeps none.")
	}
	return bucket, key, nil
}

// hint says what may be the matter with a bucket that is not there: clients that put its name
// into the host ask for another one.
func (s *Server) hint(c *call, err error) error {
	var e *refusal
	label, rest, _ := strings.Cut(c.r.Host, ".")
	if !errors.As(err, &e) || e.code != "NoSuchBucket" && e.code != "AccessDenied" || rest == "" || net.ParseIP(c.r.Host) != nil || !s.files.HasBucket(label) {
		return err
	}
	return refusef(e.status, e.code, "%s", e.message+fmt.Sprintf(" The bucket seems to stand in the host's name: this server's addresses are %s/BUCKET/KEY (set path-style addressing).", rest))
}
