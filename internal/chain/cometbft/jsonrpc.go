package cometbft

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"templar/internal/admit"
	"templar/internal/workers"
)

// The RPC server is public and its clients are not known, so each resource that a request can
// take is bounded here. One request is one call: there are no batches, subscriptions or
// WebSockets. docs/spec/chain.md lists the methods, docs/adr/0056 the limits.
const (
	maxRequestBytes = 32 << 10 // the largest transaction has 16,506 bytes
	maxHeaderBytes  = 8 << 10
	maxConnections  = 4096
	maxWaits        = maxConnections / 2 // long polls

	requestsPerSecond = 2000 // of all connections together
	hostCostPerSecond = 100  // of a host that is not this machine, in costs of methods
	hostBurst         = 400
	refusalsPerSecond = 200 // before they are delayed

	requestPatience = 10 * time.Second // for a request to arrive
	answerPatience  = 30 * time.Second // for an answer to be taken
)

// JSON-RPC error codes.
const (
	codeParse    = -32700
	codeRequest  = -32600
	codeNoMethod = -32601
	codeInternal = -32603
)

// method is a call that clients may make.
type method struct {
	cost   float64
	waits  bool // for a block: it takes no place in the line, and counts among the long polls
	answer func(ctx context.Context, p params) (any, error)
}

// front is the HTTP side of the RPC server.
type front struct {
	methods     map[string]method
	connections *admit.Connections
	rates       *admit.Rates
	waits       *admit.Counts
	refusals    *admit.Throttle
	line        admit.Line
	proxies     admit.Proxies
	health      func() error
}

func newFront(methods map[string]method, proxies admit.Proxies, health func() error) *front {
	return &front{
		methods: methods, proxies: proxies, health: health,
		connections: admit.NewConnections(min(maxConnections, admit.OpenFiles()/2)),
		rates:       admit.NewRates(hostCostPerSecond, hostBurst),
		waits:       admit.NewCounts(maxWaits),
		refusals:    admit.NewThrottle(refusalsPerSecond, refusalsPerSecond),
		line:        admit.NewLine(max(1, workers.Cores()/2)),
	}
}

func (f *front) server(logger *cometLogger) *http.Server {
	return &http.Server{
		Handler:           f,
		ReadHeaderTimeout: requestPatience,
		ReadTimeout:       requestPatience,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         f.connections.Changed,
		ConnContext:       f.connections.Remember,
		ErrorLog:          logger.standard(),
	}
}

// rpcRequest is the one form of a request.
type rpcRequest struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  params          `json:"params"`
}

// rpcError is JSON-RPC's. The data says more than the message, as CometBFT's clients expect.
type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    string `json:"data,omitempty"`
}

func (e *rpcError) Error() string { return e.Message + ": " + e.Data }

type rpcResponse struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
}

// ServeHTTP answers a call, or GET /health.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerPatience))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodPost {
		f.get(w, r)
		return
	}
	host, local := f.proxies.Client(r.RemoteAddr, r.Header)
	if err := f.connections.Pace(r.Context(), requestsPerSecond); err != nil {
		return
	}
	req, status, err := readRequest(w, r)
	if err != nil {
		f.refusals.Wait(r.Context())
		respond(w, status, nil, nil, err)
		return
	}
	m, ok := f.methods[req.Method]
	if !ok {
		f.refusals.Wait(r.Context())
		respond(w, http.StatusOK, req.ID, nil, &rpcError{codeNoMethod, "Method not found", fmt.Sprintf("this server has no method %.40q", req.Method)})
		return
	}
	if !local {
		if after, ok := f.rates.Allow(host, m.cost); !ok {
			f.refusals.Wait(r.Context())
			w.Header().Set("Retry-After", strconv.Itoa(1+int(after/time.Second)))
			http.Error(w, "too many requests from your address", http.StatusTooManyRequests)
			return
		}
	}
	f.connections.Know(r.Context(), true)
	defer f.connections.Know(r.Context(), false)
	result, err := f.call(r.Context(), m, req.Params, host, local)
	// A long poll may have taken as long as it may; a slow reader's time begins now.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerPatience))
	respond(w, http.StatusOK, req.ID, result, err)
}

func (f *front) call(ctx context.Context, m method, p params, host string, local bool) (raw json.RawMessage, err error) {
	var v any
	if m.waits {
		leave, ok := f.waits.Take(host, local)
		if !ok {
			return nil, errors.New("too many calls wait for a block: poll less often")
		}
		v, err = m.answer(ctx, p)
		leave()
	} else if lineErr := f.line.Do(ctx, func() { v, err = m.answer(ctx, p) }); lineErr != nil {
		return nil, lineErr
	}
	if err != nil {
		return nil, err
	}
	return encodeAnswer(v)
}

// get answers monitors. Calls are made with POST.
func (f *front) get(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || r.URL.Path != "/health" {
		f.refusals.Wait(r.Context())
		http.Error(w, "send a JSON-RPC call with POST, or GET /health", http.StatusMethodNotAllowed)
		return
	}
	if err := f.health(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// readRequest reads one call. An array, which JSON-RPC calls a batch, is refused: one request
// could ask for any number of answers.
func readRequest(w http.ResponseWriter, r *http.Request) (req rpcRequest, status int, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return req, http.StatusRequestEntityTooLarge, &rpcError{codeRequest, "Invalid Request", fmt.Sprintf("a request has at most %d bytes", maxRequestBytes)}
	}
	if err != nil {
		return req, http.StatusBadRequest, &rpcError{codeParse, "Parse error", err.Error()}
	}
	body = bytes.TrimSpace(body)
	if len(body) > 0 && body[0] == '[' {
		return req, http.StatusBadRequest, &rpcError{codeRequest, "Invalid Request", "this server takes no batches: send one call a request"}
	}
	if err := json.Unmarshal(body, &req); err != nil {
		return req, http.StatusBadRequest, &rpcError{codeParse, "Parse error", "want a JSON-RPC 2.0 call with named parameters: " + err.Error()}
	}
	if !scalar(req.ID) {
		req.ID = nil
		return req, http.StatusBadRequest, &rpcError{codeRequest, "Invalid Request", "id: want a number or a text of at most 64 bytes"}
	}
	return req, http.StatusOK, nil
}

// scalar reports whether an id is one that can be returned.
func scalar(id json.RawMessage) bool {
	return len(id) > 0 && len(id) <= 64 && (id[0] == '"' || id[0] == '-' || '0' <= id[0] && id[0] <= '9')
}

func respond(w http.ResponseWriter, status int, id, result json.RawMessage, err error) {
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	w.Header().Set("Content-Type", "application/json")
	if status != http.StatusOK {
		w.Header().Set("Connection", "close")
	}
	if err != nil {
		e, ok := errors.AsType[*rpcError](err)
		if !ok {
			e = &rpcError{codeInternal, "Internal error", err.Error()}
		}
		raw, _ := json.Marshal(rpcResponse{Version: "2.0", ID: id, Error: e})
		w.WriteHeader(status)
		_, _ = w.Write(raw)
		return
	}
	// The result is shared by all that ask for it, and may be large: it is not copied.
	_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":`, id)
	_, _ = w.Write(result)
	_, _ = io.WriteString(w, "}")
}

// params are a call's, by name. Integers may be texts, as CometBFT's JSON has them.
type params map[string]json.RawMessage

// integer returns a parameter, or the default if it is not there.
func (p params) integer(name string, otherwise int64) (int64, error) {
	raw := p[name]
	if len(raw) == 0 || string(raw) == "null" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(string(bytes.Trim(raw, `"`)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: want an integer", name)
	}
	return n, nil
}

func (p params) text(name string) (s string, err error) {
	if raw := p[name]; len(raw) > 0 {
		if err := json.Unmarshal(raw, &s); err != nil {
			return "", fmt.Errorf("%s: want a text", name)
		}
	}
	return s, nil
}

// bytes decodes base64, or hexadecimal digits.
func (p params) bytes(name string, decode func(string) ([]byte, error)) ([]byte, error) {
	s, err := p.text(name)
	if err != nil {
		return nil, err
	}
	b, err := decode(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

var (
	fromBase64 = base64.StdEncoding.DecodeString
	fromHex    = hex.DecodeString
)

// page is what CometBFT's clients ask lists for.
func (p params) page() (page, size int, err error) {
	n, err1 := p.integer("page", 1)
	k, err2 := p.integer("per_page", 30)
	return int(n), int(min(k, 100)), cmp.Or(err1, err2)
}
