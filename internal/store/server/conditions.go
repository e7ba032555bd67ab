package server

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"templar/internal/store"
	"templar/internal/store/fs"
)

// condition turns If-Match and If-None-Match into a check of the object that would be replaced
// or deleted; nil if there is none.
func (c *call) condition() func(old *fs.Object) error {
	return condition(c.get("If-Match"), c.get("If-None-Match"))
}

func condition(match, noneMatch string) func(old *fs.Object) error {
	if match == "" && noneMatch == "" {
		return nil
	}
	return func(old *fs.Object) error {
		switch {
		case match != "" && old == nil:
			return errNoSuchKey
		case match != "" && !names(match, old), noneMatch != "" && old != nil && names(noneMatch, old):
			return errPrecondition
		}
		return nil
	}
}

// holds checks a key's condition before a body is sent or copied, as well as when it is here: a
// client that waits for 100 Continue need not send it.
func (s *Server) holds(c *call, check func(old *fs.Object) error) error {
	if check == nil {
		return nil
	}
	old, err := s.files.Stat(c.bucket, c.key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return check(nil)
	case err != nil:
		return nil // storing it finds out
	}
	return check(&old)
}

// names tells whether a list of entity tags, or "*", names o. Tags come with quotes and without.
// A weak one names no object for If-Match, and here there are none that it could name for
// If-None-Match.
func names(list string, o *fs.Object) bool {
	for tag := range strings.SplitSeq(list, ",") {
		if tag = strings.Trim(strings.TrimSpace(tag), `"`); tag == "*" || tag == o.Tag() {
			return true
		}
	}
	return false
}

// readConditions are those of a GET or HEAD (RFC 9110, section 13.2.2), or of a copy's source,
// which S3 takes likewise.
type readConditions struct{ match, noneMatch, modifiedSince, unmodifiedSince string }

func (c *call) readConditions(prefix string) readConditions {
	return readConditions{c.get(prefix + "If-Match"), c.get(prefix + "If-None-Match"), c.get(prefix + "If-Modified-Since"), c.get(prefix + "If-Unmodified-Since")}
}

// check returns errPrecondition, or errNotModified where the client has the object already. Of
// a date that is none, nothing follows.
func (r readConditions) check(o *fs.Object) error {
	modified := o.Modified.Truncate(time.Second)
	if since, err := http.ParseTime(r.unmodifiedSince); r.match == "" && err == nil && modified.After(since) {
		return errPrecondition
	}
	if r.match != "" && !names(r.match, o) {
		return errPrecondition
	}
	if r.noneMatch != "" {
		if names(r.noneMatch, o) {
			return errNotModified
		}
		return nil
	}
	if since, err := http.ParseTime(r.modifiedSince); err == nil && !modified.After(since) {
		return errNotModified
	}
	return nil
}
