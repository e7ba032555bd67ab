package wandb

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"templar/internal/clock"
)

const (
	gap       = 15 * time.Second // between two requests; the server takes a run for dead after minutes
	firstWait = 2 * time.Second  // after a failure, doubled up to lastWait
	lastWait  = time.Minute
	maxLines  = 8 << 20 // bytes of lines in a request; the server takes 10 MiB
)

// uploader sends the rows of a run's file to the server.
type uploader struct {
	client *client
	info   RunInfo
	path   string // of the file
	clock  clock.Clock
	log    *slog.Logger

	stream  string // empty: not connected
	file    *os.File
	at      int64 // offset in the file of the next row
	line    int64 // its line in the history
	skip    int64 // rows up to this step are on the server
	summary map[string]json.RawMessage
	stopped bool
	failing bool
}

// connect opens the run on the server, and finds the first row that it does not have.
func (u *uploader) connect(ctx context.Context) error {
	have, err := u.client.resume(ctx, u.info)
	if err != nil {
		return err
	}
	stream, lines, err := u.client.create(ctx, u.info)
	if err != nil {
		return err
	}
	if u.file == nil {
		if u.file, err = os.Open(u.path); err != nil {
			return err
		}
	}
	// Steps show what the server lacks: they increase, and its last one is in the history's tail.
	u.at, u.line, u.skip = 0, max(have.lines, lines), have.last
	u.stream = stream
	return nil
}

// sum enters a row in the summary, which has the newest value of each name.
func (u *uploader) sum(row []byte) {
	if u.summary == nil {
		u.summary = map[string]json.RawMessage{}
	}
	_ = json.Unmarshal(row, &u.summary) // adds to the map; line has checked the row
}

// batch reads the next rows, up to maxLines bytes, and reports whether there are more.
func (u *uploader) batch() (rows []string, end int64, more bool, err error) {
	size := 0
	end = u.at
	err = scan(u.file, u.at, func(after int64, f protowire.Number, body []byte) bool {
		var row []byte
		var step int64
		ok := f == fieldHistory
		if ok {
			row, step, ok = line(body)
		}
		if ok && step <= u.skip {
			u.sum(row)
		} else if ok {
			if more = len(rows) > 0 && size+len(row) > maxLines; more {
				return false
			}
			u.sum(row)
			rows, size = append(rows, string(row)), size+len(row)
		}
		end = after
		return true
	})
	return rows, end, more, err
}

// flush sends the rows that the server does not have. complete ends the run there; without it, a
// request without rows shows that the run goes on.
func (u *uploader) flush(ctx context.Context, complete bool) error {
	if u.stream == "" {
		if err := u.connect(ctx); err != nil {
			return err
		}
	}
	for more := true; more; {
		var content []string
		var end int64
		var err error
		if content, end, more, err = u.batch(); err != nil {
			return err
		}
		var l lines
		if len(content) > 0 {
			newest, err := json.Marshal(u.summary)
			if err != nil {
				return err
			}
			l.Files = map[string]chunk{"wandb-history.jsonl": {u.line, content}, "wandb-summary.json": {0, []string{string(newest)}}}
		}
		if code := 0; complete && !more {
			l.Complete, l.ExitCode = &complete, &code
		}
		stopped, err := u.client.send(ctx, u.stream, l)
		if err != nil {
			return err
		}
		u.at, u.line = end, u.line+int64(len(content))
		if stopped && !u.stopped {
			u.log.Warn("the run was stopped on W&B: the node goes on, and so does its upload")
		}
		u.stopped = stopped
	}
	return nil
}

// run sends what the file holds until ctx ends or the server refuses for good.
func (u *uploader) run(ctx context.Context) {
	wait := firstWait
	for {
		err := u.flush(ctx, false)
		pause := gap
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			wait = firstWait
			if u.failing {
				u.log.Info("W&B takes measurements again")
				u.failing = false
			}
		case final(err):
			u.log.Warn("W&B refuses this run: measurements stay in the file, which \"wandb sync\" can upload", "err", err, "file", u.path)
			return
		default:
			if !u.failing {
				u.log.Warn("W&B does not take measurements: trying again", "err", err)
				u.failing = true
			}
			pause = wait/2 + rand.N(wait/2)
			wait = min(2*wait, lastWait)
		}
		if u.clock.Sleep(ctx, pause) != nil {
			return
		}
	}
}

// close releases the file.
func (u *uploader) close() {
	if u.file != nil {
		u.file.Close()
	}
	u.client.http.CloseIdleConnections()
}
