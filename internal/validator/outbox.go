package validator

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"templar/internal/clock"
	"templar/internal/report"
	"templar/internal/schedule"
	"templar/internal/store"
	"templar/protocol"
)

// reportKey is the key of the newest report in the validator's own directory. Older reports
// that are not uploaded yet are beside it, under the keys that they will have in the bucket.
const reportKey = "report.json"

// keepReport stores a signed report beside its book. It is published from there when the book
// is durable, so there is one report for every window, and none for a book that was lost. A
// report that cannot be made loses the evidence, not the scores.
func (v *Validator) keepReport(ctx context.Context, r *report.Report) {
	if err := v.putOff(ctx); err != nil {
		v.Log.Warn("an unsent report is lost", "window", v.book.Next-1, "err", err)
	}
	b, err := r.Encode(v.Outbox.Signer, v.Params)
	if err == nil {
		_, err = v.Local.Put(ctx, reportKey, bytes.NewReader(b), int64(len(b)), store.PutOptions{})
	}
	if err != nil {
		v.Log.Warn("no report of this window", "window", r.Window, "err", err)
	}
}

// putOff makes room for the next report: the previous one is queued, unless it is published.
func (v *Validator) putOff(ctx context.Context) error {
	if v.reported == v.book.Next {
		return nil
	}
	key, b, err := v.newest(ctx)
	if err == nil && b != nil {
		_, err = v.Local.Put(ctx, key, bytes.NewReader(b), int64(len(b)), store.PutOptions{})
	}
	return err
}

// newest returns the report of the window that was closed last; nil when there is none.
func (v *Validator) newest(ctx context.Context) (key string, b []byte, err error) {
	b, err = v.get(ctx, v.Local, reportKey)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	r, _, err := report.Decode(b, v.Params)
	if err != nil || r.Run != v.Hash || r.Window+1 != v.book.Next {
		return "", nil, err // of a window whose book was not saved: the window will be closed again
	}
	return protocol.ReportKey(r.Window, r.UID), b, nil
}

// get reads what should be a report.
func (v *Validator) get(ctx context.Context, r store.Reader, key string) ([]byte, error) {
	limit := report.MaxSize(v.Params)
	body, _, err := r.Get(ctx, key, limit)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, limit))
}

// sendReports uploads the reports that are not in the bucket yet, the oldest first, for at most
// the given time. The rest is sent after the next window, or by the next instance.
func (v *Validator) sendReports(ctx context.Context, most time.Duration) {
	sending, cancel := clock.WithTimeout(ctx, v.Clock, most)
	defer cancel()
	waited, err := v.sendOld(sending)
	if err == nil {
		err = v.sendNewest(sending)
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		v.Log.Warn("report not published", "window", v.book.Next-1, "err", err)
	case waited > 0:
		v.Log.Info("queued reports published", "window", v.book.Next-1, "reports", waited)
	}
}

func (v *Validator) sendNewest(ctx context.Context) error {
	if v.reported == v.book.Next {
		return nil
	}
	key, b, err := v.newest(ctx)
	if err == nil && b != nil {
		err = v.send(ctx, key, b)
	}
	if err == nil {
		v.reported = v.book.Next
	}
	return err
}

// sendOld uploads the reports that wait, and returns how many there were.
func (v *Validator) sendOld(ctx context.Context) (waited int, err error) {
	type waiting struct {
		key    string
		window protocol.Window
	}
	var all []waiting
	err = store.EachKey(ctx, v.Local, protocol.KindReport.Prefix(), func(key string, k protocol.Key) { all = append(all, waiting{key, k.Window}) })
	if err != nil {
		return 0, err
	}
	slices.SortFunc(all, func(a, b waiting) int { return cmp.Compare(a.window, b.window) })
	for i, r := range all {
		if r.window+schedule.Retention(v.Params) >= v.book.Next { // else the bucket would not keep it either
			err = v.sendWaiting(ctx, r.key)
		}
		if err == nil {
			err = v.Local.Delete(ctx, r.key)
		}
		if err != nil {
			return i, fmt.Errorf("%d older ones wait: %w", len(all)-i, err)
		}
	}
	return len(all), nil
}

func (v *Validator) sendWaiting(ctx context.Context, key string) error {
	b, err := v.get(ctx, v.Local, key)
	if err != nil {
		return err
	}
	if r, _, err := report.Decode(b, v.Params); err != nil || r.Run != v.Hash {
		v.Log.Warn("an unsent report is lost", "key", key, "err", cmp.Or(err, errors.New("it is another run's")))
		return nil
	}
	return v.send(ctx, key, b)
}

// send uploads a report once: one that others may have read is not replaced. It is not an error
// when the report exists already.
func (v *Validator) send(ctx context.Context, key string, b []byte) error {
	err := v.Outbox.PutOnce(ctx, key, b)
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	there, err := v.get(ctx, v.Outbox.Bucket, key)
	if (err != nil && !errors.Is(err, store.ErrTooLarge)) || bytes.Equal(there, b) {
		return err
	}
	if r, by, err := report.Decode(there, v.Params); err == nil && by == v.Outbox.Signer.Hotkey() && r.Run == v.Hash {
		v.Log.Warn("another report of this window exists already", "window", r.Window)
		return nil
	}
	return v.Outbox.Put(ctx, key, b) // replaces another run's report, or an object that is not a report
}
