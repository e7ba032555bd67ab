//go:build unix

// Command catchup measures how fast a node that is behind catches up: fetch, verify, apply and
// state hash, each alone and all together as replica.Follow does it, on one core and on two, from
// an S3 server on loopback. It extrapolates to 100 windows of 1.2 billion parameters.
//
//	go run ./bench/catchup                              the 150m preset, 8 windows, about a minute
//	go run ./bench/catchup -preset 1b -windows 4        needs 12 GiB of memory
//	go run ./bench/catchup -cores 1 -profile cpu.out    with a CPU profile
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"

	"templar/internal/harness/s3site"
)

// The target: 100 windows of 1.2 billion parameters in 5 minutes, at 1 Gb/s.
const (
	markParameters = 1.2e9
	markWindows    = 100
	markSeconds    = 300
	markBits       = 1e9
)

func main() {
	var o options
	serve := flag.String("serve", "", "only serve this folder")
	flag.StringVar(&o.preset, "preset", "150m", "model: tiny, 150m or 1b")
	flag.IntVar(&o.windows, "windows", 8, "number of windows to catch up")
	cores := flag.String("cores", "1,2", "numbers of cores, in turn")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of the catch-up")
	flag.StringVar(&o.endpoint, "endpoint", "", "endpoint of a running server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch {
	case *serve != "":
		err = s3site.Serve(ctx, *serve, 0, func(endpoint string) { fmt.Println(endpoint) })
	case o.endpoint != "":
		err = o.measure(ctx)
	default:
		err = o.all(ctx, strings.Split(*cores, ","))
	}
	if err != nil {
		log.Fatal(err)
	}
}

// all runs the server and, for each number of cores, the measurement in processes of their
// own.
func (o *options) all(ctx context.Context, cores []string) error {
	dir, err := os.MkdirTemp("", "templar-catchup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	server, endpoint, err := start(ctx, dir)
	if err != nil {
		return err
	}
	fmt.Printf("%s preset, %d windows; %s, %d CPUs\n", o.preset, o.windows, runtime.Version(), runtime.NumCPU())
	for _, n := range cores {
		args := []string{"-endpoint", endpoint, "-preset", o.preset, "-windows", strconv.Itoa(o.windows), "-profile", o.profile}
		cmd := exec.CommandContext(ctx, os.Args[0], args...)
		cmd.Env = append(os.Environ(), "GOMAXPROCS="+n)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return err
		}
	}
	stop()
	_ = server.Wait() // it was signalled to end
	return nil
}

func start(ctx context.Context, dir string) (*exec.Cmd, string, error) {
	cmd := exec.CommandContext(ctx, os.Args[0], "-serve", dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	return cmd, strings.TrimSpace(line), err
}
