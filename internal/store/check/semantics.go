package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"templar/internal/clock"
	"templar/internal/store"
	"templar/internal/store/transfer"
)

func (r *run) createOnce(ctx context.Context) Result {
	once := store.PutOptions{IfAbsent: true}
	if _, err := r.store(ctx, "once", "first", once); err != nil {
		return failed(err)
	}
	if err := r.settle(ctx); err != nil {
		return failed(err)
	}
	_, err := r.store(ctx, "probe", body, once)
	switch {
	case errors.Is(err, store.ErrExists):
		return okf("a key that is taken is refused")
	case err != nil:
		return failed(err)
	}
	r.put = r.Clock.Now()
	return Result{Status: Fail, Detail: "ignores If-None-Match: an object was written twice",
		Fix: "no aggregator bucket may be here: take a store that honours If-None-Match (R2, AWS, MinIO, templar store serve)"}
}

func (r *run) listOrder(ctx context.Context) Result {
	want := []string{"list-10", "list-2", "list-A", "list-a", "list-b"}
	for _, name := range []string{"list-b", "list-A", "list-10", "list-a", "list-2"} {
		if _, err := r.store(ctx, name, "", store.PutOptions{}); err != nil {
			return failed(err)
		}
	}
	infos, err := r.Write.List(ctx, r.prefix+"list-", "", 10)
	if err != nil {
		return failed(err)
	}
	rest, err := r.Write.List(ctx, r.prefix+"list-", r.prefix+"list-2", 1)
	if err != nil {
		return failed(err)
	}
	got := append(names(infos, r.prefix), names(rest, r.prefix)...)
	if !slices.Equal(got, append(want, "list-A")) {
		return Result{Status: Fail, Detail: fmt.Sprintf("after five puts the list is %q", got), Fix: "listings must show each object at once and in order of bytes: take another store"}
	}
	return okf("complete at once, ascending, and goes on after a key")
}

// settle waits until the probe may be put again: R2 takes one write a second of a key, and
// dates have whole seconds.
func (r *run) settle(ctx context.Context) error {
	return clock.SleepUntil(ctx, r.Clock, r.put.Add(1200*time.Millisecond))
}

func names(infos []store.Info, prefix string) []string {
	var out []string
	for _, i := range infos {
		out = append(out, strings.TrimPrefix(i.Key, prefix))
	}
	return out
}

func (r *run) lastModified(ctx context.Context) Result {
	infos, err := r.Write.List(ctx, r.prefix+"probe", "", 1)
	if err != nil || len(infos) != 1 {
		return failed(oddly(err, "%d objects are listed, not 1", len(infos)))
	}
	before, err := r.Write.Head(ctx, r.prefix+"probe")
	if err != nil {
		return failed(err)
	}
	if !infos[0].LastModified.Truncate(time.Second).Equal(before.LastModified.Truncate(time.Second)) {
		return Result{Status: Fail, Detail: fmt.Sprintf("list says %s, head %s", infos[0].LastModified, before.LastModified), Fix: "whether an upload was in time could not be told: take another store"}
	}
	if err := r.settle(ctx); err != nil {
		return failed(err)
	}
	if _, err := r.store(ctx, "probe", body, store.PutOptions{}); err != nil {
		return failed(err)
	}
	later, err := r.Write.Head(ctx, r.prefix+"probe")
	if err != nil {
		return failed(err)
	}
	if !later.LastModified.After(before.LastModified) {
		return Result{Status: Fail, Detail: "the date does not change when the object does", Fix: "whether an upload was in time could not be told: take another store"}
	}
	if before.LastModified.Nanosecond() == 0 && later.LastModified.Nanosecond() == 0 {
		return okf("the same in lists, and moves with each put; in whole seconds: slack_seconds must be 2 or more")
	}
	return okf("the same in lists, and moves with each put; in milliseconds")
}

func (r *run) ranges(ctx context.Context) Result {
	info, err := r.Write.Head(ctx, r.prefix+"probe")
	if err != nil {
		return failed(err)
	}
	part, err := r.Write.GetRange(ctx, info.Key, 4, 5, info.ETag)
	if err != nil {
		return failed(err)
	}
	defer part.Close()
	if got, err := io.ReadAll(part); err != nil || string(got) != body[4:9] {
		return failed(oddly(err, "the range of %q from 4 to 8 is %q", body, got))
	}
	if _, err = r.Write.GetRange(ctx, info.Key, 4, 5, strings.Repeat("0", 32)); !errors.Is(err, store.ErrChanged) {
		return failed(oddly(err, "a range of an object with another ETag is given out"))
	}
	return okf("honoured, and pinned to one version of an object")
}

// partsName ends the key of the object that is sent in parts.
const partsName = "parts"

func (r *run) multipart(ctx context.Context) Result {
	key := r.prefix + partsName
	r.keys = append(r.keys, key)
	begin := r.Clock.Now()
	u, err := r.Write.CreateUpload(ctx, key)
	if err != nil {
		return failed(err)
	}
	r.uploads = append(r.uploads, u)
	found, unseen := r.Write.Uploads(ctx, key)
	p, err := r.Write.PutPart(ctx, u, 1, bytes.NewReader([]byte(body)), int64(len(body)))
	if err != nil {
		return failed(err)
	}
	// What the store dates now tells whether it dates the whole by its beginning or its end.
	if err := r.Clock.Sleep(ctx, begin.Add(1200*time.Millisecond).Sub(r.Clock.Now())); err != nil {
		return failed(err)
	}
	if _, err := r.store(ctx, "now", "", store.PutOptions{}); err != nil {
		return failed(err)
	}
	now, err := r.Write.Head(ctx, r.prefix+"now")
	if err != nil {
		return failed(err)
	}
	if _, err := r.Write.CompleteUpload(ctx, u, []store.Part{p}, store.PutOptions{}); err != nil {
		return failed(err)
	}
	info, err := r.Write.Head(ctx, key)
	if err != nil || info.Size != int64(len(body)) {
		return failed(oddly(err, "joined to %d bytes", info.Size))
	}
	r.joins = true
	if unseen != nil || len(found) != 1 {
		return okf("works, but unfinished uploads are not listed: %v", oddly(unseen, "%d of 1", len(found))).
			but(Warn, "a large upload that is killed begins anew, and its parts stay: give the key the right to list uploads, and let the store drop old ones")
	}
	if info.LastModified.Before(now.LastModified) {
		return Result{Status: Fail, Detail: "works, but objects are dated when their upload begins, before their contents are fixed",
			Fix: "gradients in parts are refused in every store, so that no miner gains by it; checkpoints and Aggregates in parts are safe here"}
	}
	return okf("works; objects are dated when they are complete")
}

// onceInParts sends another probe in parts.
func (r *run) onceInParts(ctx context.Context) Result {
	if !r.joins {
		return Result{Status: Skip, Detail: "no upload in parts was completed"}
	}
	u, err := r.Write.CreateUpload(ctx, r.prefix+"probe")
	if err != nil {
		return failed(err)
	}
	r.uploads = append(r.uploads, u)
	refuses, err := transfer.RefusesTaken(ctx, r.Write, u)
	switch {
	case err != nil:
		return failed(err)
	case refuses:
		return okf("an upload is not completed when its key is taken")
	}
	return okf("ignores If-None-Match when an upload is completed, or does not know it there").
		but(Warn, "an aggregator sends each object here as a whole, and after a broken connection from its beginning")
}

func (r *run) remove(ctx context.Context) Result {
	key := r.prefix + "probe"
	if err := r.Write.Delete(ctx, key); err != nil {
		return failed(err)
	}
	_, err := r.Write.Head(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return okf("gone at once")
	}
	return failed(oddly(err, "a deleted object is there still"))
}
