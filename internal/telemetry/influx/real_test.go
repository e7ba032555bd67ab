package influx

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"templar/internal/clock"
	"templar/internal/telemetry/telemetrytest"
	"templar/protocol"
)

// freePort returns a port of loopback that was free.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// serve runs a server until the test ends, and waits until it answers at a path.
func serve(t *testing.T, at string, args ...string) {
	t.Helper()
	program, err := exec.LookPath(args[0])
	if err != nil {
		t.Skipf("%s is not installed", args[0])
	}
	cmd := exec.Command(program, args[1:]...)
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		http.DefaultClient.CloseIdleConnections()
	})
	for range 100 {
		if resp, err := http.Get(at); err == nil {
			resp.Body.Close()
			if resp.StatusCode < 300 {
				return
			}
		}
		time.Sleep(100 * time.Millisecond) // a process of its own, in real time
	}
	t.Fatalf("%s does not answer", args[0])
}

func fetch(t *testing.T, at string) string {
	t.Helper()
	resp, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", at, b, err)
	}
	return string(b)
}

// send sends the events of three windows.
func send(o Server) {
	m := New(o, []Tag{{"version", "1.2.3"}}, clock.Wall{}, slog.Default())
	for w := range protocol.Window(3) {
		for _, e := range telemetrytest.Window(10, 10+w, time.Now().Add(time.Duration(w-3)*time.Second)) {
			m.Emit(e)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	m.Run(ctx)
}

// InfluxDB 1 gives back by query what was sent.
func TestInfluxDB(t *testing.T) {
	rpc, at, dir := freePort(t), freePort(t), t.TempDir()
	conf := fmt.Sprintf("reporting-disabled = true\nbind-address = %q\n[meta]\ndir = %q\n[data]\ndir = %q\nwal-dir = %q\n[http]\nbind-address = %q\n[logging]\nlevel = \"error\"\n",
		rpc, filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), at)
	file := filepath.Join(dir, "influxdb.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	serve(t, "http://"+at+"/ping", "influxd", "-config", file)
	query := func(q string) [][]any {
		var answer struct {
			Results []struct {
				Error  string
				Series []struct{ Values [][]any }
			}
		}
		method := map[bool]string{true: "POST", false: "GET"}[strings.HasPrefix(q, "CREATE")]
		req, err := http.NewRequest(method, "http://"+at+"/query?"+url.Values{"db": {"tplr"}, "q": {q}}.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Results) != 1 || answer.Results[0].Error != "" {
			t.Fatal(q, answer, err)
		}
		if len(answer.Results[0].Series) == 0 {
			return nil
		}
		return answer.Results[0].Series[0].Values
	}
	query("CREATE DATABASE tplr")
	send(Server{API: V1, URL: "http://" + at, Bucket: "tplr", Original: true})
	for q, want := range map[string]string{
		`SELECT window, skipped_late, skipped_uids FROM templar_published`: `[10 1 [2,5] 11 1 [2,5] 12 1 [2,5]]`,
		`SELECT loss, skipped_peers FROM Mtraining_step_v2`:                `[2.5 [2,5] 2.5 [2,5] 2.5 [2,5]]`,
		`SELECT weight FROM templar_scored WHERE miner = '3'`:              `[0.3 0.3 0.3]`,
		`SELECT mu FROM Vvalidator_openskill WHERE eval_uid = '2'`:         `[25 25 25]`,
	} {
		var got []any
		for _, row := range query(q) {
			got = append(got, row[1:]...)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", q, got, want)
		}
	}
	if series := query(`SHOW SERIES EXACT CARDINALITY`); len(series) > 0 && fmt.Sprint(series[0][0]) > "60" {
		t.Errorf("%v series of three windows", series)
	}
}

// VictoriaMetrics takes the paths of versions 1 and 2.
func TestVictoriaMetrics(t *testing.T) {
	at := freePort(t)
	serve(t, "http://"+at+"/health", "victoria-metrics", "-httpListenAddr", at, "-storageDataPath", t.TempDir(), "-retentionPeriod", "1")
	for _, api := range []string{V1, V2} {
		send(Server{API: api, URL: "http://" + at, Bucket: api, Org: "tplr", Token: "any"})
		fetch(t, "http://"+at+"/internal/force_flush")
		text := fetch(t, "http://"+at+"/api/v1/export?"+url.Values{"match[]": {`templar_scored_weight{db="` + api + `",miner="1"}`}}.Encode())
		if api == V2 { // it has no databases there
			text = fetch(t, "http://"+at+"/api/v1/export?"+url.Values{"match[]": {`templar_scored_weight{miner="1"}`}}.Encode())
		}
		if n := strings.Count(text, "0.6"); n < 3 {
			t.Errorf("%s: %d values of three windows: %s", api, n, text)
		}
	}
}
