package directory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"templar/internal/store"
	"templar/internal/telemetry"
)

// Commitment is what a node commits to the chain: its role, and the location and read key of its
// bucket. The key is public from then on, so it must not be able to write.
type Commitment struct {
	Role     telemetry.Role
	Location store.Location
}

const (
	commitmentVersion = 1
	// MaxCommitment bounds the encoded form, in bytes.
	MaxCommitment = 512

	accountLen, accessLen, secretLen = 32, 32, 64
	r2Commitment                     = accountLen + accessLen + secretLen
)

var roleCodes = map[telemetry.Role]byte{telemetry.Miner: 1, telemetry.Validator: 2, telemetry.Aggregator: 3}

// Encode returns version, role, and five strings, each behind its 16-bit length.
func (c Commitment) Encode() ([]byte, error) {
	code, ok := roleCodes[c.Role]
	if !ok {
		return nil, fmt.Errorf("commitment: role %q", c.Role)
	}
	b := []byte{commitmentVersion, code}
	l := c.Location
	for _, s := range []string{l.Endpoint, l.Region, l.Bucket, l.AccessKey, l.Secret.Reveal()} {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	if len(b) > MaxCommitment {
		return nil, fmt.Errorf("commitment: %d bytes for bucket %q, at most %d", len(b), l.Bucket, MaxCommitment)
	}
	return b, nil
}

// EncodeR2 returns the 128 bytes of Bittensor's Templar, for chains on which nothing longer
// fits: ok is false for a bucket that this form cannot name. The role is lost in it.
func (c Commitment) EncodeR2() (b []byte, ok bool) {
	l := c.Location
	b = []byte(l.Bucket + l.AccessKey + l.Secret.Reveal())
	if len(b) != r2Commitment {
		return nil, false
	}
	back, err := decodeR2(b)
	l.Region = back.Location.Region // R2 has one
	return b, err == nil && back.Location == l
}

// DecodeCommitment reads our own form, or the 128 bytes of Bittensor's Templar:
// account id, access key id and secret of a Cloudflare R2 bucket, without a role.
// That form is text, and ours begins with a control character.
func DecodeCommitment(b []byte) (Commitment, error) {
	if len(b) == r2Commitment && b[0] != commitmentVersion {
		return decodeR2(b)
	}
	if len(b) < 2 || len(b) > MaxCommitment || b[0] != commitmentVersion {
		return Commitment{}, errors.New("commitment: neither our form nor 128 bytes")
	}
	var c Commitment
	for role, code := range roleCodes {
		if code == b[1] {
			c.Role = role
		}
	}
	if c.Role == "" {
		return Commitment{}, fmt.Errorf("commitment: unknown role code %d", b[1])
	}
	rest := b[2:]
	var fields [5]string
	for i := range fields {
		if len(rest) < 2 {
			return Commitment{}, errors.New("commitment: cut short")
		}
		n := int(binary.LittleEndian.Uint16(rest))
		if rest = rest[2:]; n > len(rest) {
			return Commitment{}, errors.New("commitment: cut short")
		}
		fields[i], rest = string(rest[:n]), rest[n:]
	}
	if len(rest) > 0 {
		return Commitment{}, errors.New("commitment: trailing bytes")
	}
	c.Location = store.Location{Endpoint: fields[0], Region: fields[1], Bucket: fields[2], AccessKey: fields[3], Secret: store.Secret(fields[4])}
	return c, nil
}

func decodeR2(b []byte) (Commitment, error) {
	for _, ch := range b {
		if !isAlphanumeric(ch) {
			return Commitment{}, errors.New("commitment: 128 bytes that are not R2 credentials")
		}
	}
	account := string(b[:accountLen])
	return Commitment{Location: store.Location{
		Endpoint:  "https://" + strings.ToLower(account) + ".r2.cloudflarestorage.com",
		Bucket:    account,
		AccessKey: string(b[accountLen : accountLen+accessLen]),
		Secret:    store.Secret(b[accountLen+accessLen:]),
	}}, nil
}

func isAlphanumeric(c byte) bool {
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
}
