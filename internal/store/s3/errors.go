package s3

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"github.com/minio/minio-go/v7"

	"templar/internal/store"
)

// wrap names the operation and says which of the port's errors err is, if any.
func wrap(op, place, key string, err error) error {
	if err == nil {
		return nil
	}
	op = fmt.Sprintf("%s %s/%s", op, place, key)
	var resp minio.ErrorResponse
	if !errors.As(err, &resp) || resp.StatusCode == 0 {
		var ue *url.Error // repeats the address
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return fmt.Errorf("%s: %w", op, err)
	}
	return fmt.Errorf("%s: %w", op, &Refusal{Status: resp.StatusCode, Code: mask(resp.Code), Message: mask(resp.Message), known: classify(resp)})
}

// signature is what signs a request, and opens what it asks for while it is fresh.
var signature = regexp.MustCompile("[0-9a-fA-F]{64}")

// mask takes signatures out of a server's words: it may repeat the header that it was
// sent, and its words end in logs.
func mask(s string) string { return signature.ReplaceAllString(s, "***") }

// Refusal is a server's answer that is none of what was asked for. It wraps the port's
// error that it means, if there is one.
type Refusal struct {
	Status  int    // of HTTP
	Code    string // S3's word for it; empty in answers to HEAD
	Message string // the server's own words
	known   error
}

// Error quotes and cuts what the server says: it may be anybody's server.
func (r *Refusal) Error() string {
	detail := fmt.Sprintf("status %d %.64q %.200q%s", r.Status, r.Code, r.Message, r.hint())
	if r.known != nil {
		return fmt.Sprintf("%v: %s", r.known, detail)
	}
	return detail
}

func (r *Refusal) Unwrap() error { return r.known }

// classify maps a refusal to the port's errors; nil is a fault worth a retry.
func classify(r minio.ErrorResponse) error {
	switch r.Code {
	case "ClientDisconnect", "IncompleteBody", "RequestTimeout", "BadDigest", "XAmzContentSHA256Mismatch":
		return nil // 400, but the way to the server is to blame
	case "EntityTooLarge":
		return store.ErrTooLarge
	}
	switch s := r.StatusCode; {
	case s == http.StatusNotFound:
		return store.ErrNotFound
	case s == http.StatusPreconditionFailed:
		return store.ErrExists
	case r.Code == "RequestTimeTooSkewed":
		return store.ErrInvalid // 403, but this machine's clock is to blame and not the key
	case s == http.StatusUnauthorized, s == http.StatusForbidden && unknownKey(r.Code):
		return store.ErrUnauthenticated
	case s == http.StatusForbidden:
		return store.ErrDenied
	case s == http.StatusRequestEntityTooLarge:
		return store.ErrTooLarge
	case s == http.StatusRequestTimeout || s == http.StatusTooManyRequests || s == http.StatusConflict || s == 499:
		return nil
	case s < 500 || s == http.StatusNotImplemented:
		return store.ErrInvalid
	}
	return nil
}

// unknownKey tells the codes of a credential that is not good for anything. AWS, MinIO and
// the embedded server send them with the status of a right that is lacking; to a key that it
// does not know R2 says 401.
func unknownKey(code string) bool {
	return code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch"
}

func (r *Refusal) hint() string {
	switch {
	case r.Code == "RequestTimeTooSkewed":
		return " (set this machine's clock)"
	case r.Status >= 300 && r.Status < 400:
		return " (redirects are not followed: check endpoint and region)"
	}
	return ""
}
