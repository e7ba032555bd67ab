package server

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
)

// owner stands in documents that must name one: all buckets are this server's.
var owner = &ownerElement{ID: "templar", DisplayName: "templar"}

type ownerElement struct{ ID, DisplayName string }

type bucketsResult struct {
	XMLName           xml.Name `xml:"ListAllMyBucketsResult"`
	Xmlns             string   `xml:"xmlns,attr"`
	Owner             *ownerElement
	Buckets           []bucketElement `xml:"Buckets>Bucket"`
	ContinuationToken string          `xml:",omitempty"`
	Prefix            string          `xml:",omitempty"`
}

type bucketElement struct {
	Name         string
	CreationDate instant
}

func (s *Server) listBuckets(c *call) error {
	limit, err := c.limit("max-buckets", 10_000)
	if err != nil {
		return err
	}
	after, err := c.token("continuation-token")
	if err != nil {
		return err
	}
	all, err := s.files.Buckets()
	if err != nil {
		return err
	}
	out := bucketsResult{Xmlns: namespace, Owner: owner, Prefix: c.query["prefix"]}
	for _, b := range all {
		switch {
		case !strings.HasPrefix(b.Name, out.Prefix) || b.Name <= after:
			continue
		case len(out.Buckets) == limit:
			if limit > 0 {
				out.ContinuationToken = newToken(out.Buckets[limit-1].Name)
			}
			writeXML(c.w, http.StatusOK, out)
			return nil
		}
		out.Buckets = append(out.Buckets, bucketElement{b.Name, instant(b.Created)})
	}
	writeXML(c.w, http.StatusOK, out)
	return nil
}

const region = "us-east-1" // of a server that has none: any will do in a signature

func (s *Server) headBucket(c *call) error {
	c.w.Header().Set("X-Amz-Bucket-Region", region)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

type bucketConfiguration struct {
	XMLName            xml.Name `xml:"CreateBucketConfiguration"`
	LocationConstraint string
	Location           *struct{}
	Bucket             *struct{}
	Tags               *struct{}
}

func (s *Server) createBucket(c *call) error {
	var in bucketConfiguration
	if err := readXML(c.r.Body, &in); err != nil && !emptyBody(err) {
		return err
	}
	if l := in.LocationConstraint; l != "" && l != region && l != "auto" {
		return refusef(http.StatusBadRequest, "InvalidLocationConstraint", "This server has one place for all buckets, and %.40q is not it: leave the location out.", l)
	}
	if in.Location != nil || in.Bucket != nil || in.Tags != nil {
		return unsupported("This server does not support Location, Bucket and Tags of a bucket's configuration.")
	}
	if err := s.files.CreateBucket(c.bucket); err != nil {
		return err
	}
	c.w.Header().Set("Location", "/"+c.bucket)
	return nil
}

// emptyBody tells a document that is not there from one that is broken.
func emptyBody(err error) bool {
	e, ok := err.(*refusal)
	return ok && e.code == "MalformedXML" && e.message == io.EOF.Error()
}

func (s *Server) deleteBucket(c *call) error {
	if !s.files.HasBucket(c.bucket) {
		return noSuchBucket(c.bucket)
	}
	if err := s.files.DeleteBucket(c.bucket); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

type locationResult struct {
	XMLName xml.Name `xml:"LocationConstraint"`
	Xmlns   string   `xml:"xmlns,attr"`
}

// bucketLocation is empty, which S3 says of us-east-1.
func (s *Server) bucketLocation(c *call) error {
	writeXML(c.w, http.StatusOK, locationResult{Xmlns: namespace})
	return nil
}

type versioningResult struct {
	XMLName xml.Name `xml:"VersioningConfiguration"`
	Xmlns   string   `xml:"xmlns,attr"`
}

// bucketVersioning is empty: it was never enabled.
func (s *Server) bucketVersioning(c *call) error {
	writeXML(c.w, http.StatusOK, versioningResult{Xmlns: namespace})
	return nil
}

type accessResult struct {
	XMLName xml.Name `xml:"AccessControlPolicy"`
	Xmlns   string   `xml:"xmlns,attr"`
	Owner   *ownerElement
	Grants  []grantElement `xml:"AccessControlList>Grant"`
}

type grantElement struct {
	Grantee struct {
		Xsi  string `xml:"xmlns:xsi,attr"`
		Type string `xml:"xsi:type,attr"`
		ownerElement
	}
	Permission string
}

// accessList says that the owner may do everything: other rights are not in access lists, but
// those of the server's keys.
func (s *Server) accessList(c *call) error {
	if c.key != "" {
		if _, err := s.files.Stat(c.bucket, c.key); err != nil {
			return err
		}
	}
	g := grantElement{Permission: "FULL_CONTROL"}
	g.Grantee.Xsi, g.Grantee.Type, g.Grantee.ownerElement = "http://www.w3.org/2001/XMLSchema-instance", "CanonicalUser", *owner
	writeXML(c.w, http.StatusOK, accessResult{Xmlns: namespace, Owner: owner, Grants: []grantElement{g}})
	return nil
}
