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

	"templar/internal/node"
	"templar/internal/store"
)

func storeBench(std Std, back *node.Backends) *cobra.Command {
	var b bucketFlags
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure how fast a bucket is",
		Long: `Store and fetch objects of a few sizes, one at a time, and print the median times and the
rates that follow from them. The test objects are removed, on Ctrl-C too.
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
		return withOwnBucket(back, l, func(bucket store.Bucket) error { return benchBucket(cmd, bucket, *sizes, *runs) })
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

func benchBucket(cmd *cobra.Command, b store.Bucket, sizes []int, runs int) error {
	w, asJSON := cmd.OutOrStdout(), isSet(cmd.Flags(), "json")
	if !asJSON {
		fmt.Fprintf(w, benchLine, "size", "put", "slowest", "rate", "get", "slowest", "rate")
	}
	prefix := "templar-bench-" + strings.ToLower(rand.Text()[:10])
	var rows []benchRow
	for _, kib := range sizes {
		data := make([]byte, kib<<10)
		rand.Read(data)
		puts, gets := make([]float64, runs), make([]float64, runs)
		for i := range runs {
			var err error
			key := fmt.Sprintf("%s/%d-%d", prefix, kib, i) // R2 takes one write a second of a key
			if puts[i], gets[i], err = benchOnce(cmd.Context(), b, key, data); err != nil {
				return err
			}
		}
		slices.Sort(puts)
		slices.Sort(gets)
		row := benchRow{Size: len(data), Put: puts[runs/2], PutMax: puts[runs-1], Get: gets[runs/2], GetMax: gets[runs-1]}
		rows = append(rows, row)
		if !asJSON {
			row.print(w)
		}
	}
	if !asJSON {
		return nil
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(rows)
}

// benchTimeout bounds the removal of an object.
const benchTimeout = 15 * time.Second

// benchOnce stores, fetches and removes an object, and returns the seconds of the first two.
func benchOnce(ctx context.Context, b store.Bucket, key string, data []byte) (put, get float64, err error) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), benchTimeout)
		defer cancel()
		err = errors.Join(err, b.Delete(ctx, key))
	}()
	begin := time.Now()
	if _, err := b.Put(ctx, key, bytes.NewReader(data), int64(len(data)), store.PutOptions{}); err != nil {
		return 0, 0, err
	}
	stored := time.Now()
	err = fetch(ctx, b, key)
	return stored.Sub(begin).Seconds(), time.Since(stored).Seconds(), err
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

const benchLine = "%10s  %10s  %10s  %12s  %10s  %10s  %12s\n"

func (r benchRow) print(w io.Writer) {
	rate := func(seconds float64) string { return bytesText(float64(r.Size)/max(seconds, 1e-6)) + "/s" }
	ms := func(seconds float64) string { return fmt.Sprintf("%.1f ms", seconds*1e3) }
	fmt.Fprintf(w, benchLine, bytesText(float64(r.Size)), ms(r.Put), ms(r.PutMax), rate(r.Put), ms(r.Get), ms(r.GetMax), rate(r.Get))
}
