// Command bittensor measures what following a subnet of Bittensor costs: CPU time a block
// and memory, of a process of its own that reads the metagraph and all commitments with
// each block, beside a node with 256 neurons.
//
//	go run ./bench/bittensor
package main

import (
	"compress/gzip"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"templar/internal/chain/bittensor"
	"templar/internal/chain/bittensor/fakenode"
	"templar/protocol"
)

func main() {
	blocks := flag.Uint64("blocks", 100, "blocks to follow")
	interval := flag.Duration("interval", 200*time.Millisecond, "time between blocks; the chain's is 12s")
	neurons := flag.Int("neurons", 256, "neurons of the subnet")
	metadata := flag.String("metadata", "testkit/vectors/subtensor/metadata/461-v15.scale.gz", "metadata of the runtime")
	url := flag.String("url", "", "be the client of this node")
	flag.Parse()
	err := serve(*metadata, *neurons, *blocks, *interval)
	if *url != "" {
		err = follow(*url, *blocks)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const netuid = 3

func key(n uint64) (h protocol.Hotkey) {
	binary.LittleEndian.PutUint64(h[:], n+1)
	return h
}

// serve runs the node, and the client as a child, whose CPU time is the child's alone.
func serve(metadata string, neurons int, blocks uint64, interval time.Duration) error {
	if isChild() {
		return nil
	}
	f, err := os.Open(metadata)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return err
	}
	n := fakenode.New(fakenode.Config{Metadata: raw, Spec: 461, NetUID: netuid, Start: time.Now(), Lag: 2, Tempo: 360})
	entry := append(make([]byte, 8), 1, 0, 0, 0, 4, 129)
	entry = append(entry, make([]byte, 128)...)
	for i := range uint64(neurons) {
		n.Add(key(i), key(i+1000), i)
		n.SetCommitment(key(i), entry)
	}
	for range 4 {
		n.Produce()
	}
	url, stop := n.Serve()
	defer stop()
	defer n.Loop(interval, nil)()
	child := exec.Command(os.Args[0], "-url", url, "-blocks", fmt.Sprint(blocks))
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	if err := child.Run(); err != nil {
		return err
	}
	cpu := child.ProcessState.UserTime() + child.ProcessState.SystemTime()
	fmt.Printf("%d neurons, %d blocks: %v of CPU time in all, with the start; %v a block, %.3f %% of a core at 12 s a block\n",
		neurons, blocks, cpu.Round(time.Millisecond), (cpu / time.Duration(blocks)).Round(10*time.Microsecond), 100*cpu.Seconds()/float64(blocks)/12)
	return nil
}

func isChild() bool { return flag.Lookup("url").Value.String() != "" }

// follow reads all of the subnet with each block.
func follow(url string, blocks uint64) error {
	ctx := context.Background()
	c, err := bittensor.Dial(ctx, bittensor.Opts{Endpoints: []string{url}, NetUID: netuid})
	if err != nil {
		return err
	}
	defer c.Close()
	b, err := c.Head(ctx)
	for range blocks {
		if err != nil {
			return err
		}
		if _, err := c.Metagraph(ctx); err != nil {
			return err
		}
		if _, err := c.Commitments(ctx); err != nil {
			return err
		}
		b, err = c.Wait(ctx, b.Number+1)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	live := m.HeapAlloc
	runtime.GC()
	runtime.ReadMemStats(&m)
	fmt.Printf("memory: %.1f MB from the system, %.1f MB of heap in use, %.1f MB after a collection\n", float64(m.Sys)/1e6, float64(live)/1e6, float64(m.HeapAlloc)/1e6)
	return err
}
