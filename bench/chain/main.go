//go:build unix

// Command chain measures the embedded chain at its full size: 256 neurons that commit in
// one block and set weights on each other in one tempo; and the cost of an idle node.
//
//	go run ./bench/chain            about two minutes
//	go run ./bench/chain -quick     half a minute, fewer blocks
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"templar/internal/chain"
	"templar/internal/chain/cometbft"
	"templar/internal/chain/ledger"
	"templar/internal/wallet"
	"templar/protocol"
)

// neurons all have stake, a permit, and weights on all.
const neurons = 256

func main() {
	quick := flag.Bool("quick", false, "fewer blocks")
	burn := flag.Bool("burn", false, "only keep one core busy")
	flag.Parse()
	if *burn {
		for spins := 0; ; spins++ {
		}
	}
	seconds := 30
	if *quick {
		seconds = 8
	}
	if err := run(context.Background(), time.Duration(seconds)*time.Second); err != nil {
		log.Fatal(err)
	}
}

// table collects the rows that are printed at the end.
type table struct{ *tabwriter.Writer }

func (t table) row(what, format string, args ...any) {
	fmt.Fprintf(t, "%s\t%s\n", what, fmt.Sprintf(format, args...))
}

func run(ctx context.Context, span time.Duration) error {
	t := table{tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)}
	defer t.Flush()
	t.row("machine", "%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	keys, err := makeKeys()
	if err != nil {
		return err
	}
	if err := rules(t, keys); err != nil {
		return err
	}
	return network(ctx, t, keys, span)
}

func makeKeys() (keys []*wallet.Wallet, err error) {
	for i := range uint64(neurons) {
		w, err := wallet.FromSeed([32]byte(binary.LittleEndian.AppendUint64(make([]byte, 24), i)))
		if err != nil {
			return nil, err
		}
		keys = append(keys, w)
	}
	return keys, nil
}

func genesis(keys []*wallet.Wallet) ledger.Genesis {
	g := ledger.DefaultGenesis("bench")
	g.Time = time.Now().UTC()
	g.Tempo, g.WeightsRateLimit, g.CommitRateLimit, g.MaxValidators = 10, 1, 0, neurons
	for i, k := range keys {
		f := ledger.Founder{Hotkey: k.Hotkey(), Stake: uint64(1000 + i)}
		g.Founders = append(g.Founders, f)
	}
	return g
}

func weights() (c ledger.SetWeights) {
	for uid := range protocol.UID(neurons) {
		c.Entries = append(c.Entries, chain.Weight{UID: uid, Value: uint16(uid) + 1})
	}
	return c
}

// rules measures the ledger alone.
func rules(t table, keys []*wallet.Wallet) error {
	g := genesis(keys)
	l, err := ledger.New(g)
	if err != nil {
		return err
	}
	apply := func(calls map[int]ledger.Call) (time.Duration, error) {
		n, at := l.Block()
		var txs [][]byte
		for i, c := range calls {
			tx, err := ledger.NewTx(keys[i], g.Domain(), l.Nonce(keys[i].Hotkey()), n+10, c)
			if err != nil {
				return 0, err
			}
			txs = append(txs, tx)
		}
		begin := time.Now()
		results, err := l.Apply(n+1, at.Add(time.Second), txs)
		l.Root()
		spent := time.Since(begin)
		for _, r := range results {
			if r.Code != ledger.CodeOK {
				return 0, fmt.Errorf("refused: %s", r.Reason)
			}
		}
		return spent, err
	}
	commits, set := map[int]ledger.Call{}, map[int]ledger.Call{}
	for i := range keys {
		commits[i] = ledger.Commit{Data: make([]byte, 512)}
		set[i] = weights()
	}
	for _, step := range []struct {
		name  string
		calls map[int]ledger.Call
	}{{"ledger: block with 256 commitments of 512 B", commits}, {"ledger: block with 256 x 256 weights", set}, {"ledger: empty block", nil}} {
		spent, err := apply(step.calls)
		if err != nil {
			return err
		}
		t.row(step.name, "%.1f ms", ms(spent))
	}
	for {
		spent, err := apply(nil)
		if err != nil {
			return err
		}
		if n, _ := l.Block(); n%g.Tempo == 0 {
			t.row("ledger: block that ends an epoch, 256 x 256 weights", "%.1f ms", ms(spent))
			break
		}
	}
	begin := time.Now()
	proof := l.Tree().Prove(ledger.PrefixNeurons)
	made := time.Since(begin)
	begin = time.Now()
	if _, err := ledger.Verify(l.Root(), ledger.PrefixNeurons, proof); err != nil {
		return err
	}
	t.row("ledger: proof of the metagraph", "%d KB, made in %.1f ms, checked in %.1f ms", len(proof)>>10, ms(made), ms(time.Since(begin)))
	t.row("ledger: snapshot", "%d KB", len(l.Snapshot())>>10)
	return nil
}

// network measures a node with blocks of one second.
func network(ctx context.Context, t table, keys []*wallet.Wallet, span time.Duration) error {
	home, err := os.MkdirTemp("", "chain-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	if err := cometbft.Init(home, genesis(keys)); err != nil {
		return err
	}
	n, err := cometbft.New(cometbft.Config{Home: home, Listen: "127.0.0.1:0", BlockInterval: time.Second})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	err = measure(ctx, t, n.Endpoint(), home, keys, span)
	cancel()
	return errors.Join(err, <-done)
}

func measure(ctx context.Context, t table, endpoint, home string, keys []*wallet.Wallet, span time.Duration) error {
	c, err := cometbft.Dial(ctx, cometbft.Opts{Endpoint: endpoint})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Wait(ctx, 3); err != nil {
		return err
	}
	size, cpu, begin := diskUse(home), cpuTime(), time.Now()
	idle, err := intervals(ctx, c, span)
	if err != nil {
		return err
	}
	t.row("node, idle: interval of 1 s blocks", "%s", idle)
	t.row("node, idle: CPU, with one client", "%.1f %% of a core", 100*float64(cpuTime()-cpu)/float64(time.Since(begin)))
	t.row("node, idle: disk", "%.1f MB a day", perDay(diskUse(home)-size, len(idle.gaps), 1))
	t.row("node, idle: disk at 12 s blocks", "%.1f MB a day", perDay(diskUse(home)-size, len(idle.gaps), 12))

	commit := func(k *wallet.Wallet) (chain.Receipt, error) { return c.Commit(ctx, k, make([]byte, 512)) }
	if err := together(ctx, t, c, "256 commitments of 512 B", keys, commit); err != nil {
		return err
	}
	set := func(k *wallet.Wallet) (chain.Receipt, error) { return c.SetWeights(ctx, k, chain.Weights(weights())) }
	if err := together(ctx, t, c, "256 x 256 weights", keys, set); err != nil {
		return err
	}
	t.row("node: resident memory", "%d MB", resident()>>20)
	busy, err := loaded(ctx, c, span)
	if err != nil {
		return err
	}
	t.row("node, every core busy: interval of 1 s blocks", "%s", busy)
	return nil
}

// together makes a call of every key at once.
func together(ctx context.Context, t table, c *cometbft.Client, what string, keys []*wallet.Wallet, call func(*wallet.Wallet) (chain.Receipt, error)) error {
	head, err := c.Head(ctx)
	if err != nil {
		return err
	}
	if _, err := c.Wait(ctx, head.Number+1); err != nil { // begin with a block
		return err
	}
	var mu sync.Mutex
	blocks, failed := map[uint64]int{}, ""
	begin := time.Now()
	var wg sync.WaitGroup
	for _, k := range keys {
		wg.Go(func() {
			r, err := call(k)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || r.Status != chain.StatusIncluded {
				failed = fmt.Sprint(r, err)
			}
			blocks[r.Block]++
		})
	}
	wg.Wait()
	if failed != "" {
		return fmt.Errorf("%s: %s", what, failed)
	}
	t.row("node: "+what, "in %d block(s), all acknowledged after %.2f s", len(blocks), time.Since(begin).Seconds())
	return nil
}

// spread describes the gaps between arrivals of blocks.
type spread struct{ gaps []float64 }

func (s spread) String() string {
	var sum, squares float64
	for _, g := range s.gaps {
		sum += g
	}
	mean := sum / float64(len(s.gaps))
	for _, g := range s.gaps {
		squares += (g - mean) * (g - mean)
	}
	return fmt.Sprintf("%.0f ms mean, %.0f ms deviation, %.0f ms longest, over %d blocks",
		mean, math.Sqrt(squares/float64(len(s.gaps))), slices.Max(s.gaps), len(s.gaps))
}

func intervals(ctx context.Context, c *cometbft.Client, span time.Duration) (spread, error) {
	b, err := c.Head(ctx)
	if err != nil {
		return spread{}, err
	}
	var s spread
	if b, err = c.Wait(ctx, b.Number+1); err != nil {
		return s, err
	}
	begin := time.Now()
	for last := begin; time.Since(begin) < span; {
		if b, err = c.Wait(ctx, b.Number+1); err != nil {
			return s, err
		}
		s.gaps, last = append(s.gaps, ms(time.Since(last))), time.Now()
	}
	return s, nil
}

// loaded measures while one process per core keeps every core busy.
func loaded(ctx context.Context, c *cometbft.Client, span time.Duration) (spread, error) {
	self, err := os.Executable()
	if err != nil {
		return spread{}, err
	}
	for range runtime.NumCPU() {
		cmd := exec.CommandContext(ctx, self, "-burn")
		if err := cmd.Start(); err != nil {
			return spread{}, err
		}
		defer cmd.Wait()         //nolint:errcheck // it was killed
		defer cmd.Process.Kill() //nolint:errcheck // it may have ended
	}
	return intervals(ctx, c, span)
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

func perDay(grown int64, blocks, interval int) float64 {
	return float64(grown) / float64(blocks) * 86400 / float64(interval) / (1 << 20)
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident reads Linux's figure; elsewhere it is 0.
func resident() (bytes int64) {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &bytes); n == 1 {
			return bytes << 10
		}
	}
	return 0
}

func diskUse(root string) (sum int64) {
	_ = filepath.WalkDir(root, func(_ string, e fs.DirEntry, err error) error {
		if err == nil {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				sum += info.Size()
			}
		}
		return nil
	})
	return sum
}
