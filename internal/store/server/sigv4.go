package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signature Version 4, in the Authorization header or in the query of a presigned address:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html.
const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeLayout = "20060102T150405Z"
	maxSkew    = 15 * time.Minute   // between a request's time and the clock, as in S3
	maxExpires = 7 * 24 * time.Hour // of a presigned address, as in S3
)

// presignParams are a presigned address's own: they are no headers in another place.
var presignParams = []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"}

// query is the parameters of a request. A name stands once.
type query map[string]string

// parseQuery refuses what package net/url would drop without a word.
func parseQuery(raw string) (query, error) {
	q := query{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, refusef(http.StatusBadRequest, "InvalidURI", "The query is not percent-encoded as it should be.")
		}
		if _, twice := q[name]; twice {
			return nil, invalid("The parameter %q stands twice.", name)
		}
		q[name] = value
	}
	return q, nil
}

func (q query) has(name string) bool {
	_, ok := q[name]
	return ok
}

// hoist makes headers of the X-Amz-* parameters that some clients put into the addresses that
// they presign, so that there is one place to look for what a request asks for.
func (q query) hoist(h http.Header) error {
	for name, value := range q {
		canonical := http.CanonicalHeaderKey(name)
		if !strings.HasPrefix(canonical, "X-Amz-") || slices.Contains(presignParams, name) {
			continue
		}
		if _, both := h[canonical]; both {
			return invalid("%s stands in the headers and in the query.", canonical)
		}
		h[canonical] = []string{value}
		delete(q, name)
	}
	return nil
}

// auth is what a request says of its signature.
type auth struct {
	presigned     bool
	accessKey     string
	scope         []string // date, region, service, "aws4_request"
	signedHeaders string
	signature     string
	time          string // in timeLayout
	key           Key    // whose secret made the signature
}

// authenticate returns the key whose secret signed the request. Headers in q must stand there
// still: they are signed as parameters.
func (s *Server) authenticate(r *http.Request, q query) (*auth, error) {
	a, err := parseAuth(r, q)
	if err != nil {
		return nil, err
	}
	signed, err := a.headers(r)
	if err != nil {
		return nil, err
	}
	at, err := a.check(r, q)
	if err != nil {
		return nil, err
	}
	key, ok := s.keys.Lookup(a.accessKey)
	if !ok {
		return nil, refusef(http.StatusForbidden, "InvalidAccessKeyId", "This server knows no access key of this id.")
	}
	a.key, a.time = key, at.Format(timeLayout)
	canonical := strings.Join([]string{r.Method, encode(r.URL.Path, true), q.canonical(), signed, a.signedHeaders, a.payload(r, q)}, "\n")
	digest := sha256.Sum256([]byte(canonical))
	want := hex.EncodeToString(sign(a.signingKey(), strings.Join([]string{algorithm, a.time, strings.Join(a.scope, "/"), hex.EncodeToString(digest[:])}, "\n")))
	if !hmac.Equal([]byte(want), []byte(a.signature)) {
		return nil, refusef(http.StatusForbidden, "SignatureDoesNotMatch", "The signature is not that of this request and of this key's secret: check the secret, and what stands between that may change requests.")
	}
	return a, nil
}

// errV2 names what most old clients need to be told.
var errV2 = refusef(http.StatusBadRequest, "InvalidRequest", "This server takes Signature Version 4 only (AWS4-HMAC-SHA256), and this request is signed with Version 2: set the signature version of the client (boto3: signature_version=\"s3v4\").")

// parseAuth finds the signature. What it refuses is refused with the cause: who asks without a
// key learns nothing from it.
func parseAuth(r *http.Request, q query) (*auth, error) {
	header := r.Header.Get("Authorization")
	scheme, fields, _ := strings.Cut(header, " ")
	switch {
	case header == "" && q.has("X-Amz-Signature"), header == "" && q.has("X-Amz-Algorithm"):
		return parsePresigned(q)
	case header == "" && q.has("Signature") && q.has("AWSAccessKeyId"), scheme == "AWS":
		return nil, errV2
	case header == "":
		return nil, refusef(http.StatusForbidden, "AccessDenied", "The request is not signed, and this server lets nobody in without a key.")
	case q.has("X-Amz-Signature"):
		return nil, invalid("The request is signed twice, in the Authorization header and in the query.")
	case scheme != algorithm:
		return nil, wrongAlgorithm(scheme)
	}
	a := &auth{}
	var credential string
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			credential = value
		case "SignedHeaders":
			a.signedHeaders = value
		case "Signature":
			a.signature = value
		default:
			return nil, malformedAuth("it has a field %.40q", name)
		}
	}
	return a, a.setCredential(credential)
}

func parsePresigned(q query) (*auth, error) {
	if q["X-Amz-Algorithm"] != algorithm {
		return nil, wrongAlgorithm(q["X-Amz-Algorithm"])
	}
	a := &auth{presigned: true, signedHeaders: q["X-Amz-SignedHeaders"], signature: q["X-Amz-Signature"]}
	return a, a.setCredential(q["X-Amz-Credential"])
}

func wrongAlgorithm(name string) *refusal {
	return refusef(http.StatusBadRequest, "InvalidRequest", "This server takes Signature Version 4 with %s only, and not %.40q.", algorithm, name)
}

func malformedAuth(format string, args ...any) *refusal {
	return refusef(http.StatusBadRequest, "AuthorizationHeaderMalformed", "The signature's description is malformed: "+format+".", args...)
}

func (a *auth) setCredential(credential string) error {
	parts := strings.Split(credential, "/")
	n := len(parts) - 4
	if a.signedHeaders == "" || a.signature == "" || n < 1 {
		return malformedAuth("want Credential=<key>/<date>/<region>/s3/aws4_request, SignedHeaders=<names> and Signature=<hexadecimal>")
	}
	a.accessKey, a.scope = strings.Join(parts[:n], "/"), parts[n:]
	switch {
	case a.scope[1] == "":
		return malformedAuth("the credential has no region (any will do, like us-east-1)")
	case a.scope[2] != "s3":
		return malformedAuth("the credential is for service %.40q, want s3", a.scope[2])
	case a.scope[3] != "aws4_request":
		return malformedAuth("the credential ends in %.40q, want aws4_request", a.scope[3])
	}
	return nil
}

// headers returns the canonical form of the signed ones, once it is sure that nothing counts
// that is not signed.
func (a *auth) headers(r *http.Request) (string, error) {
	names := strings.Split(a.signedHeaders, ";")
	for i, name := range names {
		names[i] = strings.ToLower(name)
	}
	if !slices.Contains(names, "host") {
		return "", refusef(http.StatusForbidden, "AccessDenied", "The header Host is not signed.")
	}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") && !slices.Contains(names, lower) {
			return "", refusef(http.StatusForbidden, "AccessDenied", "The header %s is not signed.", name)
		}
	}
	var out strings.Builder
	for _, name := range names {
		values := r.Header.Values(name)
		switch {
		case name == "host":
			values = []string{r.Host}
		case name == "content-length":
			values = []string{strconv.FormatInt(r.ContentLength, 10)}
		case name == "transfer-encoding":
			values = r.TransferEncoding
		case len(values) == 0:
			return "", refusef(http.StatusForbidden, "AccessDenied", "The header %.60q is signed and not there.", name)
		}
		values = slices.Clone(values)
		for i, v := range values {
			values[i] = strings.Join(strings.Fields(v), " ")
		}
		out.WriteString(name + ":" + strings.Join(values, ",") + "\n")
	}
	return out.String(), nil
}

// check holds the request's time against the clock, and against the credential's day.
func (a *auth) check(r *http.Request, q query) (time.Time, error) {
	at, err := a.when(r, q)
	if err != nil {
		return at, err
	}
	now := time.Now()
	if day := at.Format("20060102"); day != a.scope[0] {
		return at, malformedAuth("the credential's date is %.20q, and the request's is %s", a.scope[0], day)
	}
	skewed := refusef(http.StatusForbidden, "RequestTimeTooSkewed", "The request was signed at %s by the client's clock, and here it is %s: set the clocks (they may differ by %v).",
		at.Format(time.RFC3339), now.UTC().Format(time.RFC3339), maxSkew)
	if !a.presigned {
		if now.Sub(at).Abs() > maxSkew {
			return at, skewed
		}
		return at, nil
	}
	seconds, err := strconv.ParseInt(q["X-Amz-Expires"], 10, 64)
	if limit := int64(maxExpires / time.Second); err != nil || seconds < 1 || seconds > limit {
		return at, refusef(http.StatusBadRequest, "AuthorizationQueryParametersError", "X-Amz-Expires is %.20q, want 1 to %d seconds.", q["X-Amz-Expires"], limit)
	}
	if at.Sub(now) > maxSkew {
		return at, skewed
	}
	if end := at.Add(time.Duration(seconds) * time.Second); now.After(end) {
		return at, refusef(http.StatusForbidden, "AccessDenied", "Request has expired: the presigned address was good until %s, and here it is %s.", end.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return at, nil
}

// when returns the time of the signature.
func (a *auth) when(r *http.Request, q query) (time.Time, error) {
	value := q["X-Amz-Date"]
	if !a.presigned {
		value = r.Header.Get("X-Amz-Date")
	}
	at, err := time.Parse(timeLayout, value)
	if value == "" && !a.presigned {
		at, err = http.ParseTime(r.Header.Get("Date"))
	}
	if err != nil {
		return at, refusef(http.StatusForbidden, "AccessDenied", "The request has no valid X-Amz-Date, like %s.", timeLayout)
	}
	return at.UTC(), nil
}

// payload is what the signature says of the body.
func (a *auth) payload(r *http.Request, q query) string {
	claimed := r.Header.Get("X-Amz-Content-Sha256")
	if in := q["X-Amz-Content-Sha256"]; claimed == "" && in != "" {
		claimed = in
	}
	switch {
	case claimed != "":
		return claimed
	case a.presigned:
		return unsignedPayload
	}
	empty := sha256.Sum256(nil)
	return hex.EncodeToString(empty[:])
}

func (a *auth) signingKey() []byte {
	key := []byte("AWS4" + a.key.Secret.Reveal())
	for _, part := range a.scope {
		key = sign(key, part)
	}
	return key
}

// canonical is the query as it is signed.
func (q query) canonical() string {
	encoded := map[string]string{}
	for name, value := range q {
		if name != "X-Amz-Signature" {
			encoded[encode(name, false)] = encode(value, false)
		}
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(encoded)) { // by name, and not by pair: "=" is more than "-"
		pairs = append(pairs, name+"="+encoded[name])
	}
	return strings.Join(pairs, "&")
}

// encode percent-encodes as signatures want it, and listings with encoding-type=url.
func encode(s string, slash bool) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~", c) >= 0, slash && c == '/':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func sign(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}
