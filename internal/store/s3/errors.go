package s3

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/minio/minio-go/v7"

	"templar/internal/store"
)

// wrap names the operation and says which of the port's errors err is, if any.
func wrap(op, bucket, key string, err error) error {
	if err == nil {
		return nil
	}
	op = fmt.Sprintf("%s %s/%s", op, bucket, key)
	var resp minio.ErrorResponse
	if !errors.As(err, &resp) || resp.StatusCode == 0 {
		var ue *url.Error // repeats the address
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return fmt.Errorf("%s: %w", op, err)
	}
	// What the server says is quoted and cut: it may be anybody's server.
	detail := fmt.Sprintf("status %d %.64q %.200q", resp.StatusCode, resp.Code, resp.Message)
	if known := classify(resp); known != nil {
		return fmt.Errorf("%s: %w: %s%s", op, known, detail, hint(resp))
	}
	return fmt.Errorf("%s: %s", op, detail)
}

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
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
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

func hint(r minio.ErrorResponse) string {
	switch {
	case r.Code == "RequestTimeTooSkewed":
		return " (set this machine's clock)"
	case r.StatusCode >= 300 && r.StatusCode < 400:
		return " (redirects are not followed: check endpoint and region)"
	}
	return ""
}
