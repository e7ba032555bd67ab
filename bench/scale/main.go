//go:build linux

// Command scale runs one role at a time at the size of a real run, with all steps of a window but the training step: real
// codec, objects, disk, and HTTP to the embedded S3 server over links of stated speeds. It prints each phase's time and peak
// memory against the run's window.
//
//	go run ./bench/scale -preset tiny                     seconds
//	go run ./bench/scale                                  the 1b preset: README.md has time, memory and disk
//	go run ./bench/scale -only miner,aggregator/publish   these alone
//	go run ./bench/scale links                            utilisation of 16 miners over links, simulated
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"templar/internal/harness"
	"templar/internal/memory"
	"templar/internal/run"
	"templar/internal/telemetry"
	"templar/protocol"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "scale:", err)
		}
		stop()
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	switch {
	case len(args) > 0 && args[0] == "links":
		return links(ctx, args[1:], stdout, stderr)
	case len(args) == 2 && args[0] == "child":
		return child(ctx, args[1], stdout)
	}
	return measure(ctx, args, stdout, stderr)
}

// kind is a role, or a time in a role's life, that runs in a process of its own.
type kind struct {
	name   string
	role   telemetry.Role
	phases []string // in order; those on links have an entry for each rate
	linked []string // of the phases
}

var kinds = []kind{
	{"announce", telemetry.Validator, []string{"theta_0", "post"}, nil},
	{"join", telemetry.Miner, []string{"accept", "theta_0"}, []string{"accept"}},
	{"import", telemetry.Validator, []string{"store", "post"}, nil},
	{"fetch", telemetry.Miner, []string{"accept", "half", "rest"}, []string{"accept", "half", "rest"}},
	{"miner", telemetry.Miner, []string{"theta_0", "accumulate", "compress", "seal", "upload", "feedback", "fetch", "apply", "hash", "sample", "checkpoint"}, []string{"upload", "fetch"}},
	{"restart", telemetry.Miner, []string{"restore", "catch-up"}, nil},
	{"aggregator", telemetry.Aggregator, []string{"gather", "aggregate", "publish", "archive"}, nil},
	{"validator", telemetry.Validator, []string{"theta_0", "gather", "open", "aggregate", "trials", "apply", "hash", "sample", "checkpoint"}, []string{"gather"}},
}

// spec is what a child process does.
type spec struct {
	What      string // "serve", "prepare", or "run"
	Kind      string
	Preset    string
	Dir       string
	Endpoints map[string]string // of the server, by rate in Mb/s
	Server    string            // rate of the aggregator's link
	Rates     []string          // of nodes' links
	Peers     int
	Windows   int // to catch up
	Break     int // MB after which the aggregator's connection breaks, once; 0: it does not
	Budget    int64
	Last      string // phase after which the child ends; empty: all
}

// line is what a child writes: a phase that begins, or one that has ended.
type line struct {
	Phase   string  `json:"phase"`
	Begins  bool    `json:"begins,omitempty"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"`
	Bytes   int64   `json:"bytes,omitempty"` // that were sent, fetched or written
	Peak    int64   `json:"peak_bytes,omitempty"`
}

// result is a role's.
type result struct {
	Kind   string `json:"role"`
	Peak   int64  `json:"peak_bytes"`
	Phases []line `json:"phases"`
	Plan   int64  `json:"plan"` // that a role holds by package memory, beside its engine
}

// report is what -json prints.
type report struct {
	Preset     string   `json:"preset"`
	Parameters int64    `json:"parameters"`
	Window     float64  `json:"window_seconds"`
	Cores      int      `json:"cores"`
	Budget     int64    `json:"memory_budget_bytes"`
	Roles      []result `json:"roles"`
}

type bench struct {
	spec
	run    run.Run
	only   []string
	cores  int
	stderr io.Writer
}

// measure runs all roles, one after the other.
func measure(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	b := &bench{stderr: stderr}
	f := flag.NewFlagSet("scale", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&b.Preset, "preset", "1b", "run parameters: "+strings.Join(protocol.Presets(), ", "))
	only := f.String("only", "", "roles, or ROLE/PHASE, with commas; a role ends after the last of its phases that is named; empty: all")
	rates := f.String("rates", "100,300,1000", "links of a miner and a validator, in Mb/s")
	f.StringVar(&b.Server, "server", "1000", "the aggregator's link in Mb/s, which has the slowest side of server and store")
	f.IntVar(&b.Peers, "peers", 15, "gradients in a window")
	f.IntVar(&b.Windows, "windows", 5, "windows to catch up")
	f.IntVar(&b.Break, "break", 0, "break the connection over which so many MB of an aggregator come to its bucket, once; then publish shows all bytes that were sent")
	f.IntVar(&b.cores, "cores", 2, "cores of a role's process, and of the server's")
	budget := f.Int64("memory", 24<<10, "memory that a role may use, in MiB")
	dir := f.String("dir", os.TempDir(), "folder for the store's and the nodes' files, which are removed at the end")
	asJSON := f.Bool("json", false, "print JSON")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%q is not expected: flags only, or links; see -help", f.Arg(0))
	}
	p, err := protocol.Preset(b.Preset)
	if err != nil {
		return err
	}
	if b.run, err = run.New(p, harness.Methods()); err != nil {
		return err
	}
	b.Budget, b.Rates = *budget<<20, strings.Split(*rates, ",")
	for _, r := range append([]string{b.Server}, b.Rates...) {
		if x, err := strconv.ParseFloat(r, 64); err != nil || !(x > 0) {
			return fmt.Errorf("%q is not a rate in Mb/s above 0", r)
		}
	}
	if b.Break < 0 {
		return errors.New("-break must be 0 or more")
	}
	if b.Peers < 1 || b.Windows < 1 || b.cores < 1 || b.Budget < 1 {
		return errors.New("-peers, -windows, -cores and -memory must be 1 or more")
	}
	if *only != "" {
		b.only = strings.Split(*only, ",")
	}
	if err := b.checkOnly(); err != nil {
		return err
	}
	needs, disk := b.needs()
	if err := check(*dir, needs, disk); err != nil {
		return err
	}
	if b.Dir, err = os.MkdirTemp(*dir, "templar-scale-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.Dir)
	all := report{Preset: b.Preset, Parameters: int64(b.run.Space.Size()), Window: p.WindowTime().Seconds(), Cores: b.cores, Budget: b.Budget}
	fmt.Fprintf(stderr, "%s: %d parameters; up to %s of memory and %s of disk\n", b.Preset, all.Parameters, memory.Format(needs), memory.Format(disk))
	for _, k := range kinds {
		if last, wanted := b.last(k); wanted {
			r, err := b.role(ctx, k, last)
			if err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return fmt.Errorf("%s: %w", k.name, err)
			}
			all.Roles = append(all.Roles, r)
		}
	}
	if *asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", " ")
		return e.Encode(all)
	}
	return all.write(stdout, b.Rates)
}

// checkOnly refuses names that do not exist.
func (b *bench) checkOnly() error {
	var known []string
	for _, k := range kinds {
		known = append(known, k.name)
		for _, p := range k.phases {
			known = append(known, k.name+"/"+p)
		}
	}
	for _, name := range b.only {
		if !slices.Contains(known, name) {
			return fmt.Errorf("-only: no role or phase %q: have %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// last is the last phase of a role that is wanted; empty when that is all.
func (b *bench) last(k kind) (phase string, wanted bool) {
	if b.only == nil || slices.Contains(b.only, k.name) {
		return "", true
	}
	for _, p := range k.phases {
		if slices.Contains(b.only, k.name+"/"+p) {
			phase = p
		}
	}
	return phase, phase != ""
}

// shows reports whether a phase is wanted.
func (b *bench) shows(k kind, phase string) bool {
	name, _, _ := strings.Cut(phase, " ")
	return b.only == nil || slices.Contains(b.only, k.name) || slices.Contains(b.only, k.name+"/"+name)
}

// needs is the most memory of a role that is wanted, with the server's, and the disk of what its store and folder hold.
func (b *bench) needs() (needs, disk int64) {
	vector := 4 * int64(b.run.Space.Size())
	m := b.run.Method
	for _, k := range kinds {
		if _, wanted := b.last(k); !wanted {
			continue
		}
		total := memory.Of(k.role, b.run, memory.Host).Total()
		if k.name == "aggregator" { // its gradients are made before, from a vector and its transform
			total = max(total, 3*vector)
		}
		if (&spec{Kind: k.name}).begins() { // no window begins: the state, and one that was drawn in vain
			total = 2 * vector
		}
		needs = max(needs, total+(256<<20))
		of := map[string]int64{
			"announce":   0,
			"join":       0,
			"import":     2 * vector, // the folder and the store
			"fetch":      3 * vector, // and the download
			"miner":      int64(1+m.Vectors)*vector + int64(b.Windows)*m.MaxUpdate + int64(len(b.Rates))*m.MaxPayload,
			"restart":    int64(1+m.Vectors)*vector + int64(b.Windows)*m.MaxUpdate,
			"aggregator": 3*int64(b.Peers)*m.MaxPayload + 3*m.MaxUpdate,
			"validator":  vector + int64(b.Peers)*m.MaxPayload + int64(b.Windows)*m.MaxUpdate,
		}[k.name]
		disk = max(disk, of+(64<<20))
	}
	return needs, disk
}

// role runs a server, then what a role needs, then the role.
func (b *bench) role(ctx context.Context, k kind, last string) (out result, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s := b.spec
	s.Kind, s.Last, s.Dir = k.name, last, filepath.Join(b.Dir, k.name)
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return out, err
	}
	defer os.RemoveAll(s.Dir)
	server, err := b.serve(ctx, &s)
	if err != nil {
		return out, err
	}
	defer func() {
		stop()
		_ = server.Wait() // it was signalled to end
	}()
	fmt.Fprintf(b.stderr, "%s: preparing what others have published ...\n", k.name)
	s.What = "prepare"
	if err := b.child(ctx, s, func(line) {}); err != nil {
		return out, err
	}
	s.What, out.Kind, out.Plan = "run", k.name, memory.Of(k.role, b.run, memory.Host).Total()
	err = b.child(ctx, s, func(l line) {
		switch {
		case l.Begins:
			fmt.Fprintf(b.stderr, "%s: %s ...\n", k.name, l.Phase)
		case l.Phase == "":
			out.Peak = max(out.Peak, l.Peak)
		default:
			out.Peak = max(out.Peak, l.Peak)
			if b.shows(k, l.Phase) {
				out.Phases = append(out.Phases, l)
			}
			fmt.Fprintf(b.stderr, "%s: %s: %.2f s\n", k.name, l.Phase, l.Seconds)
		}
	})
	return out, err
}

// serve starts the server, and notes its endpoints.
func (b *bench) serve(ctx context.Context, s *spec) (*exec.Cmd, error) {
	s.What = "serve"
	cmd, out, err := b.start(ctx, *s)
	if err != nil {
		return nil, err
	}
	if err := json.NewDecoder(out).Decode(&s.Endpoints); err != nil {
		return nil, errors.Join(fmt.Errorf("the server does not start: %w", err), cmd.Wait())
	}
	return cmd, nil
}

func (b *bench) start(ctx context.Context, s spec) (*exec.Cmd, io.ReadCloser, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, os.Args[0], "child", string(text))
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(b.cores))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Stderr = b.stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	return cmd, out, err
}

// child runs a process, and passes on what it writes.
func (b *bench) child(ctx context.Context, s spec, each func(line)) error {
	cmd, out, err := b.start(ctx, s)
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return errors.Join(fmt.Errorf("%s process wrote %q: %w", s.What, lines.Text(), err), cmd.Wait())
		}
		each(l)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s process: %w", s.What, err)
	}
	return nil
}

// write prints the table.
func (r *report) write(out io.Writer, rates []string) error {
	fmt.Fprintf(out, "%s: %d parameters, windows of %.0f s, %d cores, %s a role at most\n\n", r.Preset, r.Parameters, r.Window, r.Cores, memory.Format(r.Budget))
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "role\tphase\tseconds\tof the window\tCPU seconds\tMB\tpeak GiB\tplan GiB\t")
	for _, role := range r.Roles {
		for _, p := range role.Phases {
			fmt.Fprintf(t, "%s\t%s\t%.2f\t%.1f %%\t%.2f\t%s\t%s\t\t\n", role.Kind, p.Phase, p.Seconds, 100*p.Seconds/r.Window, p.CPU,
				orNone(float64(p.Bytes)/1e6, 1), orNone(float64(p.Peak)/(1<<30), 2))
		}
		fmt.Fprintf(t, "%s\tall\t\t\t\t\t%.2f\t%.2f\t\n", role.Kind, float64(role.Peak)/(1<<30), float64(role.Plan)/(1<<30))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, rate := range rates {
		if sum, ok := r.between(rate); ok {
			fmt.Fprintf(out, "\nbetween two trainings at %s Mb/s, in turn: %.1f s, %.0f %% of the window", rate, sum, 100*sum/r.Window)
		}
	}
	fmt.Fprintln(out)
	return nil
}

func orNone(x float64, digits int) string {
	if x == 0 {
		return "-"
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}

// between is the time from the end of one window's training to the begin of the next one's, when every phase waits for the one
// before and no other node shares the links.
func (r *report) between(rate string) (sum float64, ok bool) {
	want := []string{
		"miner compress", "miner seal", "miner upload " + rate, "aggregator gather", "aggregator aggregate", "aggregator publish",
		"miner fetch " + rate, "miner apply",
	}
	for _, role := range r.Roles {
		for _, p := range role.Phases {
			if at := slices.Index(want, role.Kind+" "+p.Phase); at >= 0 {
				sum += p.Seconds
				want = slices.Delete(want, at, at+1)
			}
		}
	}
	return sum, len(want) == 0
}
