package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"templar/internal/chain"
	"templar/internal/config"
	"templar/internal/directory"
	"templar/internal/memory"
	"templar/internal/parts"
	"templar/internal/run"
	"templar/internal/store"
	"templar/internal/store/check"
	"templar/internal/telemetry"
	"templar/internal/userfile"
	"templar/internal/wallet"
)

// answerTime bounds each question that Ready asks over the network.
const answerTime = 15 * time.Second

// Ready checks, in the order in which an operator can mend it, whether a node could start from a
// configuration: its settings, hotkey, run parameters, memory, data directory, chain, registration, clock and
// buckets. It starts nothing, registers nothing and takes no lock. Each result is reported as it comes; ok is false when one
// failed.
func Ready(ctx context.Context, c config.Node, role telemetry.Role, env Env, report func(check.Result)) (ok bool) {
	r := &readiness{ctx: ctx, c: c, role: role, env: env, report: report, ok: true}
	hotkey := r.files()
	r.directory()
	r.chain(hotkey)
	if role == telemetry.Miner || role == telemetry.Validator {
		r.ownBucket()
	}
	if role != telemetry.Aggregator {
		r.reads("dataset", c.Buckets.Dataset)
	}
	r.reads("aggregator", c.Buckets.Aggregator)
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
	return hotkey
}

type readiness struct {
	ctx    context.Context
	c      config.Node
	role   telemetry.Role
	env    Env
	report func(check.Result)
	ok     bool
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
	r.result("run", check.OK, "", "%q, hash %v", loaded.Params.Run, loaded.Hash)
	r.memory(loaded)
}

func (r *readiness) memory(loaded run.Run) {
	size, err := userfile.Size(r.c.Options.Memory)
	if err != nil {
		return // a wrong setting
	}
	least, most, err := r.env.Memory(r.role, loaded, r.c.Options.Device, r.c.Options.Threads)
	if err != nil {
		return
	}
	has := memory.Budget(size)
	if has > 0 && least > has {
		r.result("memory", check.Fail, "take a machine with more, or another run", "a %s needs %s, and may use %s", r.role, memory.Format(least), memory.Format(has))
		return
	}
	r.result("memory", check.OK, "", "needs %s, makes use of up to %s", memory.Format(least), memory.Format(most))
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
	if err = errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
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
	client, err := r.env.Chain(ctx, r.c.Chain, r.env.Clock, slog.New(slog.DiscardHandler))
	var head chain.Block
	if err == nil {
		defer client.Close()
		head, err = client.Head(ctx)
	}
	if err != nil {
		r.result("chain", check.Fail, "start the chain's node, or correct the address", "%s: %v", r.c.Chain.Endpoint, err)
		return
	}
	r.result("chain", check.OK, "", "%s is at block %d", r.c.Chain.Endpoint, head.Number)
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
}

// ownBucket runs the checks of "templar store check" and reports what is not in order.
func (r *readiness) ownBucket() {
	own := r.c.Buckets.Gradients
	if own.Endpoint == "" || own.Name == "" {
		return
	}
	d := r.env.Buckets()
	defer d.Close()
	w, release, err := d.DialOwn(own.Writing())
	if err != nil {
		r.result("own bucket", check.Fail, "stop the node that uses it, or correct the settings", "%v", err)
		return
	}
	defer release()
	c := check.Config{Write: w, Clock: r.env.Clock}
	if l := own.Reading(); l.AccessKey != "" {
		if c.Read, err = d.Dial(l); err != nil {
			r.result("own bucket", check.Fail, "", "%v", err)
			return
		}
	}
	passed := 0
	c.Report = func(found check.Result) {
		if found.Status == check.OK {
			passed++
			return
		}
		found.Name = "own bucket, " + found.Name
		r.ok = r.ok && found.Status != check.Fail
		r.report(found)
	}
	if _, err := check.Run(r.ctx, c); err != nil {
		r.result("own bucket", check.Fail, "", "%v", err)
		return
	}
	r.result("own bucket", check.OK, "", "%d checks passed", passed)
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
	var first []store.Info
	if err == nil {
		first, err = bucket.List(ctx, "", "", 1)
	}
	switch {
	case err != nil:
		r.result(name+" bucket", check.Fail, "correct its address and key; the run's owner publishes them", "%v", err)
	case len(first) == 0 && name == "dataset":
		r.result(name+" bucket", check.Fail, "is this the run's dataset bucket?", "%s is empty", b.Name)
	default:
		r.result(name+" bucket", check.OK, "", "%s can be read", b.Name)
	}
}
