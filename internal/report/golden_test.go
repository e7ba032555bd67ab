package report_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/harness/testnet"
	"templar/internal/report"
	"templar/internal/score"
	"templar/protocol"
	"templar/wire"
)

var update = flag.Bool("update", false, "record the golden windows again")

// goldens are the recorded windows of each score rule; recorded returns those of the first.
var goldens = []struct {
	file   string
	params func(*protocol.Params)
}{
	{"testdata/golden.jsonl", change},
	{"testdata/golden-ordinal.jsonl", func(p *protocol.Params) { change(p); p.DescribedScores() }},
}

// TestGoldenWindows works the scores of 30 recorded windows out again, from what the
// validator saw: among five miners one is unreliable, one copies and one has drifted.
// Every score and penalty must come out as recorded, to 1e-6, and every draw.
//
//	go test ./internal/report -run Golden -update    # record them again
func TestGoldenWindows(t *testing.T) {
	for i, g := range goldens {
		if *update {
			record(t, i)
		}
		p := testnet.Params()
		g.params(&p)
		t.Run(string(p.ScoreRule), func(t *testing.T) { checkGolden(t, i, &p) })
	}
}

func checkGolden(t *testing.T, golden int, p *protocol.Params) {
	var before *report.Report
	kinds := map[score.Kind]int{}
	for _, r := range windows(t, golden) {
		differences, err := r.Rescore(p)
		if err != nil {
			t.Fatalf("window %d: %v", r.Window, err)
		}
		differences = append(differences, r.Draw(p)...)
		if before != nil {
			differences = append(differences, r.Follows(before)...)
		}
		for _, d := range differences {
			t.Errorf("window %d: %v", r.Window, d)
		}
		for i := range r.Miners {
			for _, reason := range r.Miners[i].Reasons {
				kinds[reason.Kind]++
			}
		}
		before = r
	}
	for _, kind := range []score.Kind{score.KindMissing, score.KindInvalid, score.KindShared, score.KindSync, score.KindNewHotkey} {
		if kinds[kind] == 0 {
			t.Errorf("no recorded window has a case of %s", kind)
		}
	}
}

func params() protocol.Params {
	p := testnet.Params()
	change(&p)
	return p
}

// change keeps all 30 windows' reports in the bucket.
func change(p *protocol.Params) { p.CheckpointFrequency = 10 }

// recorded reads the golden windows of a new run.
func recorded(t testing.TB) []*report.Report { return windows(t, 0) }

func windows(t testing.TB, golden int) (out []*report.Report) {
	t.Helper()
	f, err := os.Open(goldens[golden].file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		r := &report.Report{}
		if err := json.Unmarshal(lines.Bytes(), r); err != nil {
			t.Fatal(err)
		}
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	if err := lines.Err(); err != nil || len(out) != 30 {
		t.Fatalf("%d golden windows, %v", len(out), err)
	}
	return out
}

// record runs the network and writes down its reports.
func record(t *testing.T, golden int) {
	testnet.Test(t, testnet.Config{Miners: 5, Validators: 1, Params: goldens[golden].params}, func(net *testnet.Network) {
		net.Node("miner-2").Tamper = unreliable(net)
		net.Node("miner-3").Tamper = copycat(t, net)
		net.Node("miner-4").Tamper = drifted(t, net)
		net.Start()
		net.RunWindows(30)
		var out bytes.Buffer
		for i := range 30 {
			v := net.Node("validator-0")
			r, by, err := report.Decode(get(t, net, "validator-0", protocol.ReportKey(net.Window(i), v.UID)), net.Run.Params)
			if err != nil || by != v.Signer.Hotkey() {
				t.Fatal(err, by)
			}
			line, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(append(line, '\n'))
		}
		if err := os.WriteFile(goldens[golden].file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	})
}

func get(t *testing.T, net *testnet.Network, bucket, key string) []byte {
	t.Helper()
	var b bytes.Buffer
	body, _, err := net.Bucket(bucket).Get(net.Context(), key, -1)
	if err != nil {
		t.Fatal(key, err)
	}
	defer body.Close()
	if _, err := b.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type tamper = func(key string, body []byte) (string, []byte)

// unreliable uploads nothing in some windows, and half an object in others.
func unreliable(*testnet.Network) tamper {
	return func(key string, body []byte) (string, []byte) {
		w, _ := protocol.KeyWindow(key)
		switch {
		case !strings.HasPrefix(key, "gradient-"):
		case w%5 == 3:
			return "", nil
		case w%7 == 5:
			return key, body[:len(body)/2]
		}
		return key, body
	}
}

// copycat uploads miner-0's gradient as its own in every third window, a second later.
func copycat(t *testing.T, net *testnet.Network) tamper {
	return func(key string, body []byte) (string, []byte) {
		w, _ := protocol.KeyWindow(key)
		if !strings.HasPrefix(key, "gradient-") || w%3 != 1 {
			return key, body
		}
		if err := (clock.Wall{}).Sleep(net.Context(), time.Second); err != nil { // virtual
			return key, body
		}
		me := net.Node("miner-3")
		g := net.Gradient("miner-0", w) // its owner shows it
		if g == nil {
			return key, body
		}
		g.UID, g.Hotkey = me.UID, me.Signer.Hotkey()
		return key, net.Seal("miner-3", &g.Gradient, net.GradientKey("miner-3", w))
	}
}

// drifted reports a model that is four steps off, in every fourth window.
func drifted(t *testing.T, net *testnet.Network) tamper {
	return func(key string, body []byte) (string, []byte) {
		w, _ := protocol.KeyWindow(key)
		if !strings.HasPrefix(key, "debug-") || w%4 != 0 {
			return key, body
		}
		me := net.Node("miner-4")
		x := me.Parts()
		s, verdict := wire.DecodeSample(body, wire.Expect{Run: x.Run.Hash, Window: w, UID: me.UID, Hotkey: me.Signer.Hotkey()}, x.Samples().Size())
		if !verdict.OK() {
			t.Error(verdict)
			return key, body
		}
		for i := range s.Values {
			s.Values[i] += 4 * 1e-2
		}
		s.State[0]++
		b, err := wire.EncodeSample(s, me.Signer)
		if err != nil {
			t.Error(err)
		}
		return key, b
	}
}
