//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"templar/internal/aggregator"
	"templar/internal/attest"
	"templar/internal/checkpoint"
	"templar/internal/directory"
	"templar/internal/engine"
	"templar/internal/harness"
	"templar/internal/harness/s3site"
	"templar/internal/mailbox"
	"templar/internal/memory"
	"templar/internal/model"
	"templar/internal/parts"
	"templar/internal/replica"
	"templar/internal/role"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/store/fs"
	"templar/internal/telemetry"
	"templar/method"
	"templar/protocol"
	"templar/wire"
)

const (
	start = s3site.Start
	// patience is for transfers, and for what was uploaded before the role began.
	patience = 2 * time.Hour
)

// child is what a process of the bench does.
func child(ctx context.Context, text string, stdout io.Writer) error {
	var s spec
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	memory.Limit(s.Budget/10*9, os.Getenv) // as a node does
	if s.What == "serve" {
		return s.serve(ctx, stdout)
	}
	n, err := s.open(ctx, stdout)
	if err != nil {
		return err
	}
	defer n.site.Close()
	err = n.do(ctx)
	if errors.Is(err, errLast) {
		return nil
	}
	return err
}

// serve runs an S3 server with an endpoint for each rate.
func (s *spec) serve(ctx context.Context, stdout io.Writer) error {
	server, err := s3site.Open(filepath.Join(s.Dir, "store"), s.Peers)
	if err != nil {
		return err
	}
	endpoints := make(map[string]string)
	g, ctx := errgroup.WithContext(ctx)
	for _, rate := range append([]string{s.Server}, s.Rates...) {
		if endpoints[rate] != "" {
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		bits, err := strconv.ParseFloat(rate, 64)
		if err != nil {
			return err
		}
		endpoints[rate] = "http://" + l.Addr().String()
		g.Go(func() error { return server.Serve(ctx, shape(l, 1e6*bits)) })
	}
	if err := json.NewEncoder(stdout).Encode(endpoints); err != nil {
		return err
	}
	return g.Wait()
}

// node is what a role's process works with.
type node struct {
	spec
	site  *s3site.Site
	parts parts.Parts // of an aggregator
	local store.Bucket
	out   *json.Encoder

	breaker *breaker // may be nil
}

// open makes the site of a role: the same run in each process of it.
func (s *spec) open(ctx context.Context, stdout io.Writer) (*node, error) {
	p, err := protocol.Preset(s.Preset)
	if err != nil {
		return nil, err
	}
	// What others have uploaded before the role begins is in time. Only these two values differ from the preset.
	p.SlackSeconds = patience.Seconds()
	p.BlockSeconds += p.SlackSeconds/float64(p.BlocksPerWindow) + 1
	if err := s.stateTheta0(&p); err != nil {
		return nil, err
	}
	n := &node{spec: *s, out: json.NewEncoder(stdout)}
	if n.site, err = s3site.New(ctx, s3site.Config{
		Endpoint: s.Endpoints[s.Server], Miners: s.Peers, Aggregators: 1, Params: p, Unannounced: s.begins(),
	}); err != nil {
		return nil, err
	}
	a := s3site.Aggregator{Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))}
	if s.Kind == "aggregator" && s.What == "run" && s.Break > 0 {
		var bucket store.Bucket
		if n.breaker, bucket, err = n.throughBreaker(ctx, int64(s.Break)*1e6); err != nil {
			return nil, err
		}
		a.Disturb = func(store.Bucket) store.Bucket { return bucket }
	}
	if n.parts, err = n.site.Parts(ctx, 0, a); err != nil {
		return nil, err
	}
	dir, err := fs.Open(filepath.Join(s.Dir, "node"), fs.Options{Fsync: true})
	if err != nil {
		return nil, err
	}
	if s.What == "prepare" {
		err = dir.CreateBucket("state")
	}
	n.local = dir.Bucket("state")
	return n, err
}

func (n *node) do(ctx context.Context) error {
	type steps struct{ prepare, run func(context.Context) error }
	s := map[string]steps{
		"announce":   {nothing, n.announce},
		"join":       {n.announce, n.join},
		"import":     {nothing, n.announce},
		"fetch":      {n.announce, n.join},
		"miner":      {n.publish, n.miner},
		"restart":    {n.leave, n.restart},
		"aggregator": {n.upload, n.aggregator},
		"validator":  {n.upload, n.validator},
	}[n.Kind]
	if n.What == "prepare" {
		return s.prepare(ctx)
	}
	if err := s.run(ctx); err != nil {
		return err
	}
	return n.out.Encode(line{Peak: peak()})
}

func nothing(context.Context) error { return nil }

// errLast ends a role after the last phase that is wanted.
var errLast = errors.New("the last phase has ended")

// phase measures a phase.
func (n *node) phase(name string, bytes func() int64, do func() error) error {
	return n.over(name, "", bytes, do)
}

// over measures a phase over a link.
func (n *node) over(name, rate string, bytes func() int64, do func() error) error {
	if n.What == "prepare" {
		return do()
	}
	l := line{Phase: name, Begins: true}
	if rate != "" {
		l.Phase += " " + rate
	}
	if err := n.out.Encode(l); err != nil {
		return err
	}
	resetPeak()
	began, cpu := time.Now(), cpuTime()
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", l.Phase, err)
	}
	l.Begins, l.Seconds, l.CPU, l.Peak = false, time.Since(began).Seconds(), (cpuTime() - cpu).Seconds(), peak()
	if bytes != nil {
		l.Bytes = bytes()
	}
	if err := n.out.Encode(l); err != nil {
		return err
	}
	if name == n.Last && (rate == "" || rate == n.Rates[len(n.Rates)-1]) {
		return errLast
	}
	return nil
}

// none is a phase without traffic.
var none func() int64

// at opens a bucket over a link, as a node does.
func (n *node) at(rate, bucket string) (store.Bucket, error) {
	b, err := n.site.BucketAt(n.Endpoints[rate], bucket)
	if err != nil {
		return nil, err
	}
	return parts.Steady(b, 0, store.RetryPolicy{}, n.parts.Clock), nil
}

// gradient is a payload of theta_0, which is as dense as any.
func (n *node) gradient() (method.Payload, error) {
	return n.site.Run.Method.Encode(model.Init(n.site.Run.Params.Model, 1))
}

// publish makes a chain of Aggregates of one gradient.
func (n *node) publish(ctx context.Context) error {
	p, err := n.gradient()
	if err != nil {
		return err
	}
	r := n.site.Run
	body := r.Method.Reduce([]method.Payload{p}).Bytes()
	announced := n.site.Announcement()
	var previous protocol.Hash
	for w := start; w < start+protocol.Window(n.Windows); w++ {
		raw, err := wire.EncodeAggregate(&wire.Aggregate{
			Run: r.Hash, Window: w, Start: start, Origin: announced.Hash(), UploadFrom: time.Now(), Delta: r.Params.Delta(),
			LearningRate: r.Method.Rate(r.Params.Step(start, w)), Previous: previous,
			Included: []wire.Included{{UID: 1}}, Aggregator: n.parts.Signer.Hotkey(), Body: body,
		}, r.Format(), n.parts.Signer)
		if err == nil {
			err = store.PutBytes(ctx, n.parts.Aggregator, protocol.AggregateKey(w, 0), raw, store.PutOptions{})
		}
		if err != nil {
			return err
		}
		previous = wire.AggregateHash(raw)
	}
	return nil
}

// leave publishes, and saves the state that a miner had at the start.
func (n *node) leave(ctx context.Context) error {
	if err := n.publish(ctx); err != nil {
		return err
	}
	debug.FreeOSMemory()
	trainer := n.site.Run.Method.NewTrainer(newSynthetic(n.site.Run.Space.Layout()))
	private, err := trainer.Save(ctx)
	if err != nil {
		return err
	}
	_, _, err = n.saver().Save(ctx, n.local, checkpoint.State{Start: start, Next: start, Params: model.Init(n.site.Run.Params.Model, 1), Private: private})
	return err
}

// saver writes checkpoints; the aggregator's key will do.
func (n *node) saver() checkpoint.Saver { return n.parts.Saver() }

// upload stores the peers' gradients and keys.
func (n *node) upload(ctx context.Context) error {
	_, err := n.site.Upload(ctx, start)
	return err
}

// drawn draws theta_0 and takes it in.
func (n *node) drawn() (*replica.Replica, error) {
	var params []float32
	err := n.phase("theta_0", none, func() error {
		params = model.Init(n.site.Run.Params.Model, n.site.Run.Params.Seed)
		return nil
	})
	return replica.New(n.site.Run, n.site.Announcement(), replica.Head{Next: start}, params), err
}

// miner is a miner's window, from the first batch to the state that it saves.
func (n *node) miner(ctx context.Context) error {
	if err := n.site.AdvanceTo(start + 2); err != nil {
		return err
	}
	r := n.site.Run
	state, err := n.drawn()
	if err != nil {
		return err
	}
	trainer := r.Method.NewTrainer(newSynthetic(r.Space.Layout()))
	loss := engine.Loss{}
	err = n.phase("accumulate", none, func() error {
		if err := trainer.Begin(ctx, 0, state.Params()); err != nil {
			return err
		}
		loss, err = trainer.Batch(ctx, n.batch())
		return err
	})
	if err != nil {
		return err
	}
	var body, sealed []byte
	if err := n.phase("compress", func() int64 { return int64(len(body)) }, func() error {
		body, err = trainer.Payload(ctx)
		return err
	}); err != nil {
		return err
	}
	if err := n.phase("seal", func() int64 { return int64(len(sealed)) }, func() error {
		raw, err := wire.EncodeGradient(&wire.Gradient{
			Run: r.Hash, Window: start, UID: n.site.UID(0), Hotkey: n.parts.Signer.Hotkey(), Pages: []uint64{1}, Tokens: uint64(loss.Tokens), Body: body,
		}, r.Format(), wire.GradientKey{1}, n.parts.Signer)
		sealed, _, _ = wire.SplitGradient(raw)
		return err
	}); err != nil {
		return err
	}
	for i, rate := range n.Rates {
		own, err := n.at(rate, "miner-0")
		if err != nil {
			return err
		}
		err = n.over("upload", rate, func() int64 { return int64(len(sealed)) }, func() error {
			return store.PutBytes(ctx, own, protocol.GradientKey(start+protocol.Window(i), n.site.UID(0)), sealed, store.PutOptions{})
		})
		if err != nil {
			return err
		}
	}
	if err := n.phase("feedback", none, func() error { return trainer.Stored(ctx) }); err != nil {
		return err
	}
	agg, hash, err := n.fetch(ctx)
	if err != nil {
		return err
	}
	own, err := n.site.Bucket("miner-0")
	if err != nil {
		return err
	}
	if err := n.take(ctx, state, agg, hash, own); err != nil {
		return err
	}
	var size int64
	return n.phase("checkpoint", func() int64 { return size }, func() error {
		private, err := trainer.Save(ctx)
		if err != nil {
			return err
		}
		_, size, err = n.saver().Save(ctx, n.local, checkpoint.State{
			Start: start, Next: state.Next(), Previous: state.Previous(), Params: state.Params(), Hash: state.StateHash, Private: private,
		})
		return err
	})
}

// batch is one batch of the run.
func (n *node) batch() engine.Batch {
	p := n.site.Run.Params
	tokens := make([]int32, p.BatchSize*p.SequenceLength)
	return engine.Batch{Rows: p.BatchSize, Cols: p.SequenceLength, Inputs: tokens, Targets: tokens}
}

// fetch reads and verifies the Aggregate over each link.
func (n *node) fetch(ctx context.Context) (agg *run.Aggregate, hash protocol.Hash, err error) {
	for _, rate := range n.Rates {
		from := n.parts.Aggregates()
		if from.Bucket, err = n.at(rate, harness.AggregatorBucket); err != nil {
			return nil, hash, err
		}
		agg = nil // it is large
		var size int64
		err = n.over("fetch", rate, func() int64 { return size }, func() error {
			var v protocol.Verdict
			if agg, hash, size, v = from.Fetch(ctx, start, 0, time.Now().Add(patience)); !v.OK() {
				return fmt.Errorf("the Aggregate is %s", v)
			}
			return nil
		})
		if err != nil {
			return nil, hash, err
		}
	}
	return agg, hash, nil
}

// take applies an Aggregate, hashes the state and shows a sample of it.
func (n *node) take(ctx context.Context, state *replica.Replica, agg *run.Aggregate, hash protocol.Hash, own store.Bucket) error {
	if err := n.phase("apply", none, func() error { return state.Commit(agg, hash) }); err != nil {
		return err
	}
	if err := n.phase("hash", none, func() error { state.StateHash(); return nil }); err != nil {
		return err
	}
	return n.phase("sample", none, func() error {
		outbox := &mailbox.Outbox{Run: n.site.Run, Schedule: n.parts.Schedule(), Bucket: own, Signer: n.parts.Signer}
		return attest.Samples{Run: n.site.Run, Schedule: n.parts.Schedule()}.Post(ctx, outbox, state.State())
	})
}

// restart is a miner that comes back.
func (n *node) restart(ctx context.Context) error {
	target := start + protocol.Window(n.Windows)
	if err := n.site.AdvanceTo(target + 1); err != nil {
		return err
	}
	r := n.site.Run
	var s checkpoint.State
	var err error
	if err := n.phase("restore", none, func() error {
		s, err = checkpoint.LoadOwn(ctx, n.local, r, start, n.parts.Signer.Hotkey())
		return err
	}); err != nil {
		return err
	}
	trainer := r.Method.NewTrainer(newSynthetic(r.Space.Layout()))
	if err := trainer.Load(ctx, s.Private); err != nil {
		return err
	}
	state := replica.New(r, n.site.Announcement(), replica.Head{Next: s.Next, Previous: s.Previous, Term: s.Term}, s.Params)
	var size int64
	return n.phase("catch-up", func() int64 { return size }, func() error {
		done, err := state.Follow(ctx, n.parts.Source(), target, time.Now().Add(patience), func(_ *run.Aggregate, _ protocol.Hash, n int64) error {
			size += n
			state.StateHash()
			return nil
		})
		if err == nil && !done {
			err = errors.New("an Aggregate is missing")
		}
		return err
	})
}

// published keeps the event of the window, and what had been sent by then.
type published struct {
	telemetry.Published
	breaker *breaker
	sent    int64
}

// Emit takes the aggregator's events, which come from one goroutine.
func (p *published) Emit(e telemetry.Event) {
	if b, ok := e.Body.(telemetry.Published); ok {
		p.Published, p.sent = b, b.Bytes
		if p.breaker != nil {
			p.sent = p.breaker.sent.Load()
		}
	}
}

// aggregator is the real role for one window, whose gradients are all there.
func (n *node) aggregator(ctx context.Context) error {
	if err := n.site.AdvanceTo(start + 1); err != nil {
		return err
	}
	p := published{breaker: n.breaker}
	x := n.parts
	x.Events.Sink = &p
	if err := n.out.Encode(line{Phase: "window", Begins: true}); err != nil {
		return err
	}
	resetPeak()
	began, cpu := time.Now(), cpuTime()
	if err := aggregator.New(role.Config{Windows: 1}, x.ForAggregator()).Run(ctx); err != nil {
		return err
	}
	if len(p.Included) != n.Peers {
		return fmt.Errorf("%d of %d gradients are in the Aggregate: %s", len(p.Included), n.Peers, telemetry.Skipped(p.Skipped))
	}
	all := line{Phase: "archive", Seconds: (time.Since(began) - p.Gather - p.Aggregate - p.Publish).Seconds(), CPU: (cpuTime() - cpu).Seconds(), Peak: peak()}
	for _, l := range []line{
		{Phase: "gather", Seconds: p.Gather.Seconds()},
		{Phase: "aggregate", Seconds: p.Aggregate.Seconds()},
		{Phase: "publish", Seconds: p.Publish.Seconds(), Bytes: p.sent},
		all, // the CPU time and the memory of the whole window
	} {
		if err := n.out.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// trials is how many gradients a validator measures in a window.
func trials(p *protocol.Params) int { return p.UIDsPerWindow + p.UnprovenPerWindow }

// validator is a validator's window.
func (n *node) validator(ctx context.Context) error {
	if err := n.site.AdvanceTo(start + 2); err != nil {
		return err
	}
	r := n.site.Run
	state, err := n.drawn()
	if err != nil {
		return err
	}
	if err := n.parts.Directory.Refresh(ctx); err != nil {
		return err
	}
	end, err := n.parts.Schedule().EndOf(ctx, start)
	if err != nil {
		return err
	}
	var payloads []mailbox.Payload
	gatherer := n.parts.Gatherer()
	for _, rate := range n.Rates {
		var peers []directory.Peer
		for i := range n.Peers {
			p, ok := n.parts.Directory.Peer(n.site.UID(i))
			if !ok {
				return fmt.Errorf("miner %d is not in the directory", i)
			}
			if p.Bucket, err = n.site.BucketAt(n.Endpoints[rate], fmt.Sprintf("miner-%d", i)); err != nil {
				return err
			}
			peers = append(peers, p)
		}
		payloads = nil // they are large
		err := n.over("gather", rate, func() (sum int64) {
			for _, p := range payloads {
				sum += p.Bytes
			}
			return sum
		}, func() error {
			payloads = gatherer.Gather(ctx, start, peers, r.Params.UploadBounds(end.Time), time.Now().Add(patience))
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	closed, err := n.close(ctx, end.Time, payloads)
	if err != nil {
		return err
	}
	if err := n.phase("open", none, func() error {
		payloads = gatherer.Reveal(ctx, start, payloads, closed, time.Now().Add(patience))
		return n.whole(payloads)
	}); err != nil {
		return err
	}
	var update method.Update
	if err := n.phase("aggregate", none, func() error { update = mailbox.Fold(r.Method, payloads); return nil }); err != nil {
		return err
	}
	if err := n.trials(ctx, state.Params(), payloads); err != nil {
		return err
	}
	payloads = nil
	origin := n.site.Announcement()
	agg := &run.Aggregate{Update: update, Aggregate: wire.Aggregate{
		Run: r.Hash, Window: start, Start: start, Origin: origin.Hash(), LearningRate: r.Method.Rate(0),
	}}
	own, err := n.site.Bucket("validator")
	if err != nil {
		return err
	}
	if err := n.take(ctx, state, agg, protocol.Hash{1}, own); err != nil {
		return err
	}
	var size int64
	return n.phase("checkpoint", func() int64 { return size }, func() error {
		_, size, err = n.saver().Save(ctx, own, checkpoint.State{
			Start: start, Next: state.Next(), Previous: state.Previous(), Params: state.Params(), Hash: state.StateHash,
		})
		return err
	})
}

// close publishes a closing statement of all gradients.
func (n *node) close(ctx context.Context, end time.Time, payloads []mailbox.Payload) (*mailbox.Closed, error) {
	raw, err := wire.EncodeClosing(&wire.Closing{
		Run: n.site.Run.Hash, Window: start, Aggregator: n.parts.Signer.Hotkey(), UploadFrom: end, Listed: mailbox.Listed(payloads),
	}, n.parts.Signer)
	if err != nil {
		return nil, err
	}
	if _, err := n.parts.Aggregator.Put(ctx, protocol.ClosingKey(start), bytes.NewReader(raw), int64(len(raw)), store.PutOptions{}); err != nil {
		return nil, err
	}
	c, v := n.parts.Aggregates().ClosingNow(ctx, start)
	if !v.OK() {
		return nil, fmt.Errorf("the closing statement is %s", v)
	}
	return c, nil
}

// whole is an error when a gradient is not valid.
func (n *node) whole(payloads []mailbox.Payload) error {
	if i := slices.IndexFunc(payloads, func(p mailbox.Payload) bool { return !p.Verdict.OK() }); i >= 0 {
		return fmt.Errorf("the gradient of uid %d is %s", payloads[i].Peer.UID, payloads[i].Verdict)
	}
	return nil
}

// trials takes the trial step of each measured gradient, and takes it back.
func (n *node) trials(ctx context.Context, params []float32, payloads []mailbox.Payload) error {
	r := n.site.Run
	e := newSynthetic(r.Space.Layout())
	defer e.Close()
	before := r.Space.Hash(params)
	err := n.phase("trials", none, func() error {
		if err := e.Load(ctx, params); err != nil {
			return err
		}
		for i := range trials(r.Params) {
			undo, err := r.Method.Trial(payloads[i%len(payloads)].Gradient.Payload, 0).Try(ctx, e)
			if err != nil {
				return err
			}
			if err := undo(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && r.Space.Hash(params) != before {
		err = errors.New("the trial steps changed the parameters")
	}
	return err
}
