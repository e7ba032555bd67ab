package server

import (
	"encoding/xml"
	"net/http"
)

func (s *Server) deleteObject(c *call) error {
	if err := s.files.Delete(c.bucket, c.key, c.condition()); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// maxDeletes is how many keys one request may delete, as in S3.
const maxDeletes = 1000

type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Objects []deleteItem `xml:"Object"`
}

type deleteItem struct {
	Key       string
	VersionID string `xml:"VersionId"`
	ETag      string
	// Conditions that are not supported, and must not be overlooked.
	LastModifiedTime *string
	Size             *string
}

type deleteResult struct {
	XMLName xml.Name `xml:"DeleteResult"`
	Xmlns   string   `xml:"xmlns,attr"`
	Deleted []deleted
	Error   []deleteError
}

type deleted struct{ Key text }

type deleteError struct {
	Key     text
	Code    string
	Message text
}

// deleteObjects deletes each key by itself: what is wrong with one is no fault of the others.
func (s *Server) deleteObjects(c *call) error {
	var in deleteRequest
	if err := readXML(c.r.Body, &in); err != nil {
		return err
	}
	if n := len(in.Objects); n == 0 || n > maxDeletes {
		return refusef(http.StatusBadRequest, "MalformedXML", "The document names %d keys, want 1 to %d.", n, maxDeletes)
	}
	out := deleteResult{Xmlns: namespace}
	for _, item := range in.Objects {
		key, err := s.deleteItem(c, item)
		if err == nil {
			if !in.Quiet {
				out.Deleted = append(out.Deleted, deleted{text(key)})
			}
			continue
		}
		e := refusalOf(s.log, err)
		out.Error = append(out.Error, deleteError{text(key), e.code, text(e.message)})
	}
	writeXML(c.w, http.StatusOK, out)
	return nil
}

// deleteItem deletes one key. A key that XML cannot carry is not deleted, because the answer
// could not say so to every client.
func (s *Server) deleteItem(c *call, item deleteItem) (key string, err error) {
	key, carried := unescape(item.Key)
	switch {
	case !carried:
		shown := []rune(key)
		for i, r := range shown {
			if !legal(r) {
				shown[i] = '\uFFFD'
			}
		}
		return string(shown), invalid("The key %+q has a character that XML cannot carry: delete it by a request of its own.", key)
	case item.VersionID != "" && item.VersionID != "null":
		return key, refusef(http.StatusNotFound, "NoSuchVersion", "This server keeps no versions.")
	case item.LastModifiedTime != nil || item.Size != nil:
		return key, unsupported("This server does not support the conditions LastModifiedTime and Size.")
	}
	return key, s.files.Delete(c.bucket, key, condition(item.ETag, ""))
}
