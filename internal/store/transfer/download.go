package transfer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"templar/internal/store"
	"templar/internal/store/flock"
)

const (
	// maxBreaks is how often in a row a body may break off that has not brought
	// leastProgress bytes: a store that deals them out singly must not hold us for ever.
	maxBreaks     = 5
	leastProgress = 64 << 10
	firstWait     = 200 * time.Millisecond // after a break, doubled each time
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Download fetches the object into the file at path, which appears whole and durable or
// not at all. Until then path.part holds what has come and path.journal tells which of it
// is good; the next run goes on from there, unless the object was replaced meanwhile, which
// its ETag tells. A replacement during a run gives store.ErrChanged.
func Download(ctx context.Context, r store.Reader, key, path string, o Options) (store.Info, error) {
	o = o.withDefaults()
	info, err := r.Head(ctx, key)
	if err != nil {
		return store.Info{}, err
	}
	if info.Size < 0 || o.Limit > 0 && info.Size > o.Limit {
		return info, fmt.Errorf("download %q: %d bytes, limit %d: %w", key, info.Size, o.Limit, store.ErrTooLarge)
	}
	d := &download{reader: r, key: key, info: info, path: path, options: o, layout: o.layout(info.Size),
		done: newProgress(o.Progress, info.Size)}
	if err := d.run(ctx); err != nil {
		return store.Info{}, fmt.Errorf("download %q: %w", key, err)
	}
	return info, nil
}

type download struct {
	reader  store.Reader
	key     string
	info    store.Info
	path    string
	options Options
	layout  layout
	done    *progress
	file    *os.File // the partial file
	journal *journal
}

// ErrBusy is wrapped when another download into the same file is under way.
var ErrBusy = errors.New("another download into this file is under way: wait for it, or name another file")

func (d *download) run(ctx context.Context) error {
	release, err := flock.Take(d.journalPath()) // the last file to be removed
	if errors.Is(err, flock.ErrHeld) {
		return fmt.Errorf("%s: %w", d.path, ErrBusy)
	}
	if err != nil {
		return err
	}
	defer release()
	if err := d.open(); err != nil {
		return err
	}
	defer d.file.Close()
	defer d.journal.file.Close()
	if err := d.options.each(ctx, d.layout.count(), d.get); err != nil {
		return err
	}
	err = checkDigest(ctx, d.file, d.info.Size, d.options.SHA256)
	if errors.Is(err, ErrCorrupt) { // nothing tells which part it is
		return errors.Join(err, os.Remove(d.file.Name()), d.journal.remove())
	}
	if err != nil {
		return err
	}
	return d.publish()
}

func (d *download) journalPath() string { return d.path + ".journal" }

func (d *download) open() (err error) {
	if d.file, err = os.OpenFile(d.path+".part", os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	stat, err := d.file.Stat()
	if err == nil {
		err = d.file.Truncate(d.info.Size)
	}
	if err == nil {
		resume := stat.Size() == d.info.Size
		d.journal, err = openJournal(d.journalPath(), subject{Key: d.key, ETag: d.info.ETag, Size: d.info.Size, PartSize: d.layout.part}, resume)
	}
	if err != nil {
		err = errors.Join(err, d.file.Close())
	}
	return err
}

// get brings part i, unless the partial file has it.
func (d *download) get(ctx context.Context, i int) error {
	offset, n := d.layout.at(i)
	if want, noted := d.journal.have[i]; noted {
		got, err := digest(ctx, crc32.New(castagnoli), io.NewSectionReader(d.file, offset, n), n)
		if err != nil {
			return err
		}
		if want == binary.BigEndian.Uint32(got) {
			d.done.found(n)
			return nil
		}
	}
	sum, err := d.fetch(ctx, offset, n)
	if err != nil {
		return err
	}
	return d.journal.note(i, sum)
}

// fetch copies n bytes at offset to their place and returns their CRC-32C. A body that
// breaks off is asked for again from there.
func (d *download) fetch(ctx context.Context, offset, n int64) (sum uint32, err error) {
	p := piece{file: d.file, at: offset, end: offset + n, done: d.done}
	wait := firstWait
	for breaks := 0; p.at < p.end; {
		before := p.at
		body, err := d.reader.GetRange(ctx, d.key, p.at, p.end-p.at, d.info.ETag)
		if err != nil {
			return 0, err
		}
		broken, err := p.copy(body)
		body.Close()
		if err != nil {
			return 0, err
		}
		if p.at-before >= leastProgress {
			breaks, wait = 0, firstWait
		}
		if broken == nil {
			continue
		}
		if breaks++; breaks == maxBreaks || ctx.Err() != nil || !store.Retryable(broken) {
			return 0, fmt.Errorf("at byte %d: %w", p.at, broken)
		}
		if err := d.options.Clock.Sleep(ctx, wait); err != nil {
			return 0, fmt.Errorf("%w at byte %d: %w", err, p.at, broken)
		}
		wait *= 2
	}
	return p.sum, nil
}

// piece is a stretch of the file that is being written.
type piece struct {
	file    *os.File
	at, end int64
	sum     uint32
	done    *progress
}

// copy writes what comes. broken is the fault of a body that does not reach the end, err
// that of the file.
func (p *piece) copy(body io.Reader) (broken, err error) {
	buf := make([]byte, 64<<10)
	for p.at < p.end {
		n, broken := body.Read(buf[:min(int64(len(buf)), p.end-p.at)])
		if _, err := p.file.WriteAt(buf[:n], p.at); err != nil {
			return nil, err
		}
		p.sum = crc32.Update(p.sum, castagnoli, buf[:n])
		p.at += int64(n)
		p.done.moved(int64(n))
		if broken != nil && p.at < p.end {
			if broken == io.EOF {
				broken = io.ErrUnexpectedEOF
			}
			return broken, nil
		}
	}
	return nil, nil
}

// publish makes the partial file the file.
func (d *download) publish() error {
	if err := d.file.Sync(); err != nil {
		return err
	}
	if err := d.file.Close(); err != nil {
		return err
	}
	if err := os.Rename(d.file.Name(), d.path); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(d.path)), d.journal.remove())
}

// syncDir makes the names in dir durable, where a system can.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
