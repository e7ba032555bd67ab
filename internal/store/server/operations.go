package server

import (
	"net/http"
	"slices"
	"strings"
)

// What a request may ask for stands in one table: its operations, and of each the parameters
// and headers that it takes. Everything else that could mean something to an S3 server is
// refused by name: who asks for encryption, a condition or a checksum must not be answered as
// if all were well. Nothing reads a header or parameter that its operation does not list.

type level int

const (
	onService level = iota
	onBucket
	onObject
)

type right int

const (
	toRead right = iota
	toWrite
	toAdminister // buckets themselves are an admin's
)

// bodyKind is what an operation does with a request's body.
type bodyKind int

const (
	noBody    bodyKind = iota
	document           // XML, of a bounded length
	data               // of an object or part
	documents          // XML; checksum headers are not of it, but of the object
)

// operation is a row of the table.
type operation struct {
	name    string // S3's
	method  string
	level   level
	marker  string // a parameter that makes it this operation; "" without
	copies  bool   // with X-Amz-Copy-Source, or without
	right   right
	body    bodyKind
	query   string // names, apart by spaces; name=a|b takes those values only
	headers string // likewise; name* is a prefix
	do      func(s *Server, c *call) error
}

// Groups of headers.
const (
	// inAll change nothing here, or are the signature's.
	inAll = "X-Amz-Date X-Amz-Content-Sha256 X-Amz-User-Agent X-Amz-Request-Payer=requester " // nobody is billed
	// ofBody are of a body, and checked with it.
	ofBody = "Content-Md5 X-Amz-Checksum-Crc32 X-Amz-Checksum-Crc32c X-Amz-Checksum-Crc64nvme X-Amz-Checksum-Sha1 X-Amz-Checksum-Sha256 " +
		"X-Amz-Sdk-Checksum-Algorithm X-Amz-Checksum-Algorithm X-Amz-Trailer X-Amz-Decoded-Content-Length Content-Encoding "
	// ofObject are kept with an object.
	ofObject = "Cache-Control Content-Disposition Content-Encoding Content-Language Content-Type Expires X-Amz-Meta-* " +
		"X-Amz-Acl=private|bucket-owner-full-control X-Amz-Storage-Class=STANDARD "
	ifMatches  = "If-Match If-None-Match "
	conditions = ifMatches + "If-Modified-Since If-Unmodified-Since "
	ofSource   = "X-Amz-Copy-Source X-Amz-Copy-Source-If-Match X-Amz-Copy-Source-If-None-Match X-Amz-Copy-Source-If-Modified-Since X-Amz-Copy-Source-If-Unmodified-Since "
	// ofWhole are checksums of an object that was put together from parts.
	ofWhole  = "X-Amz-Checksum-Crc32 X-Amz-Checksum-Crc32c X-Amz-Checksum-Crc64nvme X-Amz-Checksum-Sha1 X-Amz-Checksum-Sha256 X-Amz-Checksum-Type=COMPOSITE|FULL_OBJECT X-Amz-Mp-Object-Size "
	override = "response-cache-control response-content-disposition response-content-encoding response-content-language response-content-type response-expires "
)

// operations returns the table. A row with a marker stands before one without.
func operations() []operation {
	const get, head, put, post, del = http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete
	table := []operation{
		{name: "ListBuckets", method: get, level: onService, right: toAdminister, query: "prefix max-buckets continuation-token", do: (*Server).listBuckets},

		{name: "GetBucketLocation", method: get, level: onBucket, marker: "location", do: (*Server).bucketLocation},
		{name: "GetBucketVersioning", method: get, level: onBucket, marker: "versioning", do: (*Server).bucketVersioning},
		{name: "GetBucketAcl", method: get, level: onBucket, marker: "acl", do: (*Server).accessList},
		{name: "ListMultipartUploads", method: get, level: onBucket, marker: "uploads", query: "prefix delimiter key-marker upload-id-marker max-uploads encoding-type=url", do: (*Server).listUploads},
		{name: "ListObjectVersions", method: get, level: onBucket, marker: "versions", query: "prefix delimiter key-marker version-id-marker=null max-keys encoding-type=url", do: (*Server).listVersions},
		{name: "ListObjectsV2", method: get, level: onBucket, marker: "list-type", query: "list-type=2 prefix delimiter start-after continuation-token max-keys encoding-type=url fetch-owner=true|false", do: (*Server).listObjectsV2},
		{name: "ListObjects", method: get, level: onBucket, query: "prefix delimiter marker max-keys encoding-type=url", do: (*Server).listObjects},
		{name: "HeadBucket", method: head, level: onBucket, do: (*Server).headBucket},
		{name: "CreateBucket", method: put, level: onBucket, right: toAdminister, body: document, headers: ofBody + "X-Amz-Acl=private X-Amz-Object-Ownership=BucketOwnerEnforced X-Amz-Bucket-Object-Lock-Enabled=false", do: (*Server).createBucket},
		{name: "DeleteBucket", method: del, level: onBucket, right: toAdminister, do: (*Server).deleteBucket},
		{name: "DeleteObjects", method: post, level: onBucket, marker: "delete", right: toWrite, body: document, headers: ofBody, do: (*Server).deleteObjects},

		{name: "GetObjectAcl", method: get, level: onObject, marker: "acl", query: "versionId=null", do: (*Server).accessList},
		{name: "GetObjectTagging", method: get, level: onObject, marker: "tagging", query: "versionId=null", do: (*Server).objectTags},
		{name: "GetObjectAttributes", method: get, level: onObject, marker: "attributes", query: "versionId=null", headers: "X-Amz-Object-Attributes", do: (*Server).objectAttributes},
		{name: "ListParts", method: get, level: onObject, marker: "uploadId", query: "max-parts part-number-marker encoding-type=url", do: (*Server).listParts},
		{name: "GetObject", method: get, level: onObject, query: "versionId=null " + override, headers: conditions + "Range If-Range X-Amz-Checksum-Mode=ENABLED", do: (*Server).getObject},
		{name: "HeadObject", method: head, level: onObject, query: "versionId=null " + override, headers: conditions + "Range If-Range X-Amz-Checksum-Mode=ENABLED", do: (*Server).getObject},
		{name: "UploadPartCopy", method: put, level: onObject, marker: "uploadId", copies: true, right: toWrite, query: "partNumber", headers: ofSource + "X-Amz-Copy-Source-Range", do: (*Server).copyPart},
		{name: "UploadPart", method: put, level: onObject, marker: "uploadId", right: toWrite, body: data, query: "partNumber", headers: ofBody, do: (*Server).putPart},
		{name: "CopyObject", method: put, level: onObject, copies: true, right: toWrite, headers: ofSource + ofObject + ifMatches + "X-Amz-Metadata-Directive=COPY|REPLACE X-Amz-Tagging-Directive=COPY X-Amz-Checksum-Algorithm", do: (*Server).copyObject},
		{name: "PutObject", method: put, level: onObject, right: toWrite, body: data, headers: ofBody + ofObject + ifMatches, do: (*Server).putObject},
		{name: "CreateMultipartUpload", method: post, level: onObject, marker: "uploads", right: toWrite, headers: ofObject + ifMatches + "X-Amz-Checksum-Algorithm X-Amz-Checksum-Type=COMPOSITE|FULL_OBJECT", do: (*Server).createUpload},
		{name: "CompleteMultipartUpload", method: post, level: onObject, marker: "uploadId", right: toWrite, body: documents, headers: ofWhole + ifMatches + "Content-Md5", do: (*Server).completeUpload},
		{name: "AbortMultipartUpload", method: del, level: onObject, marker: "uploadId", right: toWrite, do: (*Server).abortUpload},
		{name: "DeleteObject", method: del, level: onObject, right: toWrite, query: "versionId=null", headers: "If-Match", do: (*Server).deleteObject},
	}
	// What no bucket has, and clients ask for to find out.
	for marker, code := range map[string]string{
		"cors": "NoSuchCORSConfiguration", "encryption": "ServerSideEncryptionConfigurationNotFoundError", "lifecycle": "NoSuchLifecycleConfiguration",
		"object-lock": "ObjectLockConfigurationNotFoundError", "ownershipControls": "OwnershipControlsNotFoundError", "policy": "NoSuchBucketPolicy",
		"publicAccessBlock": "NoSuchPublicAccessBlockConfiguration", "replication": "ReplicationConfigurationNotFoundError", "tagging": "NoSuchTagSet", "website": "NoSuchWebsiteConfiguration",
	} {
		row := operation{name: "GetBucket " + marker, method: get, level: onBucket, marker: marker, do: func(s *Server, c *call) error {
			return refusef(http.StatusNotFound, code, "The bucket has none, and this server does not support it.")
		}}
		table = slices.Insert(table, 1, row)
	}
	return table
}

// subresources are S3's markers of which the table has some.
var subresources = strings.Fields("accelerate acl analytics attributes cors delete encryption intelligent-tiering inventory legal-hold lifecycle location logging metadataConfiguration metadataTable metrics " +
	"notification object-lock ownershipControls partNumber policy policyStatus publicAccessBlock renameObject replication requestPayment restore retention select session tagging torrent uploadId uploads versioning versions versionId website")

// find returns the operation that a request asks for, or a refusal that says what of it this
// server does not do.
func (s *Server) find(c *call) (*operation, error) {
	copies := c.has("X-Amz-Copy-Source")
	for i := range s.operations {
		o := &s.operations[i]
		if o.method == c.r.Method && o.level == c.level() && (o.marker == "" || c.query.has(o.marker)) && o.copies == copies {
			return o, o.check(c)
		}
	}
	for name := range c.query {
		if slices.Contains(subresources, name) {
			return nil, unsupported("This server does not support %s with ?%s.", c.r.Method, name)
		}
	}
	if copies {
		return nil, unsupported("This server does not support %s with X-Amz-Copy-Source.", c.r.Method)
	}
	if c.r.Method == http.MethodPost {
		return nil, unsupported("This server takes no uploads from a browser's form: PUT the object.")
	}
	return nil, refusef(http.StatusMethodNotAllowed, "MethodNotAllowed", "This server does not support %s of that.", c.r.Method)
}

// check refuses what the operation does not take.
func (o *operation) check(c *call) error {
	for name, value := range c.query {
		if slices.Contains(presignParams, name) && c.auth.presigned || name == o.marker && o.takes(o.query, name) == unknown {
			continue
		}
		switch t := o.takes(o.query, name); {
		case t == unknown && name == "x-id":
			if value != o.name {
				return invalid("The parameter x-id says %q, and the request is %s.", value, o.name)
			}
		case t == unknown && slices.Contains(subresources, name):
			return unsupported("This server does not support ?%s with %s.", name, o.name)
		case t == unknown:
			return invalid("%s takes no parameter %q.", o.name, name)
		case name == "versionId" && !t.allows(value):
			return invalid("Invalid version id specified: this server keeps no versions.")
		case !t.allows(value):
			return invalid("This server does not support the value %.60q of the parameter %q of %s.", value, name, o.name)
		}
	}
	for name := range c.r.Header {
		t := o.takes(inAll+o.headers, name)
		switch {
		case !weighty(name):
		case t == unknown && name == "Content-Range":
			return invalid("This server does not take objects in pieces (%s): upload in parts.", name)
		case t == unknown:
			return unsupported("This server does not support the header %s with %s.", name, o.name)
		case !t.allows(c.get(name)):
			return unsupported("This server does not support the header %s: %.60s with %s.", name, c.get(name), o.name)
		}
	}
	return nil
}

// weighty tells the headers that an operation must not overlook. Range is not among them: HTTP
// has it overlooked but with GET.
func weighty(name string) bool {
	switch name {
	case "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Content-Md5", "Content-Range":
		return true
	}
	return strings.HasPrefix(name, "X-Amz-")
}

// taken is what an operation takes of a name: "" nothing, "*" anything, else values with "|".
type taken string

const unknown taken = ""

func (t taken) allows(value string) bool {
	return t == "*" || slices.Contains(strings.Split(string(t), "|"), value)
}

// takes looks name up in a list of the table.
func (o *operation) takes(list, name string) taken {
	for entry := range strings.FieldsSeq(list) {
		entry, values, bound := strings.Cut(entry, "=")
		prefix, open := strings.CutSuffix(entry, "*")
		switch {
		case entry != name && !(open && strings.HasPrefix(name, prefix)):
		case bound:
			return taken(values)
		default:
			return "*"
		}
	}
	return unknown
}
