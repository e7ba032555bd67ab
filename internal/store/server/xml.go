package server

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"templar/internal/store"
)

const (
	namespace  = "http://s3.amazonaws.com/doc/2006-03-01/"
	maxXMLBody = 2 << 20 // 10,000 parts, or 1,000 keys of a kilobyte
)

// writeXML answers with a document. It has a length, so that nobody takes half of it for all.
func writeXML(w http.ResponseWriter, status int, document any) {
	b, err := xml.Marshal(document)
	if err != nil {
		panic(fmt.Sprintf("s3 server: document %T: %v", document, err)) // a fault of this package's types
	}
	b = append([]byte(xml.Header), b...)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// readXML decodes a request's body. Characters that XML does not allow come out of strings
// as unescape returns them.
func readXML(body io.Reader, into any) error {
	b, err := io.ReadAll(io.LimitReader(body, maxXMLBody+1))
	switch {
	case err != nil:
		return err
	case len(b) > maxXMLBody:
		return refusef(http.StatusBadRequest, "MalformedXML", "The document is longer than %d bytes.", maxXMLBody)
	}
	d := xml.NewDecoder(bytes.NewReader(escapeIllegal(b)))
	if err := d.Decode(into); err != nil {
		return refusef(http.StatusBadRequest, "MalformedXML", "%v", err)
	}
	if t, err := d.Token(); err != io.EOF {
		return refusef(http.StatusBadRequest, "MalformedXML", "Something follows the document: %T %v", t, err)
	}
	return nil
}

// Object keys may hold characters that XML 1.0 has no way to write, and one such key must not
// spoil a document that names a thousand others. Before a document is decoded they are replaced:
// marker and the character's number, the marker itself likewise.
const marker = '\uE0A5' // of private use, and so in nobody's keys but a test's

func legal(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= '\uD7FF' || r >= '\uE000' && r <= '\uFFFD' || r >= 0x10000 && r <= 0x10FFFF
}

func escapeIllegal(b []byte) []byte {
	var out []byte
	put := func(r rune) { out = fmt.Appendf(out, "%c%x%c", marker, r, marker) }
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if number, length := reference(b[i:]); length > 0 && (!legal(number) || number == marker) {
			r, n = number, length
		}
		switch {
		case r == utf8.RuneError && n == 1: // not UTF-8: the decoder says so
			out = append(out, b[i])
		case r == marker || !legal(r):
			put(r)
		default:
			out = append(out, b[i:i+n]...)
		}
		i += n
	}
	return out
}

// reference reads a numeric character reference.
func reference(b []byte) (r rune, length int) {
	if len(b) < 4 || b[0] != '&' || b[1] != '#' {
		return 0, 0
	}
	end := bytes.IndexByte(b[:min(len(b), 12)], ';')
	if end < 0 {
		return 0, 0
	}
	digits, base := string(b[2:end]), 10
	if rest, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = rest, 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	if err != nil {
		return 0, 0
	}
	return rune(n), end + 1
}

// unescape returns the string that a document meant, and whether XML can carry it.
func unescape(s string) (plain string, carried bool) {
	var out strings.Builder
	carried = true
	for {
		before, rest, found := strings.Cut(s, string(marker))
		out.WriteString(before)
		if !found {
			return out.String(), carried
		}
		digits, after, _ := strings.Cut(rest, string(marker))
		if n, err := strconv.ParseUint(digits, 16, 32); err == nil {
			out.WriteRune(rune(n))
			carried = carried && legal(rune(n))
		}
		s = after
	}
}

// text is written with references for what XML has no way to write, as S3 does, where
// encoding/xml would write another character. Clients that cannot read them ask for
// encoding-type=url.
type text string

// MarshalXML writes the element.
func (t text) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	var b bytes.Buffer
	for _, r := range string(t) {
		switch {
		case r == '&' || r == '<' || r == '>' || r == '\r' || r == '\n' || r == '\t' || !legal(r):
			fmt.Fprintf(&b, "&#x%X;", r)
		default:
			b.WriteRune(r)
		}
	}
	return e.EncodeElement(struct {
		Inner string `xml:",innerxml"`
	}{b.String()}, start)
}

// instant is a time as S3's documents have it.
type instant time.Time

// MarshalText formats the time.
func (i instant) MarshalText() ([]byte, error) {
	return []byte(time.Time(i).UTC().Format(store.DateFormat)), nil
}
