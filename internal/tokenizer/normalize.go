package tokenizer

import (
	"bytes"
	"fmt"

	"golang.org/x/text/unicode/norm"
)

// normalizers compiles the normaliser of a file.
func normalizers(s *stage) ([]func([]byte) []byte, error) {
	forms := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}
	var out []func([]byte) []byte
	for _, part := range s.parts() {
		form, isForm := forms[part.Type]
		switch {
		case isForm:
			out = append(out, form.Bytes)
		case part.Type == "Lowercase":
			out = append(out, bytes.ToLower)
		case part.Type == "Prepend":
			out = append(out, prepend([]byte(part.Prepend)))
		case part.Type == "Replace" && part.Pattern != nil && part.Pattern.String != "":
			from, to := []byte(part.Pattern.String), []byte(part.Content)
			out = append(out, func(text []byte) []byte { return bytes.ReplaceAll(text, from, to) })
		default:
			return nil, fmt.Errorf("normalizer %q is not supported as the file has it", part.Type)
		}
	}
	return out, nil
}

func prepend(prefix []byte) func([]byte) []byte {
	return func(text []byte) []byte {
		if len(text) == 0 {
			return text
		}
		return append(prefix[:len(prefix):len(prefix)], text...)
	}
}
