package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"templar/internal/admin"
	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/human"
	"templar/internal/node"
	"templar/internal/userfile"
)

const (
	statusPatience = 5 * time.Second
	maxStatus      = 4 << 20 // bytes: 64 nodes of each role need far less
)

func statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status [URL|DIR]", Short: "Show what a running node or localnet is doing",
		Long: `Status asks a node's admin server what each node of its process is doing: the phase of its
loop, the last window that it has done and how long ago, the state of its parameters,
whether it keeps up, and what an evaluator has measured last: held-out loss, and tasks.
Name the server's URL, or the data directory of the node or localnet, which holds the URL
while it runs, or a folder in which only one such directory lies.

The exit code is 1 when a node is not ready.`,
		Example: `  templar status                      # the localnet in templar-localnet
  templar status templar-data
  templar status http://127.0.0.1:9300 --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("name one URL or folder")
			}
			return nil
		},
	}
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		at := "templar-localnet"
		if len(args) == 1 {
			at = args[0]
		}
		address, err := adminAddress(at)
		if err != nil {
			return err
		}
		b, err := fetchStatus(cmd.Context(), address)
		if err != nil {
			return err
		}
		var s node.ProcessStatus
		if err := json.Unmarshal(b, &s); err != nil {
			return fmt.Errorf("%s: not the status of a node: %w", address, err)
		}
		if *asJSON {
			_, err = cmd.OutOrStdout().Write(b)
		} else {
			err = printStatus(cmd.OutOrStdout(), s, time.Now())
		}
		if err == nil && !s.Health.Ready {
			err = fmt.Errorf("not ready: %s", s.Health.Reason)
		}
		return err
	}
	return cmd
}

// adminAddress is the address of an admin server, given as such or as a data directory.
func adminAddress(at string) (string, error) {
	if strings.Contains(at, "://") {
		u, err := url.Parse(at)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return "", usagef("%q is not a URL: want http://host:port", at)
		}
		return strings.TrimSuffix(at, "/"), nil
	}
	dir, err := userfile.Expand(at)
	if err != nil {
		return "", usageError{err}
	}
	address, err := admin.FindNear(dir)
	if errors.Is(err, admin.ErrNotRunning) {
		return "", fmt.Errorf("%w: start the node, or give the URL that its log names as \"admin server\"", err)
	}
	return address, err
}

func fetchStatus(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/status", nil)
	if err != nil {
		return nil, usageError{err}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxStatus))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s/status: %s", address, resp.Status)
	}
	return b, err
}

// printStatus writes a line for each node. What nodes report may come from other machines, so
// control characters are removed.
func printStatus(w io.Writer, s node.ProcessStatus, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "node\trole\tuid\tphase\twindow\tdone\tfinal\tago\tstate\tsent\treceived\tready")
	for _, n := range s.Nodes {
		uid, done, final, ago, state, ready := "-", "-", "-", "-", "-", "yes"
		if n.Role == "miner" || n.Role == "validator" {
			uid = fmt.Sprint(n.UID)
		}
		if d := n.Done; d != nil {
			done, ago = fmt.Sprint(d.Window), human.Elapsed(now.Sub(d.Time))
			if !d.State.IsZero() {
				state = d.State.Short()
			}
		}
		if n.Final != nil {
			final = fmt.Sprint(n.Final.Window)
		}
		if n.Provisional {
			state = "provisional"
		}
		if !n.Ready {
			ready = "no: " + n.Reason
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", collect.Printable(n.Node), collect.Printable(string(n.Role)), uid,
			collect.Printable(n.Phase), n.Window, done, final, ago, state, human.Size(n.Store.BytesUp), human.Size(n.Store.BytesDown), collect.Printable(ready))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return printMeasurements(w, s.Nodes)
}

// printMeasurements writes what evaluators have measured last: a line for each value.
func printMeasurements(w io.Writer, nodes []node.NodeStatus) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := sync.OnceFunc(func() { fmt.Fprintln(t, "\nmeasured by\twindow\twhat\tvalue\tof") })
	for _, n := range nodes {
		by := collect.Printable(n.Node)
		if h := n.HeldOut; h != nil {
			head()
			fmt.Fprintf(t, "%s\t%d\theld-out loss\t%s\t%d tokens\n", by, h.Window, human.Fixed(h.Loss, 4), h.Tokens)
			fmt.Fprintf(t, "%s\t%d\tperplexity\t%s\t%d tokens\n", by, h.Window, human.Fixed(h.Perplexity, 2), h.Tokens)
		}
		if n.Tasks == nil {
			continue
		}
		for _, task := range n.Tasks.Tasks {
			head()
			fmt.Fprintf(t, "%s\t%d\t%s %s\t%s\t%d documents\n", by, n.Tasks.Window, collect.Printable(task.Task), collect.Printable(task.Metric), human.Percent(task.Value), task.Documents)
		}
	}
	return t.Flush()
}
