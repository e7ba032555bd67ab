package server

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"syscall"

	"templar/internal/store"
	"templar/internal/store/fs"
)

// refusal is an error that a client is answered with.
type refusal struct {
	status  int
	code    string // S3's word for it, which clients act on
	message string // what was wrong, and what to do
}

func (r *refusal) Error() string { return r.code + ": " + r.message }

func refusef(status int, code, format string, args ...any) *refusal {
	return &refusal{status, code, fmt.Sprintf(format, args...)}
}

// invalid refuses an argument that has no meaning.
func invalid(format string, args ...any) *refusal {
	return refusef(http.StatusBadRequest, "InvalidArgument", format, args...)
}

// unsupported refuses what S3 has and this server has not.
func unsupported(format string, args ...any) *refusal {
	return refusef(http.StatusNotImplemented, "NotImplemented", format, args...)
}

// Refusals that say the same each time.
var (
	errNoRight        = refusef(http.StatusForbidden, "AccessDenied", "This key has no right to do that.")
	errBadDigest      = refusef(http.StatusBadRequest, "BadDigest", "The body does not have the digest that was sent with it.")
	errIncompleteBody = refusef(http.StatusBadRequest, "IncompleteBody", "The body ended before its length.")
	errSlowDown       = refusef(http.StatusServiceUnavailable, "SlowDown", "This server has too many requests at once; come again.")
	errTooLarge       = refusef(http.StatusBadRequest, "EntityTooLarge", "The body is larger than this server takes.")
	errNoLength       = refusef(http.StatusLengthRequired, "MissingContentLength", "Say with Content-Length how long the body is.")
	errPrecondition   = refusef(http.StatusPreconditionFailed, "PreconditionFailed", "A condition of the request does not hold.")
	errNoSuchKey      = refusef(http.StatusNotFound, "NoSuchKey", "There is no object of this key.")
	errNotModified    = refusef(http.StatusNotModified, "NotModified", "")
)

func noSuchBucket(name string) *refusal {
	return refusef(http.StatusNotFound, "NoSuchBucket", "There is no bucket %q.", name)
}

// refusalOf translates an error of package fs, or of a request's body. What concerns only the
// owner of the server goes to the log.
func refusalOf(log *slog.Logger, err error) *refusal {
	var known *refusal
	var cut *http.MaxBytesError
	var full *fs.QuotaError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &cut):
		return errTooLarge
	case errors.As(err, &full):
		return refusef(http.StatusInsufficientStorage, "QuotaExceeded", "%v", full)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refusef(http.StatusBadRequest, "RequestTimeout", "No more of the body came in time.") // 400, as in S3
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled): // the client is gone
		return errIncompleteBody
	case errors.Is(err, store.ErrInvalid):
		return invalid("%v", err)
	case errors.Is(err, store.ErrExists):
		return refusef(http.StatusConflict, "BucketAlreadyOwnedByYou", "The bucket exists already.")
	case errors.Is(err, store.ErrNotFound):
		return errNoSuchKey
	case errors.Is(err, fs.ErrNotEmpty):
		return refusef(http.StatusConflict, "BucketNotEmpty", "The bucket holds objects: delete them first.")
	case errors.Is(err, fs.ErrNoUpload):
		return refusef(http.StatusNotFound, "NoSuchUpload", "There is no such upload: it was completed or aborted, or its id is wrong.")
	case errors.Is(err, fs.ErrBadDigest):
		return errBadDigest
	case errors.Is(err, fs.ErrBadPart):
		return refusef(http.StatusBadRequest, "InvalidPart", "%v", err)
	}
	log.Error("object storage failed", "err", err)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return refusef(http.StatusInsufficientStorage, "InsufficientStorage", "The disk of this server is full.")
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return refusef(http.StatusInternalServerError, "InternalError", "The directory of this server cannot be written.")
	}
	return refusef(http.StatusInternalServerError, "InternalError", "The storage of this server failed; its log says how.")
}

// refuse answers with err's translation. An answer to HEAD has no body: there the cause stands
// in headers.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := refusalOf(s.log, err)
	h := w.Header()
	switch {
	case e.status == http.StatusNotModified:
		w.WriteHeader(e.status)
		return
	case r.Method == http.MethodHead:
		h.Set("X-Amz-Error-Code", e.code)
		h.Set("X-Amz-Error-Message", e.message)
		w.WriteHeader(e.status)
		return
	case e.status == http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	writeXML(w, e.status, errorDocument{Code: e.code, Message: text(e.message), Resource: text(r.URL.Path), RequestID: h.Get(requestID)})
}

type errorDocument struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   text
	Resource  text
	RequestID string `xml:"RequestId"`
}
