package transfer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// A journal tells which parts of a download are in its partial file. It is a line of JSON
// that says of what, and one for each part, appended once the part is written. The last
// line may be torn; that the data of a part may be, in a power cut, is why each has its
// checksum.
type journal struct {
	file *os.File
	have map[int]uint32 // CRC-32C of the parts of earlier runs, by place

	mu sync.Mutex // of appending
}

// subject is the object that a partial file is of.
type subject struct {
	Key      string `json:"key"`
	ETag     string `json:"etag"`
	Size     int64  `json:"size"`
	PartSize int64  `json:"part_size"`
}

type entry struct {
	Part   *int   `json:"part"`
	CRC32C uint32 `json:"crc32c"`
}

// openJournal opens the journal at path, anew unless it is about s.
func openJournal(path string, s subject, resume bool) (*journal, error) {
	have, err := readJournal(path, s)
	if err != nil || !resume || s.ETag == "" {
		have = nil
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if have == nil {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{file: f, have: have}
	// After a torn line the next one must begin on its own.
	head := []byte("\n")
	if have == nil {
		if head, err = json.Marshal(s); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		head = append(head, '\n')
	}
	if _, err := f.Write(head); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

var errOtherSubject = errors.New("journal of another object")

// readJournal returns the parts that are noted.
func readJournal(path string, s subject) (map[int]uint32, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	head, rest, _ := bytes.Cut(b, []byte("\n"))
	var of subject
	if json.Unmarshal(head, &of) != nil || of != s {
		return nil, errOtherSubject
	}
	have := make(map[int]uint32)
	for lines := bufio.NewScanner(bytes.NewReader(rest)); lines.Scan(); {
		var e entry
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.Part != nil {
			have[*e.Part] = e.CRC32C
		}
	}
	return have, nil
}

// note tells that a part is written.
func (j *journal) note(part int, sum uint32) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err := fmt.Fprintf(j.file, `{"part":%d,"crc32c":%d}`+"\n", part, sum)
	return err
}

// remove closes the journal and takes it away.
func (j *journal) remove() error {
	err := errors.Join(j.file.Close(), os.Remove(j.file.Name()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
