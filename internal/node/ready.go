package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"templar/internal/chain"
	"templar/internal/config"
	"templar/internal/data"
	"templar/internal/directory"
	"templar/internal/memory"
	"templar/internal/parts"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/store/check"
	"templar/internal/telemetry"
	"templar/internal/userfile"
	"templar/internal/wallet"
	"templar/protocol"
)

// answerTime bounds each question that Ready asks over the network.
const answerTime = 15 * time.Second

// Ready checks, in the order in which an operator can mend it, whether a node could start from a
// configuration: its settings, hotkey, run parameters, memory, device, data directory, chain, registration, clock and
// buckets. It starts no role, registers nothing, and locks only a bucket in a directory, while it writes there. Each result is
// reported as it comes; ok is false when one failed.
func Ready(ctx context.Context, c config.Node, role telemetry.Role, env Env, report func(check.Result)) (ok bool) {
	r := &readiness{ctx: ctx, c: c, role: role, env: env, report: report, ok: true}
	r.node()
	return r.ok && ctx.Err() == nil
}

// HasFiles is the part of Ready that reads files only: settings, hotkey, run parameters and memory.
func HasFiles(c config.Node, role telemetry.Role, env Env, report func(check.Result)) (ok bool) {
	r := &readiness{c: c, role: role, env: env, report: report, ok: true}
	r.files()
	return r.ok
}

func (r *readiness) files() *wallet.Wallet {
	r.settings()
	hotkey := r.hotkey()
	r.run()
	if r.role == telemetry.Aggregator {
		r.aggregates(hotkey)
	}
	return hotkey
}

type readiness struct {
	ctx    context.Context
	c      config.Node
	role   telemetry.Role
	env    Env
	report func(check.Result)
	ok     bool

	loaded   *run.Run // nil: its file cannot be read
	answers  bool     // the chain does
	up, down float64  // rates of the bucket that the node writes to, in bytes a second; 0: not measured
}

// node takes all steps of Ready.
func (r *readiness) node() {
	hotkey := r.files()
	r.device()
	r.directory()
	r.chain(hotkey)
	switch r.role {
	case telemetry.Miner, telemetry.Validator:
		own := r.c.Buckets.Gradients
		r.trusted(own.Endpoint)
		r.writes("own bucket", own.Writing(), own.Reading())
	}
	if r.role != telemetry.Aggregator {
		r.dataset()
	}
	if aggregator := r.c.Buckets.Aggregator; r.role == telemetry.Aggregator {
		r.writes("aggregator bucket", aggregator.Location(), store.Location{})
	} else {
		r.reads("aggregator", aggregator)
	}
}

func (r *readiness) result(name string, status check.Status, fix, format string, args ...any) {
	r.ok = r.ok && status != check.Fail
	r.report(check.Result{Name: name, Status: status, Detail: fmt.Sprintf(format, args...), Fix: fix})
}

// settings reports each setting that is missing or wrong.
func (r *readiness) settings() {
	err := r.c.Validate(r.role, r.env.Build())
	if err == nil {
		r.result("settings", check.OK, "", "complete")
		return
	}
	for line := range strings.Lines(err.Error()) {
		fault, fix, _ := strings.Cut(strings.TrimSpace(line), ": set ")
		if fix != "" {
			fix = "set " + fix
		}
		r.result("settings", check.Fail, fix, "%s", fault)
	}
}

func (r *readiness) hotkey() *wallet.Wallet {
	w := r.c.Wallet
	hotkey, err := wallet.Load(w.Path, w.Name, w.Hotkey)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.result("hotkey", check.Fail, fmt.Sprintf("templar wallet new --wallet.path %s --wallet.name %s --wallet.hotkey %s", w.Path, w.Name, w.Hotkey), "there is none of this name")
	case err != nil:
		r.result("hotkey", check.Fail, "", "%v", err)
	default:
		r.result("hotkey", check.OK, "", "%v", hotkey)
	}
	return hotkey
}

// run checks the run's file, and that the machine can hold the role.
func (r *readiness) run() {
	if r.c.Run == "" {
		return // a missing setting
	}
	loaded, err := r.env.LoadRun(r.c.Run)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.result("run", check.Fail, "get the file of the run's parameters from its owner", "%s does not exist", r.c.Run)
		return
	case err != nil:
		r.result("run", check.Fail, "", "%v", err)
		return
	}
	r.loaded = &loaded
	r.result("run", check.OK, "", "%q, hash %v", loaded.Params.Run, loaded.Hash)
	r.memory(loaded)
}

func (r *readiness) memory(loaded run.Run) {
	size, err := userfile.Size(r.c.Options.Memory)
	if err != nil {
		return // a wrong setting
	}
	needs, err := r.env.Memory(r.role, loaded, r.c.Options.Device, r.c.Options.Threads)
	if err != nil {
		return
	}
	has := memory.Budget(size)
	if has > 0 && needs.Least > has {
		r.result("memory", check.Fail, "take a machine with more, or another run", "a %s needs %s, and may use %s", r.role, memory.Format(needs.Least), memory.Format(has))
		return
	}
	device := ""
	if needs.Device > 0 {
		device = fmt.Sprintf("; on the device %s, and what a batch takes", memory.Format(needs.Device))
	}
	r.result("memory", check.OK, "", "needs %s, makes use of up to %s%s", memory.Format(needs.Least), memory.Format(needs.Most), device)
}

// device opens the device of the node's engine, and compares its memory with the state of the run's model.
func (r *readiness) device() {
	name := r.c.Options.Device
	kind, err := r.env.engine(name)
	if err != nil || kind.Probe == nil || !parts.Of(r.role).Model {
		return // a wrong setting, or the processor
	}
	what, free, err := kind.Probe(r.ctx, name)
	if err != nil {
		r.result("device", check.Fail, fmt.Sprintf("templar doctor --device %s shows what is there", name), "%s: %v", name, err)
		return
	}
	if r.loaded != nil && free > 0 {
		if state := memory.State(r.role, *r.loaded); state > free {
			r.result("device", check.Fail, "end other programs on it (nvidia-smi lists them), or take more devices (cuda:all) or a larger one",
				"%s has %s free, and the state of a %s takes %s", what, memory.Format(free), r.role, memory.Format(state))
			return
		}
	}
	r.result("device", check.OK, "", "%s", what)
}

// directory finds out whether the data directory can be written.
func (r *readiness) directory() {
	err := os.MkdirAll(r.c.DataDir, 0o700)
	var probe *os.File
	if err == nil {
		probe, err = os.CreateTemp(r.c.DataDir, ".probe-*")
	}
	if err != nil {
		r.result("data directory", check.Fail, "choose another with --data-dir, or change its owner", "%v", err)
		return
	}
	if err = errors.Join(probe.Close(), os.Remove(probe.Name()), DataFolder.Check(r.c.DataDir)); err != nil {
		r.result("data directory", check.Fail, "", "%v", err)
		return
	}
	r.result("data directory", check.OK, "", "%s can be written", r.c.DataDir)
}

// chain checks the chain's answer, this machine's clock and the registration.
func (r *readiness) chain(hotkey *wallet.Wallet) {
	if r.c.Chain.Endpoint == "" {
		return // a missing setting
	}
	ctx, cancel := context.WithTimeout(r.ctx, answerTime)
	defer cancel()
	err := Refused(ctx, r.c.Chain.Endpoint)
	var client ChainConn
	if err == nil {
		client, err = r.env.Chain(ctx, r.c.Chain, r.env.Clock, slog.New(slog.DiscardHandler))
	}
	var head chain.Block
	if err == nil {
		defer client.Close()
		head, err = client.Head(ctx)
	}
	if err != nil {
		r.result("chain", check.Fail, "start the chain's node, or correct the address", "%s: %v", r.c.Chain.Endpoint, err)
		return
	}
	r.answers = true
	r.result("chain", check.OK, "", "%s is at block %d", r.c.Chain.Endpoint, head.Number)
	r.blockTime(ctx, client, head)
	if ahead, err := chain.Skew(ctx, client, r.env.Clock); err == nil && ahead.Abs() > 2*time.Second {
		r.result("clock", check.Fail, "synchronise this machine's clock, with chrony for example", "%v ahead of the chain's", ahead.Round(time.Millisecond))
	} else if err == nil {
		r.result("clock", check.OK, "", "within %v of the chain's", max(ahead.Abs(), time.Millisecond).Round(time.Millisecond))
	}
	if hotkey == nil || !parts.Of(r.role).Member {
		return
	}
	uid, err := directory.Registered(ctx, client, hotkey.Hotkey())
	if err != nil {
		w := r.c.Wallet
		r.result("registration", check.Fail, fmt.Sprintf("templar chain register --subtensor.chain_endpoint %s --netuid %d --wallet.path %s --wallet.name %s --wallet.hotkey %s",
			r.c.Chain.Endpoint, r.c.Chain.NetUID, w.Path, w.Name, w.Hotkey), "%v", err)
		return
	}
	r.result("registration", check.OK, "", "uid %d", uid)
	if r.role == telemetry.Validator {
		r.permit(ctx, client, uid)
	}
}

// permit finds out whether the chain counts the validator as one.
func (r *readiness) permit(ctx context.Context, c chain.Chain, uid protocol.UID) {
	graph, err := c.Metagraph(ctx)
	if err != nil {
		return // it was read just before
	}
	for _, n := range graph.Neurons {
		switch {
		case n.UID != uid:
		case n.Permit:
			r.result("permit", check.OK, "", "a validator with stake %d", n.Stake)
		case n.Stake == 0:
			r.result("permit", check.Fail, "get stake: on a chain of your own an authority gives it with \"templar chain stake\"", "no stake, and so no validator's permit")
		default:
			r.result("permit", check.Fail, "wait for the end of the chain's epoch: \"templar chain metagraph\" shows the permit", "stake %d, and no validator's permit yet: weights and announcements do not count", n.Stake)
		}
	}
}

// someBlocks is over how many of the newest blocks their time is measured.
const someBlocks = 50

// blockTime compares the chain's blocks with those that the run's deadlines are made for.
func (r *readiness) blockTime(ctx context.Context, client chain.Chain, head chain.Block) {
	if r.loaded == nil || head.Number < 2 {
		return
	}
	n := min(head.Number-1, someBlocks)
	first, err := client.Block(ctx, head.Number-n)
	if err != nil {
		return // pruned
	}
	p := *r.loaded.Params
	stated := p.BlockTime()
	took := head.Time.Sub(first.Time) / time.Duration(n)
	p.BlockSeconds = took.Seconds()
	switch {
	case p.WindowTime() < p.Delta()+p.Slack()+p.Gather()+p.Reveal()+p.Publication():
		r.result("block time", check.Fail, "raise blocks_per_window or block_seconds in the run parameters", "a block takes %v, the run states %v: its deadlines do not fit in a window", took.Round(time.Millisecond), stated)
	case took < stated*9/10 || took > stated*11/10:
		r.result("block time", check.Warn, "state the chain's time as block_seconds", "a block takes %v, the run states %v", took.Round(time.Millisecond), stated)
	default:
		r.result("block time", check.OK, "", "%v, over %d blocks", took.Round(time.Millisecond), n)
	}
}

// aggregates finds out whether the run takes Aggregates of the hotkey.
func (r *readiness) aggregates(hotkey *wallet.Wallet) {
	if r.loaded == nil || hotkey == nil {
		return
	}
	if !slices.Contains(r.loaded.Params.Aggregators, hotkey.Hotkey()) {
		r.result("aggregators", check.Fail, "use one of their hotkeys, or list this one before the run begins", "the run lists %v, not %v", r.loaded.Params.Aggregators, hotkey.Hotkey())
		return
	}
	r.result("aggregators", check.OK, "", "the run lists this hotkey")
}

// trusted finds out whether peers read a bucket there.
func (r *readiness) trusted(endpoint string) {
	if r.loaded == nil || endpoint == "" {
		return
	}
	if p := r.loaded.Params; !p.TrustsStore(endpoint) {
		r.result("store", check.Fail, "take a bucket at one of these", "%s is not one of the run's stores %v: no peer would read it", endpoint, p.Stores)
		return
	}
	r.result("store", check.OK, "", "%s is one of the run's", endpoint)
}

// writes runs the checks of "templar store check" with the key that writes and, unless it is zero, the one that others read
// with, and reports what is not in order.
func (r *readiness) writes(name string, own, asPeer store.Location) {
	if own.Endpoint == "" || own.Bucket == "" {
		return
	}
	d := r.env.Buckets()
	defer d.Close()
	w, release, err := d.DialOwn(own)
	if err != nil {
		r.result(name, check.Fail, "stop the node that uses it, or correct the settings", "%v", err)
		return
	}
	defer release()
	c := check.Config{Write: w, Clock: r.env.Clock}
	if asPeer.AccessKey != "" {
		if c.Read, err = d.Dial(asPeer); err != nil {
			r.result(name, check.Fail, "", "%v", err)
			return
		}
	}
	passed := 0
	c.Report = func(found check.Result) {
		if found.Up > 0 {
			r.up, r.down = found.Up, found.Down
		}
		if found.Status == check.OK {
			passed++
			return
		}
		if found.Status == check.Skip && c.Read == nil {
			return // the steps of a second key
		}
		found.Name = name + ", " + found.Name
		r.ok = r.ok && found.Status != check.Fail
		r.report(found)
	}
	switch ok, err := check.Run(r.ctx, c); {
	case err != nil:
		r.result(name, check.Fail, "", "%v", err)
		return
	case !ok:
		return
	}
	if _, local := protocol.LocalStore(own.Endpoint); local {
		r.up, r.down = 0, 0 // of a disk
	}
	r.result(name, check.OK, "", "%d checks passed", passed)
}

// dataset opens the run's dataset.
func (r *readiness) dataset() {
	if r.loaded == nil {
		r.reads("dataset", r.c.Buckets.Dataset)
		return
	}
	if b := r.c.Buckets.Dataset; b.Endpoint == "" || b.Name == "" {
		return // a missing setting
	}
	ctx, cancel := context.WithTimeout(r.ctx, answerTime)
	defer cancel()
	d := r.env.Buckets()
	defer d.Close()
	sources, err := parts.Datasets(d, datasets(r.c.Buckets), store.RetryPolicy{Attempts: 2}, r.env.Clock)
	var opened *data.Dataset
	if err == nil {
		opened, err = parts.OpenData(ctx, *r.loaded, sources)
	}
	if err != nil {
		r.unread("dataset", "correct the bucket's address and key; it must hold the dataset that the run states as dataset_hash", err)
		return
	}
	m := opened.Manifest()
	r.result("dataset", check.OK, "", "%d tokens in %d shards, vocabulary %d of the model's %d", m.Tokens, len(m.Shards), m.VocabSize, r.loaded.Params.Model.VocabSize)
}

// unread reports a bucket of others that could not be read. The fix is for a store that answers.
func (r *readiness) unread(name, fix string, err error) {
	if store.Retryable(err) {
		fix = cmp.Or(check.Remedy(err), fix)
	}
	r.result(name, check.Fail, fix, "%v", err)
}

// reads finds out whether a bucket can be listed with its key.
func (r *readiness) reads(name string, b config.Bucket) {
	if b.Endpoint == "" || b.Name == "" {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, answerTime)
	defer cancel()
	d := r.env.Buckets()
	defer d.Close()
	bucket, err := d.Dial(b.Location())
	if err == nil {
		_, err = bucket.List(ctx, "", "", 1)
	}
	if err != nil {
		r.unread(name+" bucket", "correct its address and key; the run's owner publishes them", err)
		return
	}
	r.result(name+" bucket", check.OK, "", "%s can be read", b.Name)
}
