package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"templar/internal/admin"
	"templar/internal/clock"
	"templar/internal/config"
	"templar/internal/dashboard/collect"
	"templar/internal/dashboard/web"
	"templar/internal/telemetry"
	"templar/internal/userfile"
)

func (a App) open(std Std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "open [DIR]", Short: "Show a localnet's page, also after the run has ended",
		Long: `Open serves the page of a localnet's data directory until Ctrl-C: losses, scores, windows and
states of a run that has ended or was stopped. While the run is under way, the page of the
running process is named instead. A file of "templar localnet --json" can be opened too.`,
		Example: `  templar open
  templar open templar-localnet --admin 127.0.0.1:8080`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("name one folder")
			}
			return nil
		},
	}
	address := cmd.Flags().String("admin", config.Default().Admin.Address, "address of the page")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		at := "templar-localnet"
		if len(args) == 1 {
			at = args[0]
		}
		dir, err := userfile.Expand(at)
		if err != nil {
			return usageError{err}
		}
		if url, err := admin.Find(dir); err == nil {
			if _, err := fetchStatus(cmd.Context(), url); err == nil {
				_, err = fmt.Fprintln(std.Out, url)
				return err
			}
		}
		if err := checkAdmin(*address); err != nil {
			return err
		}
		if *address == config.AdminOff {
			return usagef("--admin off: there would be no page: leave it out")
		}
		r, err := readRun(dir)
		if err != nil {
			return err
		}
		log, err := logger(cmd, std)
		if err != nil {
			return err
		}
		page := web.New(ended(r), clock.Wall{}, web.Options{Title: filepath.Base(dir), Version: a.Version, Closed: true})
		s, err := admin.Listen(*address, admin.Options{Page: page, Log: log})
		if err != nil {
			return err
		}
		fmt.Fprintln(std.Out, s.URL())
		fmt.Fprintln(std.Err, "Ctrl-C ends")
		return s.Run(cmd.Context())
	}
	return cmd
}

// readRun reads the report of a data directory, or a report.
func readRun(at string) (collect.Summary, error) {
	r, err := collect.ReadJSON(filepath.Join(at, "report.json"))
	if err == nil {
		return r, nil
	}
	if file, err := collect.ReadJSON(at); err == nil {
		return file, nil
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		err = fmt.Errorf("%w: name the data directory of a localnet, or a file of \"templar localnet --json\"", err)
	}
	return collect.Summary{}, err
}

// checkAdmin checks the address of an admin server, before anything is made.
func checkAdmin(address string) error {
	if address == config.AdminOff {
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if _, no := strconv.ParseUint(port, 10, 16); err != nil || no != nil {
		return usagef("--admin: %q is not an address: want host:port, like 127.0.0.1:9300, port 0 for a free one", address)
	}
	return nil
}

// ended is a collector that knows a run by its report only.
func ended(r collect.Summary) *collect.Collector {
	m := collect.Meta{Preset: r.Preset, Seed: r.Seed, Corpus: r.Corpus, TokenUnit: r.TokenUnit, UnigramEntropy: float64(r.UnigramEntropy), Windows: len(r.Windows)}
	for _, p := range r.Miners {
		m.Nodes = append(m.Nodes, collect.Member{Name: p.Node, Role: telemetry.Miner, UID: p.UID})
	}
	c := collect.NewCollector(m)
	c.Resume(r)
	return c
}
