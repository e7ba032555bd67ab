package loki

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"templar/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The address of a Loki server may hold a token: no failure shows it.
func TestAddressIsNotLogged(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	logged := &bytes.Buffer{}
	w, err := New(strings.Replace(away.URL, "//", "//user:hunter2@", 1)+"/hunter2?token=hunter2", nil, false, clock.Wall{}, slog.New(slog.NewTextHandler(logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("a line")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	w.Run(ctx)
	if s := logged.String(); !strings.Contains(s, `msg="not delivered" what="log lines" err=`) || strings.Contains(s, "hunter2") {
		t.Errorf("logged %s", s)
	}
}

// What Loki gets over HTTP is what its interface asks for.
func TestRequest(t *testing.T) {
	type got struct{ path, authorization, body string }
	all := make(chan got, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		all <- got{r.URL.Path, r.Header.Get("Authorization"), string(b)}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	w, err := New(strings.Replace(server.URL, "//", "//user:password@", 1), map[string]string{"node": "miner-0"}, false, clock.Wall{}, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewJSONHandler(w, nil)).Info("a \"quoted\" line", "window", 12)
	w.Run(ctx)
	g := <-all
	var body struct {
		Streams []struct {
			Stream map[string]string
			Values [][2]string
		}
	}
	if err := json.Unmarshal([]byte(g.body), &body); err != nil || g.path != "/loki/api/v1/push" || g.authorization != "Basic dXNlcjpwYXNzd29yZA==" {
		t.Fatal(err, g)
	}
	var line struct {
		Msg    string
		Window int
	}
	s := body.Streams[0]
	if err := json.Unmarshal([]byte(s.Values[0][1]), &line); err != nil || line.Msg != `a "quoted" line` || line.Window != 12 || s.Stream["node"] != "miner-0" || len(s.Values[0][0]) != 19 {
		t.Errorf("%v, %+v", err, s)
	}
	if _, err := New("http://user:hunter2@%zz", nil, false, clock.Wall{}, slog.Default()); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

// Metadata is sent where it is wanted, of lines that have some.
func TestMetadata(t *testing.T) {
	batch := [][]byte{[]byte(`1 {"msg":"phase","window":12,"uid":3,"phase":"training"}`), []byte(`2 {"msg":"x"}`), []byte(`3 plain`)}
	const plain = `{"streams":[{"stream":null,"values":[["1","{\"msg\":\"phase\",\"window\":12,\"uid\":3,\"phase\":\"training\"}"],["2","{\"msg\":\"x\"}"],["3","plain"]]}]}`
	if got, err := streams(nil, false, batch); err != nil || string(got) != plain {
		t.Errorf("%s, %v", got, err)
	}
	got, err := streams(nil, true, batch)
	if err != nil || !strings.Contains(string(got), `{"phase":"training","uid":"3","window":"12"}],["2",`) || !strings.Contains(string(got), `["3","plain",{}]`) {
		t.Errorf("%s, %v", got, err)
	}
}
