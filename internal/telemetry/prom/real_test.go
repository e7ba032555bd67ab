package prom

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A real Prometheus scrapes the metrics, and gives them back by query.
func TestPrometheus(t *testing.T) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed (Debian: apt install prometheus)")
	}
	r, _ := scrape(t)
	target := httptest.NewServer(r.Handler())
	defer target.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	conf := fmt.Sprintf("scrape_configs:\n  - job_name: templar\n    scrape_interval: 1s\n    static_configs:\n      - targets: [%q]\n", strings.TrimPrefix(target.URL, "http://"))
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+at, "--log.level=error")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	defer http.DefaultClient.CloseIdleConnections()
	query := func(q string) string {
		resp, err := http.Get("http://" + at + "/api/v1/query?" + url.Values{"query": {q}}.Encode())
		if err != nil {
			return ""
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body) // an answer that breaks off is no value
		var answer struct {
			Data struct{ Result []struct{ Value [2]any } }
		}
		if json.Unmarshal(b, &answer) != nil || len(answer.Data.Result) == 0 {
			return ""
		}
		return fmt.Sprint(answer.Data.Result[0].Value[1])
	}
	for range 150 { // a process of its own, in real time
		if query(`templar_window{node="miner-0"}`) != "" {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for q, want := range map[string]string{
		`templar_window{node="miner-0"}`: "11", `templar_miner_weight{uid="3"}`: "0.3", `templar_peers_skipped_total{role="aggregator",verdict="late"}`: "2",
		`histogram_quantile(0.5, templar_gather_seconds_bucket{role="aggregator"})`: "0.6",
	} {
		if got := query(q); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %s", q, got, want)
		}
	}
}
