package server

import (
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/signature"

	"templar/internal/store"
	"templar/internal/store/fs"
)

// multipart answers the requests of uploads in parts.
func (s *Server) multipart(w http.ResponseWriter, r *http.Request, t target, q url.Values, sum *checksum) {
	var result any
	var err error
	switch {
	case !s.files.HasBucket(t.bucket):
		err = gofakes3.BucketNotFound(t.bucket)
	case t.key == "" && r.Method == http.MethodGet && q.Has("uploads"):
		result, err = s.listUploads(t.bucket, q.Get("prefix"))
	case t.key == "":
		err = gofakes3.ErrMethodNotAllowed
	case q.Has("uploads") && r.Method == http.MethodPost:
		result, err = s.createUpload(t, r.Header)
	case q.Has("uploads"):
		err = gofakes3.ErrMethodNotAllowed
	default:
		var u fs.Upload
		if u, err = s.files.Upload(t.bucket, t.key, q.Get("uploadId")); err == nil {
			result, err = s.upload(w, r, u, q, sum)
		}
	}
	if err != nil {
		s.fail(w, r, err)
	} else if result != nil {
		w.Header().Set("Content-Type", "application/xml")
		w.Write(signature.EncodeResponse(result))
	}
}

// upload answers a request about an existing upload. A nil result has no body.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, u fs.Upload, q url.Values, sum *checksum) (any, error) {
	switch r.Method {
	case http.MethodPut:
		return nil, s.putPart(w, r, u, q.Get("partNumber"), sum)
	case http.MethodGet:
		return s.listParts(u, q)
	case http.MethodPost:
		return s.completeUpload(r, u)
	case http.MethodDelete:
		if err := s.files.Abort(u); err != nil {
			return nil, err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil, nil
	}
	return nil, gofakes3.ErrMethodNotAllowed
}

func (s *Server) createUpload(t target, h http.Header) (any, error) {
	header, err := objectHeader(h)
	if err != nil {
		return nil, err
	}
	u, err := s.files.CreateUpload(t.bucket, t.key, header)
	if err != nil {
		return nil, err
	}
	return gofakes3.InitiateMultipartUpload{Bucket: u.Bucket, Key: u.Key, UploadID: gofakes3.UploadID(u.ID)}, nil
}

func (s *Server) putPart(w http.ResponseWriter, r *http.Request, u fs.Upload, number string, sum *checksum) error {
	n, err := strconv.Atoi(number)
	switch {
	case err != nil:
		return fmt.Errorf("%w: part number %q", store.ErrInvalid, number)
	case r.Header.Get("X-Amz-Copy-Source") != "":
		return gofakes3.ErrNotImplemented
	case r.ContentLength < 0:
		return gofakes3.ErrMissingContentLength
	}
	digest, err := contentMD5(r.Header)
	if err != nil {
		return err
	}
	p, err := s.files.PutPart(r.Context(), u, n, r.Body, r.ContentLength, digest)
	if err != nil {
		return err
	}
	if sum != nil {
		w.Header().Set(sum.header, sum.value())
	}
	w.Header().Set("ETag", quote(p.ETag))
	return nil
}

func (s *Server) listParts(u fs.Upload, q url.Values) (any, error) {
	after, err1 := number(q.Get("part-number-marker"), 0)
	limit, err2 := number(q.Get("max-parts"), gofakes3.MaxUploadPartsLimit)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	limit = min(limit, gofakes3.MaxUploadPartsLimit)
	parts, err := s.files.Parts(u)
	if err != nil {
		return nil, err
	}
	out := gofakes3.ListMultipartUploadPartsResult{
		Bucket: u.Bucket, Key: u.Key, UploadID: gofakes3.UploadID(u.ID),
		PartNumberMarker: after, MaxParts: int64(limit),
	}
	for _, p := range parts {
		if p.Number <= after {
			continue
		}
		if len(out.Parts) >= limit {
			out.IsTruncated = true
			break
		}
		out.NextPartNumberMarker = p.Number
		out.Parts = append(out.Parts, gofakes3.ListMultipartUploadPartItem{
			PartNumber: p.Number, LastModified: gofakes3.NewContentTime(p.Modified), ETag: quote(p.ETag), Size: p.Size,
		})
	}
	return out, nil
}

func number(s string, missing int) (int, error) {
	if s == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: number %q", store.ErrInvalid, s)
	}
	return n, nil
}

// maxUploads is how many uploads one listing shows; there are no further pages.
const maxUploads = 1000

func (s *Server) listUploads(bucket, prefix string) (any, error) {
	uploads, err := s.files.Uploads(bucket)
	if err != nil {
		return nil, err
	}
	out := gofakes3.ListMultipartUploadsResult{Bucket: bucket, Prefix: prefix, MaxUploads: maxUploads}
	for _, u := range uploads {
		if strings.HasPrefix(u.Key, prefix) && len(out.Uploads) < maxUploads {
			out.Uploads = append(out.Uploads, gofakes3.ListMultipartUploadItem{
				Key: u.Key, UploadID: gofakes3.UploadID(u.ID), Initiated: gofakes3.NewContentTime(u.Initiated),
			})
		}
	}
	return out, nil
}

func (s *Server) completeUpload(r *http.Request, u fs.Upload) (any, error) {
	parts, err := readParts(r.Body)
	if err != nil {
		return nil, err
	}
	done, err := s.files.Complete(r.Context(), u, parts, fs.PutOptions{Check: condition(r.Header)})
	if err != nil {
		return nil, err
	}
	return gofakes3.CompleteMultipartUploadResult{Bucket: u.Bucket, Key: u.Key, ETag: quote(done.ETag)}, nil
}

func readParts(body io.Reader) ([]fs.Part, error) {
	b, err := io.ReadAll(io.LimitReader(body, gofakes3.MaxXMLBodySize))
	if err != nil {
		return nil, err
	}
	var in gofakes3.CompleteMultipartUploadRequest
	if err := xml.Unmarshal(b, &in); err != nil {
		return nil, gofakes3.ErrorMessage(gofakes3.ErrMalformedXML, err.Error())
	}
	var parts []fs.Part
	for _, p := range in.Parts {
		etag, err := hex.DecodeString(strings.Trim(p.ETag, `"`))
		if err != nil {
			return nil, fmt.Errorf("%w: number %d", fs.ErrBadPart, p.PartNumber)
		}
		parts = append(parts, fs.Part{Number: p.PartNumber, ETag: etag})
	}
	return parts, nil
}
