package validator

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"templar/internal/score"
	"templar/internal/store"
	"templar/internal/store/mem"
	"templar/protocol"
)

func withBook(t *testing.T, raw []byte) *Validator {
	t.Helper()
	files := mem.New(time.Now)
	if err := files.CreateBucket("state"); err != nil {
		t.Fatal(err)
	}
	if err := files.AddKeys(store.Key{AccessKey: "owner", Secret: "owner", Admin: true}); err != nil {
		t.Fatal(err)
	}
	local, err := files.Dial(store.Location{Bucket: "state", AccessKey: "owner", Secret: "owner"})
	if err != nil {
		t.Fatal(err)
	}
	if raw != nil {
		if _, err := local.Put(t.Context(), score.BookFile.Name, bytes.NewReader(raw), int64(len(raw)), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return &Validator{Deps: Deps{Local: local, Log: slog.New(slog.DiscardHandler)}}
}

// Only a book that is not there is an empty one: a damaged one is refused, with a way out.
func TestLoadBook(t *testing.T) {
	book := score.Book{Next: 7, Records: []score.Record{{
		Hotkey: protocol.Hotkey{1}, UID: 1, Rating: score.Rating{Mu: 25, Sigma: 8}, Final: 0.5, Evaluations: 3,
	}}}
	good, err := book.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		raw []byte
		err string
	}{
		"none":         {nil, ""},
		"intact":       {good, ""},
		"truncated":    {good[:len(good)/2], "unexpected EOF"},
		"empty":        {[]byte{}, "unexpected end"},
		"a digit":      {bytes.Replace(good, []byte(`"final":0.5`), []byte(`"final":9.5`), 1), "checksum"},
		"a later form": {bytes.Replace(good, []byte(`"schema":4`), []byte(`"schema":9`), 1), "this release reads"},
	} {
		got, err := withBook(t, c.raw).loadBook(t.Context())
		switch {
		case c.err == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "move it away")):
			t.Errorf("%s: error %v, want one that says %q and a way out", name, err, c.err)
		case name == "intact" && got.Next != book.Next:
			t.Errorf("read %+v", got)
		}
	}
}
