// Command kill runs a localnet as separate processes, kills them with SIGKILL at random
// moments and starts each again. It checks throughout that no two nodes hold different
// parameters after a window and that each window has one Aggregate, and at the end that
// every node has caught up.
//
//	go run ./bench/kill                       20 kills, about two minutes
//	go run ./bench/kill -kills 500            about half an hour
//	go run ./bench/kill -standby              with two aggregators
//	go run ./bench/kill -preset tiny-loco     with SparseLoCo
//	go run ./bench/kill -seed 7 -keep         the same victims; logs are kept
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"
)

type options struct {
	templar            string
	dir                string
	kills              int
	every              time.Duration
	miners, validators int
	standby            bool
	preset             string
	seed               uint64
}

func main() {
	var o options
	flag.StringVar(&o.templar, "templar", "", "the command to test (default: built from this tree)")
	flag.StringVar(&o.dir, "dir", "", "folder for the network (default: a temporary one)")
	flag.IntVar(&o.kills, "kills", 20, "number of kills")
	flag.DurationVar(&o.every, "every", 2*time.Second, "mean time between two kills")
	flag.IntVar(&o.miners, "miners", 2, "miners")
	flag.IntVar(&o.validators, "validators", 2, "validators")
	flag.StringVar(&o.preset, "preset", "tiny", "run parameters, and with them the training method")
	flag.BoolVar(&o.standby, "standby", false, "a second aggregator")
	flag.Uint64Var(&o.seed, "seed", 1, "draws the victims and the moments")
	keep := flag.Bool("keep", false, "keep the folder, with all logs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.run(ctx, *keep); err != nil {
		log.Fatal(err)
	}
}

func (o *options) run(ctx context.Context, keep bool) error {
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "templar-kill-")
		if err != nil {
			return err
		}
		o.dir = dir
	}
	if o.templar == "" {
		o.templar = filepath.Join(o.dir, "templar")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", o.templar, "./cmd/templar").CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w\n%s", err, out)
		}
	}
	fmt.Printf("network in %s\n", o.dir)
	err := o.test(ctx)
	if err != nil || keep {
		fmt.Printf("all logs are in %s\n", filepath.Join(o.dir, "logs"))
		return err
	}
	return os.RemoveAll(o.dir)
}

func (o *options) test(ctx context.Context) error {
	rec := newRecord()
	net, err := prepare(ctx, o, rec)
	if err != nil {
		return err
	}
	defer func() { _ = net.stop() }()
	if err := net.await(ctx, 2, 3*time.Minute); err != nil {
		return fmt.Errorf("before the first kill: %w", err)
	}
	began, from := time.Now(), rec.newest()
	if err := o.killAll(ctx, net, rec); err != nil {
		return err
	}
	if err := net.await(ctx, rec.newest()+3, 5*time.Minute); err != nil {
		return fmt.Errorf("after the last kill: %w", err)
	}
	fmt.Printf("\n%d kills in %v, windows %d to %d\n", o.kills, time.Since(began).Round(time.Second), from, rec.newest())
	fmt.Println(rec.summary(net))
	return rec.fault()
}

// killAll kills random processes until o.kills is reached, or the record has a fault.
func (o *options) killAll(ctx context.Context, net *network, rec *record) error {
	rng := rand.New(rand.NewPCG(o.seed, 0))
	for killed := 0; killed < o.kills; {
		pause := time.Duration(2 * rng.Float64() * float64(o.every))
		victim := net.processes[rng.IntN(len(net.processes))]
		away := time.Duration(rng.ExpFloat64() * float64(500*time.Millisecond))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		if !victim.kill(away) {
			continue // it is not back yet
		}
		if killed++; killed%10 == 0 {
			fmt.Printf("%d kills, window %d\n", killed, rec.newest())
		}
		if err := rec.fault(); err != nil {
			return fmt.Errorf("after %d kills: %w", killed, err)
		}
		if slow := net.lost(); slow != "" {
			return fmt.Errorf("after %d kills: %s has reported no new window for %v", killed, slow, patience)
		}
	}
	return nil
}

var errNotBack = errors.New("not all nodes have caught up")
