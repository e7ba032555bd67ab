package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/store"
)

func storeBench(std Std) *cobra.Command {
	var b bucketFlags
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure how fast a bucket is",
		Long: `Store and fetch objects of a few sizes, one at a time, and print the median times and the
rates that follow from them. What it stores it removes again, on Ctrl-C too.
` + bucketHelp,
		Example: `  templar store bench --config miner.yaml
  templar store bench --config miner.yaml --runs 20 --sizes 64,1024`,
		Args: noArgs,
	}
	f := cmd.Flags()
	b.add(f)
	runs := f.Int("runs", 5, "how often to store and fetch each size")
	sizes := f.IntSlice("sizes", []int{4, 64, 1024, 16384}, "sizes in KiB")
	f.Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *runs < 1 || *runs > 10_000 {
			return usagef("--runs: want 1 to 10000")
		}
		if len(*sizes) == 0 || slices.Min(*sizes) < 1 || slices.Max(*sizes) > 1<<20 {
			return usagef("--sizes: want sizes from 1 KiB to 1 GiB")
		}
		v, err := b.locate(cmd, std)
		if err != nil {
			return err
		}
		l, err := v.writing()
		if err != nil {
			return err
		}
		return withBucket(l, func(bucket store.Bucket) error {
			rows, err := benchBucket(cmd.Context(), bucket, *sizes, *runs)
			if err != nil {
				return err
			}
			return printBench(cmd, rows)
		})
	}
	return cmd
}

// benchRow is what was measured of one size: medians, and the slowest.
type benchRow struct {
	Size   int     `json:"size"`
	Put    float64 `json:"put_seconds"`
	PutMax float64 `json:"put_max_seconds"`
	Get    float64 `json:"get_seconds"`
	GetMax float64 `json:"get_max_seconds"`
}

// benchTimeout bounds the clearing away.
const benchTimeout = 15 * time.Second

func benchBucket(ctx context.Context, b store.Bucket, sizes []int, runs int) (rows []benchRow, err error) {
	prefix, keys := "templar-bench-"+strings.ToLower(rand.Text()[:10]), []string(nil)
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), benchTimeout)
		defer cancel()
		for _, key := range keys {
			err = errors.Join(err, b.Delete(ctx, key))
		}
	}()
	for _, kib := range sizes {
		data := make([]byte, kib<<10)
		rand.Read(data)
		var puts, gets []float64
		for range runs {
			key := fmt.Sprint(prefix, "/", len(keys)) // R2 takes one write a second of a key
			keys = append(keys, key)
			begin := time.Now()
			if _, err := b.Put(ctx, key, bytes.NewReader(data), int64(len(data)), store.PutOptions{}); err != nil {
				return nil, err
			}
			stored := time.Now()
			if err := fetch(ctx, b, key); err != nil {
				return nil, err
			}
			puts, gets = append(puts, stored.Sub(begin).Seconds()), append(gets, time.Since(stored).Seconds())
		}
		slices.Sort(puts)
		slices.Sort(gets)
		rows = append(rows, benchRow{Size: len(data), Put: puts[runs/2], PutMax: puts[runs-1], Get: gets[runs/2], GetMax: gets[runs-1]})
	}
	return rows, nil
}

func fetch(ctx context.Context, b store.Reader, key string) error {
	body, _, err := b.Get(ctx, key, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(io.Discard, body)
	return err
}

func printBench(cmd *cobra.Command, rows []benchRow) error {
	w := cmd.OutOrStdout()
	if isSet(cmd.Flags(), "json") {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(rows)
	}
	fmt.Fprintf(w, "%10s  %10s  %10s  %12s  %10s  %10s  %12s\n", "size", "put", "slowest", "rate", "get", "slowest", "rate")
	for _, r := range rows {
		rate := func(seconds float64) string { return bytesText(float64(r.Size)/max(seconds, 1e-6)) + "/s" }
		ms := func(seconds float64) string { return fmt.Sprintf("%.1f ms", seconds*1e3) }
		if _, err := fmt.Fprintf(w, "%10s  %10s  %10s  %12s  %10s  %10s  %12s\n", bytesText(float64(r.Size)),
			ms(r.Put), ms(r.PutMax), rate(r.Put), ms(r.Get), ms(r.GetMax), rate(r.Get)); err != nil {
			return err
		}
	}
	return nil
}
