package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Config reads one value that a person wrote for this program. Beside what Unmarshal refuses, a
// name that v does not have is an error: a misspelt setting must not count as absent. Errors name
// the line. What the text leaves out keeps its value in v.
func Config(b []byte, v any) error {
	b, err := Text(b)
	if err != nil {
		return err
	}
	dec := jsontext.NewDecoder(bytes.NewReader(b))
	if err = json.UnmarshalDecode(dec, v, json.RejectUnknownMembers(true)); err == nil {
		if _, end := dec.ReadToken(); end == io.EOF {
			return nil
		}
		err = errors.New("something follows the value")
	}
	at := dec.InputOffset()
	var syntax *jsontext.SyntacticError
	var meaning *json.SemanticError
	switch {
	case errors.As(err, &syntax):
		at = syntax.ByteOffset
		if errors.Is(err, jsontext.ErrDuplicateName) {
			err = fmt.Errorf("the name %q appears twice", syntax.JSONPointer.LastToken())
		}
	case errors.As(err, &meaning):
		at = meaning.ByteOffset
		if errors.Is(err, json.ErrUnknownName) {
			err = fmt.Errorf("unknown name %q", meaning.JSONPointer.LastToken())
		}
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(b[:min(max(at, 0), int64(len(b)))], []byte("\n")), err)
}
