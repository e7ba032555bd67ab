package node

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/store"
	"templar/internal/telemetry"
	eventlog "templar/internal/telemetry/log"
)

// Metrics and logs are sent to the servers of the configuration, and logged here too. Debug lines,
// which are not wanted here, do not go there either.
func TestExported(t *testing.T) {
	var mu sync.Mutex
	bodies := make(map[string]string)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		b, _ := io.ReadAll(body)
		mu.Lock()
		defer mu.Unlock()
		bodies[r.URL.Path] += string(b)
	}))
	defer server.Close()

	var here bytes.Buffer
	log := slog.New(slog.NewTextHandler(&here, nil))
	env := Env{Log: log, Sink: eventlog.New(log), Clock: clock.Wall{}}
	c := config.Node{Name: "alice", Run: "nowhere.json"}
	c.Telemetry.Loki.URL = store.Secret(server.URL)
	c.Telemetry.InfluxDB = config.InfluxDB{Host: "http://127.0.0.1", Port: port(t, server), Org: "o", Database: "d", Token: "token"}

	env, senders, err := exported(t.Context(), c, telemetry.Miner, env)
	if err != nil || len(senders) != 2 {
		t.Fatal(len(senders), err)
	}
	env.Log.Debug("a whisper")
	env.Log.Warn("a word")
	for _, b := range []telemetry.Body{telemetry.Phase{Name: "a whisper"}, telemetry.Checkpointed{Bytes: 7}, telemetry.Applied{Step: 4}} {
		env.Sink.Emit(telemetry.Event{Node: "alice", Role: telemetry.Miner, Body: b})
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for _, send := range senders {
		send(ended)
	}
	logs := bodies["/loki/api/v1/push"]
	for _, line := range []string{"a word", "checkpoint", "applied"} {
		if n := strings.Count(here.String(), "msg="+line) + strings.Count(here.String(), `msg="`+line); n != 1 {
			t.Errorf("%q is here %d times: %s", line, n, here.String())
		}
		if n := strings.Count(logs, `\"msg\":\"`+line+`\"`); n != 1 {
			t.Errorf("%q is in Loki %d times: %s", line, n, logs)
		}
	}
	if strings.Contains(logs, "a whisper") || !strings.Contains(logs, `"node":"alice"`) {
		t.Errorf("Loki got %s", logs)
	}
	if points := bodies["/api/v2/write"]; !strings.HasPrefix(points, "templar_checkpointed,node=alice,role=miner,uid=0 window=0i,bytes=7i ") {
		t.Errorf("InfluxDB got %s", points)
	}
	if err := Run(t.Context(), c, telemetry.Miner, env); err == nil || !strings.Contains(err.Error(), "nowhere.json") {
		t.Errorf("the end of the role does not end its senders, or its error is lost: %v", err)
	}
}

func port(t *testing.T, s *httptest.Server) (p uint16) {
	t.Helper()
	for _, digit := range s.URL[strings.LastIndex(s.URL, ":")+1:] {
		p = 10*p + uint16(digit-'0')
	}
	return p
}
