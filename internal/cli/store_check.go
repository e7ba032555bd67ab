package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"templar/internal/clock"
	"templar/internal/node"
	"templar/internal/store"
	"templar/internal/store/check"
)

func storeCheck(std Std, back *node.Backends) *cobra.Command {
	var b bucketFlags
	cmd := &cobra.Command{
		Use: "check", Short: "Check in ten seconds whether a bucket will work",
		Long: `Test everything that a node requires of its bucket; report what fails and how to fix it:
reachability, the rights of the write key and of the key that others read with (which must
not write), clocks, latency, throughput, creating a key only once, the order of listings,
dates, ranges, uploads in parts, deleting. The test objects are removed, on Ctrl-C too.
The exit code is 1 when something failed.
` + bucketHelp,
		Example: `  templar store check --config miner.yaml
  templar store check --config miner.yaml --bucket-kind dataset --json
  templar store check --endpoint https://ACCOUNT.r2.cloudflarestorage.com --bucket mine --access-key ID --secret-file s`,
		Args: noArgs,
	}
	b.add(cmd.Flags())
	b.addRead(cmd.Flags())
	cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v, err := b.locate(cmd, std)
		if err != nil {
			return err
		}
		d := back.Buckets()
		defer d.Close()
		c := check.Config{Clock: clock.Wall{}}
		if v.canWrite() {
			bucket, release, err := d.DialOwn(v.write)
			if err != nil {
				return usageError{err}
			}
			defer release()
			c.Write = bucket
		}
		if v.read.AccessKey != "" { // a directory has no second key to try
			if c.Read, err = d.Dial(v.read); err != nil {
				return usageError{err}
			}
		}
		return checkBucket(cmd, c, v.reading())
	}
	return cmd
}

// checked is a check's outcome as JSON.
type checked struct {
	Endpoint string         `json:"endpoint"`
	Bucket   string         `json:"bucket"`
	OK       bool           `json:"ok"`
	Results  []check.Result `json:"results"`
}

var errCheck = errors.New("the bucket will not work as it is")

func checkBucket(cmd *cobra.Command, c check.Config, l store.Location) error {
	out := checked{Endpoint: l.Endpoint, Bucket: l.Bucket, Results: []check.Result{}}
	asJSON := isSet(cmd.Flags(), "json")
	c.Report = func(r check.Result) {
		out.Results = append(out.Results, r)
		if !asJSON {
			printStep(cmd.OutOrStdout(), 13, r)
		}
	}
	if !asJSON {
		fmt.Fprintf(cmd.OutOrStdout(), "bucket %q at %s\n", l.Bucket, l.Endpoint)
	}
	var err error
	if out.OK, err = check.Run(cmd.Context(), c); err != nil {
		return err
	}
	if asJSON {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		err = e.Encode(out)
	}
	if err == nil && !out.OK {
		err = errCheck
	}
	return err
}

// printStep writes a result whose name takes so many columns.
func printStep(w io.Writer, width int, r check.Result) {
	fmt.Fprintf(w, "%-4s  %-*s  %s\n", r.Status, width, r.Name, r.Detail)
	if r.Fix != "" {
		fmt.Fprintf(w, "%*s  -> %s\n", width+8, "", r.Fix)
	}
}
