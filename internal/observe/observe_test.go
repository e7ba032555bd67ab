package observe_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"templar/internal/audit"
	"templar/internal/bulletin"
	"templar/internal/clock"
	"templar/internal/dashboard/collect"
	"templar/internal/harness/testnet"
	"templar/internal/observe"
	"templar/internal/schedule"
	"templar/internal/telemetry"
	"templar/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// observer looks at a network with the eyes of a stranger.
func observer(net *testnet.Network, windows int) *observe.Observer {
	x := net.Refreshed("miner-0")
	r := &audit.Records{Run: net.Run, Clock: clock.Wall{}, Chain: x.Chain, Aggregator: x.Aggregator}
	for _, v := range x.Directory.Validators() {
		r.Validators = append(r.Validators, audit.Party{UID: v.UID, Hotkey: v.Hotkey, Stake: v.Stake, Bucket: v.Bucket})
	}
	for _, m := range x.Directory.Candidates() {
		r.Miners = append(r.Miners, audit.Party{UID: m.UID, Hotkey: m.Hotkey, Bucket: m.Bucket})
	}
	s := schedule.Schedule{Params: net.Run.Params, Blocks: x.Chain, Clock: clock.Wall{}}
	return &observe.Observer{
		Records: r, Windows: windows, Neurons: x.Chain,
		Board: &bulletin.Board{Run: net.Run, Schedule: s, Directory: x.Directory},
	}
}

func look(t *testing.T, net *testnet.Network, o *observe.Observer) *observe.Network {
	t.Helper()
	n, err := o.Look(net.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLook(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 3, Validators: 2}, func(net *testnet.Network) {
		net.CommitAll()
		if n := look(t, net, observer(net, 4)); n.Phase != "not announced" || n.Start != nil || n.Final != nil || len(n.Validators) != 2 || len(n.Unread) != 0 {
			t.Errorf("before the announcement: %+v", n)
		}
		net.Start()
		net.RunWindows(5)
		net.Node("miner-2").Stop()
		net.RunWindows(4)
		n := look(t, net, observer(net, 4))
		last := n.Windows[len(n.Windows)-1]
		if len(n.Windows) != 4 || last.Window < net.Window(8) || last.Step != uint64(last.Window-n.Start.Window) || last.Published <= 0 {
			t.Errorf("windows %+v", n.Windows)
		}
		if n.Final == nil || n.Final.State != net.States("miner-0")[n.Final.Window] || 2*n.Final.Stake <= n.Final.Of || n.Final.Window < net.Window(5) {
			t.Errorf("final is %+v", n.Final)
		}
		if n.Loss == nil || n.Loss.Nats < 1 || n.Loss.Miners == 0 || n.HeldOut != nil {
			t.Errorf("loss %+v", n.Loss)
		}
		if n.Peers == nil || len(n.Peers.Selected) == 0 || len(n.Unread) != 0 {
			t.Errorf("peers %+v, unread %q", n.Peers, n.Unread)
		}
		gone := net.Node("miner-2").UID
		for _, m := range n.Miners {
			if m.Utilisation != nil || m.Final == nil || m.Incentive == nil {
				t.Errorf("miner %+v", m)
			}
			if m.UID != gone && (m.In != 4 || m.Verdict != "ok") {
				t.Errorf("miner %+v", m)
			}
			if m.UID == gone && (m.In == 4 || m.Verdict == "ok") {
				t.Errorf("the miner that stopped: %+v", m)
			}
		}
		for _, v := range n.Validators {
			if v.Signed == 0 || v.State != net.States("miner-0")[v.Signed] {
				t.Errorf("validator %+v", v)
			}
		}
	})
}

// What is late is named, and a bucket that does not answer hides no more than itself.
func TestLookAtTrouble(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 2}, func(net *testnet.Network) {
		net.Start()
		net.RunWindows(4)
		net.Node("aggregator-0").Stop()
		net.Wait(4 * net.Run.Params.WindowTime())
		if n := look(t, net, observer(net, 2)); !strings.HasPrefix(n.Phase, "waiting for the aggregates of windows ") {
			t.Errorf("without an aggregator: %s", n.Phase)
		}
		net.Break("aggregator", testnet.Unreachable)
		n := look(t, net, observer(net, 2))
		if len(n.Unread) == 0 || !strings.HasPrefix(n.Unread[0], "the aggregator bucket: ") || n.Start == nil || len(n.Miners) != 2 {
			t.Errorf("%+v", n)
		}
	})
}

// Looks one after another tell a sink each Aggregate and each report once.
func TestEvents(t *testing.T) {
	testnet.Test(t, testnet.Config{Miners: 2, Validators: 1}, func(net *testnet.Network) {
		net.Start()
		c := collect.NewCollector(collect.Meta{})
		published := map[protocol.Window]int{}
		e := observe.Events{Clock: clock.Wall{}, Sink: telemetry.Tee(c, telemetry.SinkFunc(func(e telemetry.Event) {
			if _, is := e.Body.(telemetry.Published); is {
				published[e.Window]++
			}
		}))}
		for range 6 {
			net.RunWindows(1)
			for range 2 {
				e.Report(look(t, net, observer(net, 3)), 1)
			}
		}
		for w, times := range published {
			if times != 1 {
				t.Errorf("window %d was reported %d times", w, times)
			}
		}
		s := c.State()
		if len(published) < 5 || len(s.Nodes) != 4 || s.Block == 0 || !s.Nodes[0].Final.Known() {
			t.Errorf("%d windows; %+v", len(published), s)
		}
	})
}
