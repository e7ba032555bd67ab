package score

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"templar/protocol"
)

// Schema is the version of a Book's JSON form.
const Schema = 1

// Record is a miner's standing with one validator. It belongs to the hotkey: the next
// owner of its uid begins anew.
type Record struct {
	Hotkey protocol.Hotkey `json:"hotkey"`
	UID    protocol.UID    `json:"uid"` // where the hotkey was last seen
	Rating
	GradientScore   float64         `json:"gradient_score"` // of the last evaluation
	BinaryAverage   float64         `json:"binary_average"` // in [-1, 1]
	SyncScore       float64         `json:"sync_score"`     // in [0, 1]
	Final           float64         `json:"final"`
	Evaluations     uint64          `json:"evaluations"`
	LastEvaluated   protocol.Window `json:"last_evaluated"` // of no meaning while Evaluations is 0
	Waiting         uint64          `json:"waiting"`        // windows since last drawn for evaluation
	InactiveWindows uint64          `json:"inactive_windows"`
}

func newRecord(hotkey protocol.Hotkey, uid protocol.UID) Record {
	return Record{Hotkey: hotkey, UID: uid, Rating: Rating{InitialMu, InitialSigma}}
}

// Book is everything that a validator must remember of the miners between windows.
// The zero value is the book of a run that begins. Books are values: Close leaves the
// one that it is called on as it was.
type Book struct {
	// Next is the first window that was not closed yet.
	Next protocol.Window
	// Records ascend by uid; uids and hotkeys are unique.
	Records []Record
}

// Record finds a hotkey's standing.
func (b *Book) Record(h protocol.Hotkey) (Record, bool) {
	i := slices.IndexFunc(b.Records, func(r Record) bool { return r.Hotkey == h })
	if i < 0 {
		return Record{}, false
	}
	return b.Records[i], true
}

// bookFile is a Book on disk.
type bookFile struct {
	Schema  int             `json:"schema"`
	Next    protocol.Window `json:"next_window"`
	Records []Record        `json:"records"`
}

// Encode returns the book as JSON; equal books give equal bytes.
func (b *Book) Encode() ([]byte, error) {
	return json.Marshal(bookFile{Schema, b.Next, b.Records})
}

// DecodeBook reads what Encode wrote. It refuses another schema, unknown keys and
// records that no Close could have left.
func DecodeBook(raw []byte) (Book, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var f bookFile
	if err := dec.Decode(&f); err != nil {
		return Book{}, fmt.Errorf("scores: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Book{}, errors.New("scores: data after the end")
	}
	if f.Schema != Schema {
		return Book{}, fmt.Errorf("scores: schema %d, this release reads %d", f.Schema, Schema)
	}
	b := Book{f.Next, f.Records}
	return b, b.validate()
}

func (b *Book) validate() error {
	seen := make(map[protocol.Hotkey]bool, len(b.Records))
	for i, r := range b.Records {
		switch {
		case r.Hotkey.IsZero() || seen[r.Hotkey]:
			return fmt.Errorf("scores: uid %d: hotkey is missing or stands twice", r.UID)
		case i > 0 && r.UID <= b.Records[i-1].UID:
			return fmt.Errorf("scores: uid %d is out of order", r.UID)
		case !(r.Sigma > 0) || r.BinaryAverage < -1 || r.BinaryAverage > 1 || r.SyncScore < 0 || r.SyncScore > 1:
			return fmt.Errorf("scores: uid %d: sigma, binary_average or sync_score out of range", r.UID)
		}
		seen[r.Hotkey] = true
	}
	return nil
}
