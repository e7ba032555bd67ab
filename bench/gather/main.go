//go:build unix

// Command gather measures one aggregator in one window with 16, 64 and 256 miners: time and
// memory from the upload deadline until its Aggregate is published, against an S3 server on
// loopback in a process of its own.
//
//	go run ./bench/gather                       about two minutes
//	go run ./bench/gather -miners 256 -hidden 1024
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

func main() {
	serve := flag.String("serve", "", "only serve this folder")
	miners := flag.String("miners", "16,64,256", "numbers of miners, in turn")
	endpoint := flag.String("endpoint", "", "endpoint of a running server")
	hidden := flag.Int("hidden", 512, "width of the model, of 4 layers")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *serve, *endpoint, strings.Split(*miners, ","), *hidden); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, serve, endpoint string, miners []string, hidden int) error {
	n, err := strconv.Atoi(miners[0])
	switch {
	case err != nil:
		return fmt.Errorf("-miners: %w", err)
	case serve != "":
		return s3site.Serve(ctx, serve, n, func(endpoint string) { fmt.Println(endpoint) })
	case endpoint != "":
		return measure(ctx, endpoint, n, hidden)
	}
	fmt.Printf("%s, %d CPUs; the aggregator's process alone\n", runtime.Version(), runtime.NumCPU())
	fmt.Println(header)
	for _, n := range miners {
		if err := one(ctx, n, hidden); err != nil {
			return err
		}
	}
	return nil
}

// one measures a number of miners, in processes of its own.
func one(ctx context.Context, miners string, hidden int) error {
	dir, err := os.MkdirTemp("", "templar-gather-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(ctx)
	server := exec.CommandContext(ctx, os.Args[0], "-serve", dir, "-miners", miners)
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		stop()
		return err
	}
	defer func() {
		stop()
		_ = server.Wait() // it was signalled to end
	}()
	endpoint, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, os.Args[0], "-endpoint", strings.TrimSpace(endpoint), "-miners", miners, "-hidden", strconv.Itoa(hidden))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
