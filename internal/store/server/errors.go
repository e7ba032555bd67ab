package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"syscall"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/signature"

	"templar/internal/store"
	"templar/internal/store/fs"
)

// Refusals of the front.
var (
	errAccessDenied   = signature.APIError{Code: "AccessDenied", Description: "This key has no right to do that.", HTTPStatusCode: http.StatusForbidden}
	errNotImplemented = signature.APIError{Code: "NotImplemented", Description: "This server does not do that.", HTTPStatusCode: http.StatusNotImplemented}
	errBadRequest     = signature.APIError{Code: "InvalidArgument", Description: "The request's headers or parameters are malformed.", HTTPStatusCode: http.StatusBadRequest}
	errBadDigest      = signature.APIError{Code: "BadDigest", Description: "The body does not have the digest that was sent with it.", HTTPStatusCode: http.StatusBadRequest}
	errSlowDown       = signature.APIError{Code: "SlowDown", Description: "This server has too many requests at once; come again.", HTTPStatusCode: http.StatusServiceUnavailable}
	errTooLarge       = signature.APIError{Code: "EntityTooLarge", Description: "The body is larger than this server takes.", HTTPStatusCode: http.StatusBadRequest}
)

// refuse answers with an error document.
func refuse(w http.ResponseWriter, r *http.Request, e signature.APIError) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(e.HTTPStatusCode)
	if r.Method != http.MethodHead {
		w.Write(signature.EncodeAPIErrorToResponse(e))
	}
}

// Codes that gofakes3 does not know; it answers 500 to them.
const (
	codeInsufficientStorage gofakes3.ErrorCode = "InsufficientStorage"
	codeRequestTimeout      gofakes3.ErrorCode = "RequestTimeout"
)

// s3Error translates an error of package fs, or of a request's body, to one that
// gofakes3 answers with. What is nobody's business outside goes to the log only.
func s3Error(log *slog.Logger, err error) error {
	var known gofakes3.Error
	var cut *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.As(err, &cut):
		return gofakes3.ErrEntityTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return gofakes3.ErrorMessage(codeRequestTimeout, "No more of the body came in time.")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return gofakes3.ErrIncompleteBody
	case errors.Is(err, store.ErrInvalid):
		return gofakes3.ErrorMessage(gofakes3.ErrInvalidArgument, err.Error())
	case errors.Is(err, store.ErrExists):
		return gofakes3.ErrBucketAlreadyExists
	case errors.Is(err, fs.ErrNotEmpty):
		return gofakes3.ErrBucketNotEmpty
	case errors.Is(err, fs.ErrNoUpload):
		return gofakes3.ErrNoSuchUpload
	case errors.Is(err, fs.ErrBadDigest):
		return gofakes3.ErrorMessage(gofakes3.ErrBadDigest, errBadDigest.Description)
	case errors.Is(err, fs.ErrBadPart):
		return gofakes3.ErrorMessage(gofakes3.ErrInvalidPart, err.Error())
	case errors.Is(err, context.Canceled):
		return gofakes3.ErrIncompleteBody // nobody is there to read it
	}
	log.Error("object storage failed", "err", err)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return gofakes3.ErrorMessage(codeInsufficientStorage, "The disk of this server is full.")
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return gofakes3.ErrorMessage(gofakes3.ErrInternal, "The directory of this server cannot be written.")
	}
	return gofakes3.ErrorMessage(gofakes3.ErrInternal, "The storage of this server failed; its log says how.")
}

// fail answers with err's translation.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := signature.APIError{Code: string(gofakes3.ErrInternal), HTTPStatusCode: http.StatusInternalServerError}
	var known gofakes3.Error
	if errors.As(s3Error(s.log, err), &known) {
		e = signature.APIError{Code: string(known.ErrorCode()), Description: known.Error(), HTTPStatusCode: known.ErrorCode().Status()}
	}
	switch e.Code {
	case string(codeInsufficientStorage):
		e.HTTPStatusCode = http.StatusInsufficientStorage
	case string(codeRequestTimeout):
		e.HTTPStatusCode = http.StatusBadRequest // as in S3
	}
	refuse(w, r, e)
}
