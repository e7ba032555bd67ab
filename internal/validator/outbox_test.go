package validator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"templar/internal/harness/testnet"
	"templar/internal/parts"
	"templar/internal/report"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/internal/validator"
	"templar/protocol"
)

// While its bucket accepts no reports, or no objects, a validator goes on judging and keeps its
// reports; when the bucket is available they are uploaded in order, also after a restart.
func TestReportsOutliveAnOutage(t *testing.T) {
	for name, kill := range map[string]string{"": "", "killed while judging": "comparing", "killed while applying": "applying"} {
		t.Run(name, func(t *testing.T) {
			change := func(p *protocol.Params) { p.CheckpointFrequency = 10 } // keeps all reports
			testnet.Test(t, testnet.Config{Miners: 2, Validators: 2, Params: change}, func(net *testnet.Network) {
				v := net.Node("validator-1")
				var away atomic.Bool
				v.Alter = func(d parts.Parts) parts.Parts {
					d.Own = noReports{d.Own, &away}
					return d
				}
				tries := triedReports(v)
				net.Start()
				net.RunWindows(3)
				if kill == "" {
					net.Break(v.Name, testnet.Unreachable)
				} else {
					away.Store(true)
					v.KillWhen(func(e telemetry.Event) bool { return e.Window >= 6 && phase(e) == kill })
				}
				net.RunWindows(5)
				away.Store(false)
				net.Heal(v.Name)
				net.RunWindows(4)
				for w := net.Window(0); w < net.Window(11); w++ {
					if a, b := written(t, net, v, w), written(t, net, net.Node("validator-0"), w); !bytes.Equal(a, b) {
						t.Errorf("window %d: the report is\n%s\nthe other validator's\n%s", w, a, b)
					}
				}
				order := slices.Compact(tries())
				if last := slices.Index(order, 11); last < 8 || !slices.IsSorted(order[last-7:]) {
					t.Errorf("reports were sent in the order %v", order)
				}
				if left := reportsIn(t, net, v.Local); len(left) > 0 {
					t.Errorf("still waiting: %v", left)
				}
			})
		})
	}
}

// noReports is a bucket that refuses reports for a while.
type noReports struct {
	store.Bucket
	away *atomic.Bool
}

func (b noReports) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o store.PutOptions) (store.Info, error) {
	if b.away.Load() && strings.HasPrefix(key, "report-") {
		return store.Info{}, errors.New("away")
	}
	return b.Bucket.Put(ctx, key, body, size, o)
}

// triedReports returns a function that lists the windows of the reports that a validator has
// tried to store so far.
func triedReports(v *testnet.Node) func() []protocol.Window {
	var mu sync.Mutex
	var all []protocol.Window
	v.Tamper = func(key string, body []byte) (string, []byte) {
		if k, ok := protocol.ParseKey(key); ok && k.Kind == protocol.KindReport {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, k.Window)
		}
		return key, body
	}
	return func() []protocol.Window {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

func reportsIn(t *testing.T, net *testnet.Network, b store.Reader) (keys []string) {
	t.Helper()
	all, err := b.List(net.Context(), "report-", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		keys = append(keys, o.Key)
	}
	return keys
}

// desk is a validator's files and bucket, for tests that run none.
type desk struct {
	*testing.T
	net *testnet.Network
	v   *testnet.Node
	log bytes.Buffer
}

func (d *desk) key(w protocol.Window) string { return protocol.ReportKey(w, d.v.UID) }

func (d *desk) report(w protocol.Window, change func(*report.Report)) []byte {
	d.Helper()
	r := &report.Report{Version: report.Version, Run: d.net.Run.Hash, Start: 1, Window: w, UID: d.v.UID}
	if change != nil {
		change(r)
	}
	b, err := r.Encode(d.v.Signer, d.net.Run.Params)
	if err != nil {
		d.Fatal(err)
	}
	return b
}

func (d *desk) put(b store.Bucket, key string, body []byte) {
	d.Helper()
	if _, err := b.Put(d.net.Context(), key, bytes.NewReader(body), int64(len(body)), store.PutOptions{}); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) send(next protocol.Window) {
	p := d.v.Parts()
	p.Log = slog.New(slog.NewTextHandler(&d.log, nil))
	validator.Send(d.net.Context(), p.ForValidator(), next)
}

// A report is stored once, also when the outcome of an upload is unknown: a present report stays,
// unless it is another run's, or damaged. A report that the bucket would not keep is not sent.
func TestReportsAreSentOnce(t *testing.T) {
	testnet.Test(t, testnet.Config{Validators: 1}, func(net *testnet.Network) {
		d := &desk{T: t, net: net, v: net.Node("validator-0")}
		own, local := net.Bucket("validator-0"), d.v.Local
		stranger := func(r *report.Report) { r.Run[0]++ }
		other := d.report(14, func(r *report.Report) { r.Weighed = 7 })
		for w := protocol.Window(11); w <= 17; w++ {
			d.put(local, d.key(w), d.report(w, nil))
		}
		d.put(own, d.key(13), read(t, net, local, d.key(13))) // sent, and killed before that was noted
		d.put(own, d.key(14), other)
		d.put(own, d.key(15), d.report(15, stranger))
		d.put(own, d.key(16), []byte("damaged"))
		d.put(own, d.key(17), make([]byte, report.MaxSize(net.Run.Params)+1))
		d.put(local, d.key(18), []byte("damaged"))
		d.put(local, d.key(19), d.report(19, stranger))
		next := protocol.Window(12 + 4*net.Run.Params.CheckpointFrequency)
		d.put(local, "report.json", d.report(next, nil)) // of a book that was lost

		want := map[string][]byte{d.key(14): other}
		for _, w := range []protocol.Window{12, 13, 15, 16, 17} {
			want[d.key(w)] = read(t, net, local, d.key(w))
		}
		d.send(next)
		got := reportsIn(t, net, own)
		if len(got) != len(want) {
			t.Errorf("sent %v", got)
		}
		for _, key := range got {
			if b := read(t, net, own, key); !bytes.Equal(b, want[key]) {
				t.Errorf("%s is %s, want %s", key, b, want[key])
			}
		}
		if left := reportsIn(t, net, local); len(left) > 0 {
			t.Errorf("still waiting: %v", left)
		}
		if said := d.log.String(); strings.Count(said, "an unsent report is lost") != 2 || strings.Count(said, "exists already") != 1 {
			t.Errorf("logged:\n%s", said)
		}
	})
}

// A bucket that hangs delays the sender by its time limit only, and the reports stay.
func TestSendingIsBounded(t *testing.T) {
	testnet.Test(t, testnet.Config{Validators: 1}, func(net *testnet.Network) {
		d := &desk{T: t, net: net, v: net.Node("validator-0")}
		for w := protocol.Window(9); w < 12; w++ {
			d.put(d.v.Local, d.key(w), d.report(w, nil))
		}
		net.Break(d.v.Name, testnet.Hanging)
		x := d.v.Parts()
		began := x.Clock.Now()
		d.send(12)
		if took := x.Clock.Now().Sub(began); took != net.Run.Params.WindowTime() {
			t.Errorf("took %v", took)
		}
		if left := reportsIn(t, net, d.v.Local); len(left) != 3 || !strings.Contains(d.log.String(), "3 older ones wait") {
			t.Errorf("waiting: %v, logged:\n%s", left, d.log.String())
		}
		net.Heal(d.v.Name)
		d.send(12)
		if got := fmt.Sprint(reportsIn(t, net, net.Bucket(d.v.Name))); got != "[report-10-0-v2 report-11-0-v2 report-9-0-v2]" {
			t.Errorf("sent %s", got)
		}
	})
}
