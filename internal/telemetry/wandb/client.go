package wandb

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	patience      = 30 * time.Second // for one request
	maxAnswer     = 32 << 20         // bytes of an answer that are read
	clientVersion = "0.28.0"         // of wandb's client whose protocol this is
	program       = "templar"
)

// client speaks the protocol of W&B's server: GraphQL for a run, and a stream of lines of files.
type client struct {
	base string // without a trailing slash
	key  string
	http *http.Client
}

func newClient(base, key string, transport http.RoundTripper) *client {
	return &client{base: strings.TrimRight(base, "/"), key: key, http: &http.Client{
		Timeout:       patience,
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a key must not be sent to another host
	}}
}

// refusal is an answer other than success. The body is not repeated: it may hold anything.
type refusal struct{ status int }

func (r *refusal) Error() string {
	switch r.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Sprintf("status %d %s: check WANDB_API_KEY, and that it may write to the entity and project", r.status, http.StatusText(r.status))
	}
	return fmt.Sprintf("status %d %s", r.status, http.StatusText(r.status))
}

// faults are errors that a GraphQL server reports with status 200.
type faults []string

func (f faults) Error() string { return "the server reports: " + strings.Join(f, "; ") }

// final reports whether asking again cannot help.
func final(err error) bool {
	var r *refusal
	if errors.As(err, &r) {
		return slices.Contains([]int{400, 401, 403, 404, 409, 410, 413, 422, 501}, r.status) || r.status/100 == 3
	}
	var f faults
	return errors.As(err, &f)
}

func (c *client) post(ctx context.Context, path string, body, out any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(b))
	if err != nil {
		return errors.New("the server's address is not a URL")
	}
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("api:"+c.key)))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", program)
	resp, err := c.http.Do(req)
	if err != nil {
		var at *url.Error // repeats the address, which may hold a password
		if errors.As(err, &at) {
			err = at.Err
		}
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case resp.StatusCode/100 != 2:
		return &refusal{resp.StatusCode}
	case err != nil:
		return err
	case json.Unmarshal(answer, out) != nil:
		return errors.New("the answer is not what this protocol expects: is that a W&B server?")
	}
	return nil
}

func (c *client) query(ctx context.Context, query string, variables map[string]any, out any) error {
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := c.post(ctx, "/graphql", map[string]any{"query": query, "variables": variables}, &answer); err != nil {
		return err
	}
	if len(answer.Errors) > 0 {
		var f faults
		for _, e := range answer.Errors[:min(len(answer.Errors), 3)] {
			f = append(f, e.Message[:min(len(e.Message), 200)])
		}
		return f
	}
	if json.Unmarshal(answer.Data, out) != nil {
		return errors.New("the answer is not what this protocol expects: is that a W&B server?")
	}
	return nil
}

const resumeQuery = `query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) {
    id name entity { id name }
    bucket(name: $name, missingOk: true) { id name summaryMetrics historyLineCount historyTail wandbConfig(keys: ["t"]) }
  }
}`

// progress is what the server has of a run.
type progress struct {
	lines int64 // of the history
	last  int64 // the greatest step; -1 when it has none
}

// resume asks for a run's progress.
func (c *client) resume(ctx context.Context, r RunInfo) (progress, error) {
	var answer struct {
		Model *struct {
			Bucket *struct {
				SummaryMetrics   string `json:"summaryMetrics"`
				HistoryTail      string `json:"historyTail"`
				HistoryLineCount int64  `json:"historyLineCount"`
			} `json:"bucket"`
		} `json:"model"`
	}
	err := c.query(ctx, resumeQuery, map[string]any{"project": r.Project, "entity": orNull(r.Entity), "name": r.ID}, &answer)
	p := progress{last: -1}
	if err != nil || answer.Model == nil || answer.Model.Bucket == nil {
		return p, err
	}
	b := answer.Model.Bucket
	p.lines = max(0, b.HistoryLineCount)
	p.last = max(p.last, stepOf(b.SummaryMetrics))
	var tail []string
	_ = json.Unmarshal([]byte(b.HistoryTail), &tail) // one that is missing adds nothing
	for _, row := range tail {
		p.last = max(p.last, stepOf(row))
	}
	return p, nil
}

// stepOf is the step in a row or a summary; -1 when there is none.
func stepOf(row string) int64 {
	var v struct {
		Step *float64 `json:"_step"`
	}
	if json.Unmarshal([]byte(row), &v) != nil || v.Step == nil {
		return -1
	}
	return int64(*v.Step)
}

const upsertMutation = `mutation UpsertBucket($name: String, $project: String, $entity: String, $groupName: String, $displayName: String, $config: JSONString, $host: String, $program: String, $jobType: String, $tags: [String!]) {
  upsertBucket(input: {name: $name, modelName: $project, entityName: $entity, groupName: $groupName, displayName: $displayName, config: $config, host: $host, jobProgram: $program, jobType: $jobType, tags: $tags}) {
    bucket { id name displayName historyLineCount project { id name entity { id name } } }
    inserted
  }
}`

// create makes a run, or opens it again. It returns the path of its stream of lines.
func (c *client) create(ctx context.Context, r RunInfo) (stream string, lines int64, err error) {
	var answer struct {
		UpsertBucket struct {
			Bucket struct {
				Name             string `json:"name"`
				HistoryLineCount int64  `json:"historyLineCount"`
				Project          struct {
					Name   string `json:"name"`
					Entity struct {
						Name string `json:"name"`
					} `json:"entity"`
				} `json:"project"`
			} `json:"bucket"`
		} `json:"upsertBucket"`
	}
	config := map[string]any{
		// Without "t" the run does not count as begun, and a later process could not resume it.
		"_wandb": map[string]any{"value": map[string]any{"cli_version": clientVersion, "t": map[string]any{"5": clientVersion}, "m": []any{}}},
	}
	for _, v := range r.Config {
		config[v.Name] = map[string]any{"value": json.RawMessage(encoded(v.Value))}
	}
	text, err := json.Marshal(config)
	if err != nil {
		return "", 0, err
	}
	err = c.query(ctx, upsertMutation, map[string]any{
		"name": r.ID, "project": r.Project, "entity": orNull(r.Entity), "groupName": orNull(r.Group), "displayName": orNull(r.Name),
		"config": string(text), "host": orNull(r.Host), "program": program, "jobType": orNull(r.JobType), "tags": r.Tags,
	}, &answer)
	if err != nil {
		return "", 0, err
	}
	b := answer.UpsertBucket.Bucket
	if b.Name == "" || b.Project.Name == "" || b.Project.Entity.Name == "" {
		return "", 0, errors.New("the server did not say where the run is")
	}
	path := fmt.Sprintf("/files/%s/%s/%s/file_stream", url.PathEscape(b.Project.Entity.Name), url.PathEscape(b.Project.Name), url.PathEscape(b.Name))
	return path, max(0, b.HistoryLineCount), nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// chunk is lines of a file, from an offset on.
type chunk struct {
	Offset  int64    `json:"offset"`
	Content []string `json:"content"`
}

// lines is a request to a run's stream. Lines at an offset replace those that are there: a request
// that is sent again changes nothing.
type lines struct {
	Files    map[string]chunk `json:"files,omitempty"`
	Complete *bool            `json:"complete,omitempty"`
	ExitCode *int             `json:"exitcode,omitempty"`
}

// send sends lines, and reports whether somebody has stopped the run on the server.
func (c *client) send(ctx context.Context, stream string, l lines) (stopped bool, err error) {
	var answer struct {
		Stopped bool `json:"stopped"`
	}
	err = c.post(ctx, stream, l, &answer)
	return answer.Stopped, err
}
