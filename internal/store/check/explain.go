package check

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"syscall"

	"templar/internal/store"
	"templar/internal/store/s3"
)

// failed is the result of a step whose request failed.
func failed(err error) Result {
	detail := err.Error()
	var r *s3.Refusal
	if errors.As(err, &r) { // where and what is plain from the step
		detail = "refused: " + r.Error()
	}
	return Result{Status: Fail, Detail: detail, Fix: cmp.Or(Remedy(err), "try again; if it stays, ask the store's operator")}
}

// Remedy says what the operator of a bucket can do about an error; empty when that is not known.
func Remedy(err error) string {
	var r *s3.Refusal
	if errors.As(err, &r) {
		if fix, ok := remedies[r.Code]; ok {
			return fix
		}
		switch { // an answer to HEAD has no code
		case r.Status == http.StatusServiceUnavailable, r.Status == http.StatusTooManyRequests:
			return remedies["SlowDown"]
		case r.Status >= http.StatusInternalServerError:
			return "the store is out of order: wait, or ask its operator"
		}
	}
	var name *net.DNSError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &name):
		return "no such host: correct the endpoint (Cloudflare R2: https://ACCOUNT.r2.cloudflarestorage.com)"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: start the server, or correct the endpoint's port"
	case errors.As(err, &authority), errors.As(err, &host):
		return "its certificate is not for this host, or signed by nobody known: correct the endpoint, or the server's certificate"
	case errors.Is(err, store.ErrUnauthenticated):
		return "the store does not know this key, or its secret is another: enter both again; a new key takes up to a minute"
	case errors.Is(err, store.ErrDenied):
		return "the key may not do this: give it the right in the provider's console, for this bucket; a new key takes up to a minute"
	case errors.Is(err, store.ErrNotFound):
		return "create the bucket, or correct its name"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "no answer in time: is the endpoint right, and is a firewall or proxy in the way?"
	}
	return ""
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// remedies by S3's error codes.
var remedies = map[string]string{
	"SignatureDoesNotMatch":        "the secret does not belong to this access key: enter both again",
	"InvalidAccessKeyId":           "the store does not know this access key: correct it, or make one; a new key takes up to a minute",
	"Unauthorized":                 "the store does not know this access key or refuses its signature: enter key and secret again; a new key takes up to a minute",
	"RequestTimeTooSkewed":         "this machine's clock is wrong: set it (timedatectl set-ntp true)",
	"NoSuchBucket":                 "create the bucket, or correct its name",
	"AuthorizationHeaderMalformed": "the region is wrong: set the one that the message names (R2: auto)",
	"PermanentRedirect":            "the bucket is in another region: set its endpoint and region",
	"TooManyRequests":              "the store limits the rate: wait, or ask for a higher limit",
	"SlowDown":                     "the store is overloaded or limits the rate: wait, or ask for a higher limit",
}
