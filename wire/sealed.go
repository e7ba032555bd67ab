package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"templar/protocol"
)

// MaxSealedSize bounds a signed JSON document whose kind has no limit of its own.
const MaxSealedSize = 1 << 20

// The domains of signed JSON documents.
const (
	DomainStartWindow = "start-window"
	DomainPeers       = "peers"
	DomainCharges     = "charges"
)

type sealed struct {
	Payload   json.RawMessage    `json:"payload"`
	Hotkey    protocol.Hotkey    `json:"hotkey"`
	Signature protocol.Signature `json:"signature"`
}

// Seal returns payload as a JSON document signed by s (spec/wire, "Signed JSON"). A
// domain prevents a document of one kind from being accepted as one of another.
func Seal(domain string, payload any, s protocol.Signer) ([]byte, error) {
	return SealWithin(MaxSealedSize, domain, payload, s)
}

// SealWithin is Seal for a kind of document that has a limit of its own, in bytes.
func SealWithin(limit int64, domain string, payload any, s protocol.Signer) ([]byte, error) {
	raw, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", domain, err)
	}
	sig, err := s.Sign(sealedMessage(domain, raw))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", domain, err)
	}
	b, err := json.Marshal(sealed{raw, s.Hotkey(), sig})
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", domain, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("seal %s: %d bytes, at most %d", domain, len(b), limit)
	}
	return b, nil
}

// Open reads a document that Seal made into payload, a pointer to a zero value, and
// returns its signer; the caller checks whether that hotkey may sign it. The bytes
// must be exactly those that Seal writes for what was read: no unknown or repeated
// keys, no spaces, no trailing data. Payloads with a Validate method are validated.
func Open(domain string, b []byte, payload any) (protocol.Hotkey, error) {
	return OpenWithin(MaxSealedSize, domain, b, payload)
}

// OpenWithin is Open for what SealWithin made.
func OpenWithin(limit int64, domain string, b []byte, payload any) (protocol.Hotkey, error) {
	hotkey, err := openSealed(limit, domain, b, payload)
	if err != nil {
		return protocol.Hotkey{}, fmt.Errorf("open %s: %w", domain, err)
	}
	return hotkey, nil
}

func openSealed(limit int64, domain string, b []byte, payload any) (protocol.Hotkey, error) {
	if int64(len(b)) > limit {
		return protocol.Hotkey{}, fmt.Errorf("%d bytes, at most %d", len(b), limit)
	}
	var doc sealed
	if err := decodeExact(b, &doc); err != nil {
		return protocol.Hotkey{}, err
	}
	if !doc.Hotkey.Verify(sealedMessage(domain, doc.Payload), doc.Signature) {
		return protocol.Hotkey{}, errors.New("the signature is not the hotkey's")
	}
	return doc.Hotkey, readPayload(doc.Payload, payload)
}

// readPayload reads what was signed.
func readPayload(b []byte, payload any) error {
	if p, ok := payload.(interface{ CheckVersion(raw []byte) error }); ok { // before names that another version has
		if err := p.CheckVersion(b); err != nil {
			return err
		}
	}
	if err := decodeExact(b, payload); err != nil {
		return err
	}
	if p, ok := payload.(interface{ Validate() error }); ok {
		return p.Validate()
	}
	return nil
}

func sealedMessage(domain string, payload []byte) []byte {
	return append(fmt.Appendf(nil, "templar/v%d/json/%s\x00", protocol.Version, domain), payload...)
}

// decodeExact reads JSON that is exactly what encoding/json writes for its value.
func decodeExact(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("data after the document")
	}
	again, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, b) {
		return errors.New("not in canonical form: a key is missing, repeated or misspelt, or there are spaces")
	}
	return nil
}
