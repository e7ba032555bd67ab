// Command store measures object storage on loopback, all contenders in one run: PUT and
// GET through the S3 client against the embedded server, which syncs its files, beside
// plain net/http on both sides and beside net/http with a server that also computes
// MD5 and syncs. Then many peers' gradients are gathered in one call.
//
//	go run ./bench/store [-quick] [-rounds 5]
//
// Contenders take turns, and each round begins with another one, so that other load on the
// machine affects all equally. Figures are medians of the rounds.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"
)

const mib = 1 << 20

func main() {
	quick := flag.Bool("quick", false, "small objects and few peers, as a smoke test")
	rounds := flag.Int("rounds", 5, "turns of each contender")
	only := flag.String("only", "", `"transfer" or "gather" (default both)`)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, *quick, *rounds, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, quick bool, rounds int, only string) error {
	small, large, peers := int64(100*mib), int64(1024*mib), 256
	if quick {
		small, large, peers = 8*mib, 64*mib, 16
	}
	if only != "gather" {
		if err := transfers(ctx, rounds, small, large); err != nil {
			return err
		}
	}
	if only != "transfer" {
		return gather(ctx, rounds, peers, mib)
	}
	return nil
}

// job is one object size with its targets.
type job struct {
	size     int64
	parts    bool    // ours sends it in parts
	put, get float64 // least share of plain net/http
}

func transfers(ctx context.Context, rounds int, small, large int64) error {
	dir, err := os.MkdirTemp("", "bench-store")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Println("| | plain net/http MB/s | with MD5 and fsync MB/s | ours MB/s | ours/plain | target | ours/MD5+fsync | target | CPU s/GB: plain, MD5+fsync, ours |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	for _, j := range []job{{small, false, 0.4, 0.8}, {large, true, 0.3, 0.8}} {
		put, get, err := measure(ctx, dir, rounds, j)
		if err != nil {
			return err
		}
		row("PUT", j, put, j.put, "80 %")
		row("GET", j, get, j.get, "")
	}
	return nil
}

func row(op string, j job, spent [3][]cost, share float64, opponent string) {
	var speed, cpu [3]float64
	for i, costs := range spent {
		speed[i] = float64(j.size) / 1e6 / median(costs, func(c cost) time.Duration { return c.wall }).Seconds()
		cpu[i] = median(costs, func(c cost) time.Duration { return c.cpu }).Seconds() / float64(j.size) * 1e9
	}
	fmt.Printf("| %s %d MiB%s | %.0f | %.0f | %.0f | %.0f %% | %.0f %% | %.0f %% | %s | %.2f, %.2f, %.2f |\n", op, j.size/mib, inParts(op, j),
		speed[0], speed[1], speed[2], 100*speed[2]/speed[0], 100*share, 100*speed[2]/speed[1], opponent, cpu[0], cpu[1], cpu[2])
}

func inParts(op string, j job) string {
	if op == "PUT" && j.parts {
		return " in parts"
	}
	return ""
}

// cost of one transfer.
type cost struct{ wall, cpu time.Duration }

// measure returns the costs of plain, the opponent and ours.
func measure(ctx context.Context, dir string, rounds int, j job) (put, get [3][]cost, err error) {
	list, closeAll, err := contenders(ctx, dir, j)
	if err != nil {
		return put, get, err
	}
	defer closeAll()
	for round := range rounds + 1 { // the first warms up
		for i := range list {
			i = (i + round) % len(list)
			up, down, err := turn(ctx, list[i], pattern{}, j.size)
			if err != nil {
				return put, get, fmt.Errorf("%s: %w", list[i].name, err)
			}
			if round > 0 {
				put[i], get[i] = append(put[i], up), append(get[i], down)
			}
		}
	}
	return put, get, nil
}

// turn puts the object, gets it and deletes it: data that a contender left unsynced must
// not be written to disk during another's turn.
func turn(ctx context.Context, c contender, body pattern, size int64) (put, get cost, err error) {
	put, err = spend(func() error { return c.put(ctx, body, size) })
	if err != nil {
		return put, get, fmt.Errorf("put: %w", err)
	}
	get, err = spend(func() error {
		n, err := c.get(ctx)
		if err == nil && n != size {
			err = fmt.Errorf("%d bytes of %d", n, size)
		}
		return err
	})
	if err != nil {
		return put, get, fmt.Errorf("get: %w", err)
	}
	return put, get, c.remove(ctx)
}

func spend(do func() error) (cost, error) {
	start, cpu := time.Now(), cpuTime()
	err := do()
	return cost{time.Since(start), cpuTime() - cpu}, err
}

func median[E any, T cmp.Ordered](list []E, of func(E) T) T {
	var v []T
	for _, e := range list {
		v = append(v, of(e))
	}
	return quantile(v, 0.5)
}

func quantile[T cmp.Ordered](v []T, q float64) T {
	v = slices.Sorted(slices.Values(v))
	return v[min(len(v)-1, int(q*float64(len(v))))]
}
