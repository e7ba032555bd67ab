// Package wandbtest is a stand-in for the server of Weights & Biases: runs, and the streams of
// lines of their files. What the official clients ask for besides is answered as empty.
package wandbtest

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Key is the key that the server accepts.
const Key = "0123456789abcdef0123456789abcdef01234567"

// Run is a run as the server has it.
type Run struct {
	Variables map[string]any // of the last upsert
	History   []string       // lines; one that was skipped is empty
	Summary   string
	Complete  bool
}

// Server is an http.Handler. Its fields may be set before it serves.
type Server struct {
	// Fail, when set, is the status of the answer to a request; 0 is an ordinary answer. With
	// persist the request has its effect all the same.
	Fail func(path string) (status int, persist bool)

	mu struct {
		sync.Mutex
		runs  map[string]*Run
		calls []string
	}
}

// Run returns a copy of a run.
func (s *Server) Run(id string) Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.mu.runs[id]
	if r == nil {
		return Run{}
	}
	out := *r
	out.History = slices.Clone(r.History)
	return out
}

// IDs lists the runs.
func (s *Server) IDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.mu.runs))
}

// Calls lists the requests: the GraphQL operations, and file_stream with the files that it named.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mu.calls)
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status, persist := 0, true
	if s.Fail != nil {
		status, persist = s.Fail(r.URL.Path)
	}
	if status != 0 && !persist {
		http.Error(w, "failing", status)
		return
	}
	if _, key, _ := r.BasicAuth(); key != Key {
		http.Error(w, "bad key", http.StatusUnauthorized)
		return
	}
	answer, code := s.answer(r)
	if status != 0 {
		http.Error(w, "failing", status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *Server) answer(r *http.Request) (answer any, code int) {
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(in)
		if err != nil {
			return "gzip", http.StatusBadRequest
		}
		in = z
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return "body", http.StatusBadRequest
	}
	switch {
	case r.URL.Path == "/graphql":
		return s.graphql(body)
	case strings.HasPrefix(r.URL.Path, "/files/") && strings.HasSuffix(r.URL.Path, "/file_stream"):
		return s.stream(strings.Split(r.URL.Path, "/")[4], body)
	}
	s.mu.calls = append(s.mu.calls, r.Method+" "+r.URL.Path)
	return "not found", http.StatusNotFound
}

func (s *Server) graphql(body []byte) (any, int) {
	var q struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return "query", http.StatusBadRequest
	}
	words := strings.FieldsFunc(q.Query, func(r rune) bool { return strings.ContainsRune(" \n\t({", r) })
	name := words[min(1, len(words)-1)]
	s.mu.calls = append(s.mu.calls, name)
	data := map[string]any{}
	switch name {
	case "Viewer":
		data["viewer"] = map[string]any{"id": "V", "entity": "me", "flags": "{}", "teams": map[string]any{"edges": []any{}}}
	case "UpsertBucket":
		data["upsertBucket"] = s.upsert(q.Variables)
	case "RunResumeStatus":
		data["model"] = map[string]any{"id": "P", "name": "templar", "entity": entity(), "bucket": s.status(q.Variables)}
	case "ServerFeaturesQuery":
		data["serverInfo"] = map[string]any{"features": []any{}}
	case "CreateRunFiles":
		data["createRunFiles"] = map[string]any{"runID": "R", "uploadHeaders": []string{}, "files": []any{}}
	}
	return map[string]any{"data": data}, http.StatusOK
}

func entity() map[string]any { return map[string]any{"id": "E", "name": "me"} }

func (s *Server) upsert(v map[string]any) any {
	if s.mu.runs == nil {
		s.mu.runs = map[string]*Run{}
	}
	id := fmt.Sprint(v["name"])
	_, old := s.mu.runs[id]
	if !old {
		s.mu.runs[id] = &Run{}
	}
	r := s.mu.runs[id]
	r.Variables, r.Complete = v, false
	return map[string]any{"inserted": !old, "bucket": map[string]any{
		"id": "UnVuOnYx", "name": id, "displayName": v["displayName"], "config": v["config"], "historyLineCount": len(r.History),
		"project": map[string]any{"id": "P", "name": v["project"], "entity": entity()},
	}}
}

func (s *Server) status(v map[string]any) any {
	r := s.mu.runs[fmt.Sprint(v["name"])]
	if r == nil {
		return nil
	}
	tail, err := json.Marshal(r.History[max(0, len(r.History)-2):])
	if err != nil {
		return nil
	}
	return map[string]any{
		"id": "UnVuOnYx", "name": v["name"], "summaryMetrics": r.Summary, "historyLineCount": len(r.History), "historyTail": string(tail),
		"eventsLineCount": 0, "logLineCount": 0, "eventsTail": "[]", "config": "{}", "tags": []any{}, "wandbConfig": `{"t":{}}`,
	}
}

func (s *Server) stream(id string, body []byte) (any, int) {
	var l struct {
		Files map[string]struct {
			Offset  int      `json:"offset"`
			Content []string `json:"content"`
		} `json:"files"`
		Complete *bool `json:"complete"`
	}
	if err := json.Unmarshal(body, &l); err != nil {
		return "lines", http.StatusBadRequest
	}
	s.mu.calls = append(s.mu.calls, "file_stream "+strings.Join(slices.Sorted(maps.Keys(l.Files)), " "))
	r := s.mu.runs[id]
	if r == nil {
		return "no such run", http.StatusNotFound
	}
	if h, ok := l.Files["wandb-history.jsonl"]; ok {
		for len(r.History) < h.Offset+len(h.Content) {
			r.History = append(r.History, "")
		}
		copy(r.History[h.Offset:], h.Content)
	}
	if sum, ok := l.Files["wandb-summary.json"]; ok && len(sum.Content) > 0 {
		r.Summary = sum.Content[0]
	}
	r.Complete = r.Complete || l.Complete != nil && *l.Complete
	return map[string]any{"exitcode": nil, "limits": map[string]any{}}, http.StatusOK
}
