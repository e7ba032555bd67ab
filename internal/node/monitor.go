package node

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"templar/internal/admin"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/web"
	"templar/internal/parts"
	"templar/internal/role"
	"templar/internal/store"
	"templar/internal/telemetry"
	"templar/internal/telemetry/prom"
)

// Monitor knows the nodes of a process, for its admin server.
type Monitor struct {
	version string
	clock   clock.Clock
	started time.Time

	mu struct {
		sync.Mutex
		nodes []*monitored // in the order in which they were added
	}
}

type monitored struct {
	work       parts.Worker
	windowTime time.Duration
	traffic    *store.Counters
	ended      bool
}

// NewMonitor returns a monitor without nodes.
func NewMonitor(version string, c clock.Clock) *Monitor {
	return &Monitor{version: version, clock: c, started: c.Now()}
}

// Add makes the monitor show a node. The caller calls ended when its role has ended.
func (m *Monitor) Add(n *Node, w parts.Worker) (ended func()) {
	node := &monitored{work: w, windowTime: n.Run.Params.WindowTime(), traffic: n.Traffic}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.nodes = append(m.mu.nodes, node)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		node.ended = true
	}
}

// ProcessStatus is what /status shows.
type ProcessStatus struct {
	Version string       `json:"version"`
	PID     int          `json:"pid"`
	Started time.Time    `json:"started"`
	Health  admin.Health `json:"health"`
	Nodes   []NodeStatus `json:"nodes"`
}

// NodeStatus is the status of one node.
type NodeStatus struct {
	role.Status
	Ready  bool          `json:"ready"`
	Reason string        `json:"reason,omitempty"` // why it is not ready
	Store  TrafficStatus `json:"object_store"`
}

// TrafficStatus counts a process's requests to object stores.
type TrafficStatus struct {
	Requests  int64 `json:"requests"`
	Errors    int64 `json:"errors"`
	BytesUp   int64 `json:"bytes_up"`
	BytesDown int64 `json:"bytes_down"`
}

// Status returns the status of all nodes.
func (m *Monitor) Status() ProcessStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	s := ProcessStatus{Version: m.version, PID: os.Getpid(), Started: m.started, Nodes: []NodeStatus{}}
	for _, n := range m.mu.nodes {
		node := NodeStatus{Status: n.work.Status()}
		if node.Ready, node.Reason = node.Status.Ready(now, n.windowTime); n.ended && node.Phase != "done" {
			node.Ready, node.Reason = false, "ended"
		}
		if t := n.traffic; t != nil {
			c := t.Snapshot()
			node.Store = TrafficStatus{Requests: c.Requests, Errors: c.Errors, BytesUp: c.BytesUp, BytesDown: c.BytesDown}
		}
		s.Nodes = append(s.Nodes, node)
	}
	order := []telemetry.Role{telemetry.Aggregator, telemetry.Validator, telemetry.Miner, telemetry.Evaluator}
	slices.SortStableFunc(s.Nodes, func(a, b NodeStatus) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Role), slices.Index(order, b.Role)), cmp.Compare(a.UID, b.UID), cmp.Compare(a.Node, b.Node))
	})
	s.Health = health(s.Nodes, now)
	return s
}

// Health is the health of the nodes together: ready when all are. The window is the earliest of
// their last ones.
func (m *Monitor) Health() admin.Health { return m.Status().Health }

func health(nodes []NodeStatus, now time.Time) admin.Health {
	h := admin.Health{Live: true, Ready: len(nodes) > 0}
	if !h.Ready {
		h.Reason = "starting"
	}
	var why []string
	first := true
	for _, n := range nodes {
		if !n.Ready {
			h.Ready = false
			why = append(why, n.Node+": "+n.Reason)
		}
		if n.Reason == "ended" {
			h.Live = false
		}
		if d := n.Done; d != nil && (first || uint64(d.Window) < h.Window) {
			h.Window, h.Ago, first = uint64(d.Window), now.Sub(d.Time).Seconds(), false
		}
	}
	if len(why) > 0 {
		slices.Sort(why)
		h.Reason = strings.Join(why, "; ")
	}
	return h
}

// console is the admin server of a node that runs in a process of its own. A nil one is none.
type console struct{ server *admin.Server }

// openConsole starts to listen, and adds to env what feeds the server. It returns nil when the
// configuration wants no server, or when env has a monitor: its owner has a server for all.
func openConsole(c config.Node, env *Env) (*console, error) {
	if c.Admin.Address == config.AdminOff || c.Admin.Address == "" || env.Monitor != nil {
		return nil, nil
	}
	metrics, m := prom.New(env.Version), NewMonitor(env.Version, env.Clock)
	env.Monitor = m
	events := collect.NewCollector(metaOf(c))
	env.Sink = telemetry.Tee(env.Sink, metrics, events)
	env.Log = slog.New(slog.NewMultiHandler(env.Log.Handler(), events.LogHandler(slog.LevelWarn)))
	s, err := admin.Listen(c.Admin.Address, admin.Options{
		Metrics: metrics.Handler(), Status: func() any { return m.Status() }, Health: m.Health,
		Profile: c.Admin.Profile, Page: web.New(events, env.Clock, web.Options{Title: c.Name, Version: env.Version}), Hosts: c.Admin.Hosts, Log: env.Log,
	})
	if err != nil {
		return nil, err
	}
	env.Log.Info("admin server", "url", s.URL())
	return &console{server: s}, nil
}

// metaOf is what is known of a run before the node has joined it. A file that cannot be read is
// reported by the node.
func metaOf(c config.Node) collect.Meta {
	m := collect.Meta{Windows: int(c.Options.Windows), UnigramEntropy: math.NaN(), DataDir: c.DataDir}
	if p, err := LoadParams(c.Run); err == nil {
		m.BlocksPerWindow, m.BlockTime = p.BlocksPerWindow, p.BlockTime()
	}
	return m
}

// run serves until ctx ends. A failure ends the server alone: a node works without it.
func (c *console) run(ctx context.Context, env Env) {
	if err := c.server.Run(ctx); err != nil {
		env.Log.Warn("no admin server any more", "err", err)
	}
}

// announce writes the server's address into a node's data directory, once the node holds it.
func (c *console) announce(dir string, env Env) (remove func()) {
	if c == nil {
		return func() {}
	}
	remove, err := c.server.Announce(dir)
	if err != nil {
		env.Log.Warn("templar status DIR will not find the admin server", "err", err)
		return func() {}
	}
	return remove
}
