package server

import (
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"templar/internal/store"
	"templar/internal/store/fs"
)

// What an upload notes of its beginning.
const (
	noteAlgorithm = "checksum-algorithm" // like CRC32
	noteType      = "checksum-type"
	noteMatch     = "if-match"
	noteNoneMatch = "if-none-match"
)

type createResult struct {
	XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
	Xmlns    string   `xml:"xmlns,attr"`
	Bucket   string
	Key      text
	UploadID string `xml:"UploadId"`
}

// createUpload begins an upload. A condition that stands here and not where the upload is
// completed holds there too.
func (s *Server) createUpload(c *call) error {
	header, err := c.objectHeader()
	if err != nil {
		return err
	}
	if err := s.holds(c, c.condition()); err != nil {
		return err
	}
	notes := map[string]string{noteMatch: c.get("If-Match"), noteNoneMatch: c.get("If-None-Match")}
	if err := c.noteChecksum(notes); err != nil {
		return err
	}
	u, err := s.files.CreateUpload(c.bucket, c.key, header, notes)
	if err != nil {
		return err
	}
	if a := notes[noteAlgorithm]; a != "" {
		c.w.Header().Set("X-Amz-Checksum-Algorithm", a)
		c.w.Header().Set(checksumType, notes[noteType])
	}
	writeXML(c.w, http.StatusOK, createResult{Xmlns: namespace, Bucket: u.Bucket, Key: text(u.Key), UploadID: u.ID})
	return nil
}

// noteChecksum notes the checksum that the object is to have. S3's rules: composite, but for
// CRC64NVME, which is always of the whole, as an SHA never can be.
func (c *call) noteChecksum(notes map[string]string) error {
	kind := c.get(checksumType)
	if !c.has("X-Amz-Checksum-Algorithm") {
		if kind != "" {
			return invalid("%s stands without X-Amz-Checksum-Algorithm.", checksumType)
		}
		return nil
	}
	sum, err := ofAlgorithm(c.get("X-Amz-Checksum-Algorithm"))
	if err != nil {
		return err
	}
	algorithm := sum.algorithm()
	switch {
	case algorithm == "CRC64NVME" && kind == composite, strings.HasPrefix(algorithm, "SHA") && kind == fullObject:
		return refusef(http.StatusBadRequest, "InvalidRequest", "The checksum type %s cannot be had with %s.", kind, algorithm)
	case kind == "" && algorithm == "CRC64NVME":
		kind = fullObject
	case kind == "":
		kind = composite
	}
	notes[noteAlgorithm], notes[noteType] = algorithm, kind
	return nil
}

// upload finds the upload that a call names.
func (s *Server) upload(c *call) (fs.Upload, error) {
	return s.files.Upload(c.bucket, c.key, c.query["uploadId"])
}

// partNumber reads the number of the part that is being sent.
func (c *call) partNumber() (int, error) {
	n, err := strconv.Atoi(c.query["partNumber"])
	if err != nil || n < 1 || n > store.MaxParts {
		return 0, invalid("The parameter partNumber is %.40q, want 1 to %d.", c.query["partNumber"], store.MaxParts)
	}
	return n, nil
}

func (s *Server) putPart(c *call) error {
	n, err := c.partNumber()
	if err != nil {
		return err
	}
	u, err := s.upload(c)
	if err != nil {
		return err
	}
	digest, err := c.contentMD5()
	if err != nil {
		return err
	}
	kept, err := c.partSum(u)
	if err != nil {
		return err
	}
	p, err := s.files.PutPart(c.ctx(), u, n, c.r.Body, c.r.ContentLength, fs.PartOptions{MD5: digest, Checksum: kept})
	if err != nil {
		return err
	}
	if c.sum != nil {
		c.w.Header().Set(c.sum.header, c.sum.value())
	}
	c.w.Header().Set("ETag", `"`+fs.Tag(p.ETag)+`"`)
	return nil
}

// partSum returns what computes the checksum that is kept with a part: that which the upload
// wants, whether the part brought it or not.
func (c *call) partSum(u fs.Upload) (func() string, error) {
	algorithm := u.Notes[noteAlgorithm]
	switch {
	case algorithm == "" && c.sum == nil:
		return nil, nil
	case algorithm == "" || c.sum != nil && c.sum.algorithm() == algorithm:
		return func() string { return c.sum.algorithm() + ":" + c.sum.value() }, nil
	case c.sum != nil:
		return nil, refusef(http.StatusBadRequest, "InvalidRequest", "The part has a checksum %s, and its upload was begun with %s.", c.sum.algorithm(), algorithm)
	}
	sum, err := ofAlgorithm(algorithm)
	if err != nil {
		return nil, err
	}
	sum.computed, c.sum = true, sum
	c.r.Body = &summedBody{c.r.Body, sum}
	return func() string { return algorithm + ":" + sum.value() }, nil
}

// checksumOf returns a part's checksum of that algorithm, or "".
func checksumOf(p fs.Part, algorithm string) string {
	have, value, _ := strings.Cut(p.Checksum, ":")
	if have != algorithm {
		return ""
	}
	return value
}

// copyPart makes a part of another object, or of a stretch of it.
func (s *Server) copyPart(c *call) error {
	n, err := c.partNumber()
	if err != nil {
		return err
	}
	u, err := s.upload(c)
	if err != nil {
		return err
	}
	f, src, err := s.openSource(c)
	if err != nil {
		return err
	}
	defer f.Close()
	part, err := c.sourceSpan(&src)
	if err != nil {
		return err
	}
	if part.length > s.maxBody {
		return refusef(http.StatusBadRequest, "InvalidRequest", "The part is larger than one request may copy.")
	}
	c.r.Body = io.NopCloser(io.NewSectionReader(f, part.start, part.length))
	kept, err := c.partSum(u)
	if err != nil {
		return err
	}
	p, err := s.files.PutPart(c.ctx(), u, n, c.r.Body, part.length, fs.PartOptions{Checksum: kept})
	if err != nil {
		return err
	}
	out := copyResult{XMLName: xml.Name{Local: "CopyPartResult"}, Xmlns: namespace, ETag: `"` + fs.Tag(p.ETag) + `"`, LastModified: instant(p.Modified)}
	showPartSum(&out.checksumValue, p)
	writeXML(c.w, http.StatusOK, out)
	return nil
}

// sourceSpan reads X-Amz-Copy-Source-Range, which is stricter than Range: both ends, within the
// object.
func (c *call) sourceSpan(o *fs.Object) (*span, error) {
	const name = "X-Amz-Copy-Source-Range"
	if !c.has(name) {
		return &span{0, o.Size}, nil
	}
	set, ok := strings.CutPrefix(c.get(name), "bytes=")
	first, last, both := strings.Cut(set, "-")
	start, ok1 := position(first)
	end, ok2 := position(last)
	if !ok || !both || !ok1 || !ok2 || end < start || end >= o.Size || end == math.MaxInt64 {
		return nil, invalid("%s is %.60q, want bytes=FIRST-LAST within the source's %d bytes.", name, c.get(name), o.Size)
	}
	return &span{start, end - start + 1}, nil
}

type partElement struct {
	PartNumber   int
	LastModified instant
	ETag         string
	Size         int64
	checksumValue
}

func showPartSum(v *checksumValue, p fs.Part) {
	algorithm, value, _ := strings.Cut(p.Checksum, ":")
	if f := v.field(algorithm); f != nil {
		*f = value
	}
}

type partsResult struct {
	XMLName              xml.Name `xml:"ListPartsResult"`
	Xmlns                string   `xml:"xmlns,attr"`
	Bucket               string
	Key                  text
	UploadID             string `xml:"UploadId"`
	Initiator, Owner     *ownerElement
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	EncodingType         string `xml:",omitempty"`
	ChecksumAlgorithm    string `xml:",omitempty"`
	ChecksumType         string `xml:",omitempty"`
	Part                 []partElement
}

func (s *Server) listParts(c *call) error {
	after, err := c.limit("part-number-marker", math.MaxInt32)
	if err != nil {
		return err
	}
	if c.query["part-number-marker"] == "" {
		after = 0
	}
	limit, err := c.limit("max-parts", maxPage)
	if err != nil {
		return err
	}
	u, err := s.upload(c)
	if err != nil {
		return err
	}
	parts, err := s.files.Parts(u)
	if err != nil {
		return err
	}
	out := partsResult{
		Xmlns: namespace, Bucket: u.Bucket, Key: c.coder()(u.Key), UploadID: u.ID, Initiator: owner, Owner: owner, StorageClass: "STANDARD",
		PartNumberMarker: after, NextPartNumberMarker: after, MaxParts: limit, EncodingType: c.query["encoding-type"],
		ChecksumAlgorithm: u.Notes[noteAlgorithm], ChecksumType: u.Notes[noteType],
	}
	for _, p := range parts {
		if p.Number <= after || limit == 0 {
			continue
		}
		if len(out.Part) >= limit {
			out.IsTruncated = true
			break
		}
		e := partElement{PartNumber: p.Number, LastModified: instant(p.Modified), ETag: `"` + fs.Tag(p.ETag) + `"`, Size: p.Size}
		showPartSum(&e.checksumValue, p)
		out.NextPartNumberMarker, out.Part = p.Number, append(out.Part, e)
	}
	writeXML(c.w, http.StatusOK, out)
	return nil
}

type uploadsResult struct {
	XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
	Xmlns              string   `xml:"xmlns,attr"`
	Bucket             string
	KeyMarker          text
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      text   `xml:",omitempty"`
	NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
	Delimiter          text   `xml:",omitempty"`
	Prefix             text
	MaxUploads         int
	EncodingType       string `xml:",omitempty"`
	IsTruncated        bool
	Upload             []uploadElement
	CommonPrefixes     []folderElement
}

type uploadElement struct {
	Key               text
	UploadID          string `xml:"UploadId"`
	Initiator, Owner  *ownerElement
	StorageClass      string
	Initiated         instant
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

func (s *Server) listUploads(c *call) error {
	limit, err := c.limit("max-uploads", maxPage)
	if err != nil {
		return err
	}
	uploads, err := s.files.Uploads(c.bucket)
	if err != nil {
		return err
	}
	code := c.coder()
	prefix, delimiter, marker, idMarker := c.query["prefix"], c.query["delimiter"], c.query["key-marker"], c.query["upload-id-marker"]
	out := uploadsResult{
		Xmlns: namespace, Bucket: c.bucket, KeyMarker: code(marker), UploadIDMarker: idMarker, Delimiter: code(delimiter), Prefix: code(prefix),
		MaxUploads: limit, EncodingType: c.query["encoding-type"],
	}
	passed, last := marker == "" || idMarker == "", ""
	for _, u := range uploads {
		f := folder(u.Key, prefix, delimiter)
		switch {
		case !strings.HasPrefix(u.Key, prefix), limit == 0, u.Key < marker, f != "" && (f == last || f == folder(marker, prefix, delimiter)):
			continue
		case u.Key == marker && marker != "" && idMarker == "":
			continue
		case u.Key == marker && !passed: // uploads of one key are in the order in which they began
			passed = u.ID == idMarker
			continue
		case len(out.Upload)+len(out.CommonPrefixes) >= limit:
			out.IsTruncated = true
		case f != "":
			out.CommonPrefixes, last = append(out.CommonPrefixes, folderElement{code(f)}), f
			out.NextKeyMarker, out.NextUploadIDMarker = code(f), ""
		default:
			out.Upload = append(out.Upload, uploadElement{
				Key: code(u.Key), UploadID: u.ID, Initiator: owner, Owner: owner, StorageClass: "STANDARD", Initiated: instant(u.Initiated),
				ChecksumAlgorithm: u.Notes[noteAlgorithm], ChecksumType: u.Notes[noteType],
			})
			out.NextKeyMarker, out.NextUploadIDMarker = code(u.Key), u.ID
		}
		if out.IsTruncated {
			break
		}
	}
	if !out.IsTruncated {
		out.NextKeyMarker, out.NextUploadIDMarker = "", ""
	}
	writeXML(c.w, http.StatusOK, out)
	return nil
}

func (s *Server) abortUpload(c *call) error {
	u, err := s.upload(c)
	if err != nil {
		return err
	}
	if err := s.files.Abort(u); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

type completeRequest struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Parts   []struct {
		PartNumber int
		ETag       string
		checksumValue
	} `xml:"Part"`
}

type completeResult struct {
	XMLName  xml.Name `xml:"CompleteMultipartUploadResult"`
	Xmlns    string   `xml:"xmlns,attr"`
	Location string
	Bucket   string
	Key      text
	ETag     string
	checksumValue
}

func (s *Server) completeUpload(c *call) error {
	u, err := s.upload(c)
	if err != nil {
		return err
	}
	var in completeRequest
	if err := readXML(c.r.Body, &in); err != nil {
		return err
	}
	stored, err := s.files.Parts(u)
	if err != nil {
		return err
	}
	parts, err := in.parts(stored)
	if err != nil {
		return err
	}
	sums, err := c.wholeSum(u, parts)
	if err != nil {
		return err
	}
	check := c.condition()
	if check == nil {
		check = condition(u.Notes[noteMatch], u.Notes[noteNoneMatch])
	}
	done, err := s.files.Complete(c.ctx(), u, parts, fs.PutOptions{Header: sums, Check: check})
	if err != nil {
		return err
	}
	out := completeResult{Xmlns: namespace, Location: "http://" + c.r.Host + "/" + u.Bucket + "/" + encode(u.Key, true), Bucket: u.Bucket, Key: text(u.Key), ETag: quote(done)}
	if v := keptChecksum(sums); v != nil {
		out.checksumValue = *v
	}
	writeXML(c.w, http.StatusOK, out)
	return nil
}

// parts returns the stored parts that a request names, if they are what it says.
func (in *completeRequest) parts(stored []fs.Part) ([]fs.Part, error) {
	have := map[int]fs.Part{}
	for _, p := range stored {
		have[p.Number] = p
	}
	var out []fs.Part
	for i, named := range in.Parts {
		if i > 0 && named.PartNumber <= in.Parts[i-1].PartNumber {
			return nil, refusef(http.StatusBadRequest, "InvalidPartOrder", "Part %d stands behind part %d.", named.PartNumber, in.Parts[i-1].PartNumber)
		}
		p, ok := have[named.PartNumber]
		etag, err := hex.DecodeString(strings.Trim(named.ETag, `"`))
		if err != nil || !ok || string(p.ETag) != string(etag) {
			return nil, fmt.Errorf("%w: number %d", fs.ErrBadPart, named.PartNumber)
		}
		for _, end := range checksums {
			algorithm := strings.ToUpper(end)
			want := *named.field(algorithm)
			if got := checksumOf(p, algorithm); want != "" && want != got {
				return nil, refusef(http.StatusBadRequest, "InvalidPart", "Part %d does not have the checksum %s %.60q: this server has %.60q of it.", named.PartNumber, algorithm, want, got)
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// wholeSum computes the checksum that the object is to have, and holds it against what the
// request says.
func (c *call) wholeSum(u fs.Upload, parts []fs.Part) (map[string]string, error) {
	var size int64
	var sizes []int64
	for _, p := range parts {
		size, sizes = size+p.Size, append(sizes, p.Size)
	}
	if want := c.get("X-Amz-Mp-Object-Size"); want != "" && want != strconv.FormatInt(size, 10) {
		return nil, refusef(http.StatusBadRequest, "InvalidRequest", "X-Amz-Mp-Object-Size is %.40q, and the parts have %d bytes.", want, size)
	}
	algorithm, kind, want, err := c.wantedSum(u)
	if algorithm == "" || err != nil {
		return nil, err
	}
	sum, err := ofAlgorithm(algorithm)
	if err != nil {
		return nil, err
	}
	var values []string
	for _, p := range parts {
		values = append(values, checksumOf(p, algorithm))
	}
	value, ok := sum.joined(kind, values, sizes)
	if !ok {
		return nil, refusef(http.StatusBadRequest, "InvalidRequest", "The object's checksum cannot be checked, because not all parts were sent with a %s.", algorithm)
	}
	if plain, _, _ := strings.Cut(value, "-"); want != "" && want != value && want != plain {
		return nil, refusef(http.StatusBadRequest, "BadDigest", "The object has the %s %s, and not %.80q.", algorithm, value, want)
	}
	return map[string]string{sum.header: value, checksumType: kind}, nil
}

// wantedSum returns which checksum the object is to have, and its value if the request has it.
func (c *call) wantedSum(u fs.Upload) (algorithm, kind, value string, err error) {
	algorithm, kind = u.Notes[noteAlgorithm], u.Notes[noteType]
	for _, end := range checksums {
		if v := c.get(checksumPrefix + end); v != "" {
			if named := strings.ToUpper(end); algorithm != "" && algorithm != named || value != "" {
				return "", "", "", refusef(http.StatusBadRequest, "InvalidRequest", "The request has the checksum %s, and another was announced.", named)
			} else {
				algorithm, value = named, v
			}
		}
	}
	said := c.get(checksumType)
	switch {
	case said != "" && kind != "" && said != kind:
		return "", "", "", refusef(http.StatusBadRequest, "InvalidRequest", "%s is %s, and the upload was begun with %s.", checksumType, said, kind)
	case said != "" && algorithm == "":
		return "", "", "", invalid("%s stands without a checksum.", checksumType)
	case kind == "" && said != "":
		kind = said
	case kind == "" && (strings.Contains(value, "-") || strings.HasPrefix(algorithm, "SHA")):
		kind = composite
	case kind == "":
		kind = fullObject
	}
	if strings.HasPrefix(algorithm, "SHA") && kind == fullObject {
		return "", "", "", refusef(http.StatusBadRequest, "InvalidRequest", "The checksum type %s cannot be had with %s.", kind, algorithm)
	}
	return algorithm, kind, value, nil
}
