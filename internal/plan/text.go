package plan

import (
	"fmt"
	"io"
	"text/tabwriter"

	"templar/internal/dashboard/human"
	"templar/internal/memory"
)

// Write prints a plan for people.
func (out *Plan) Write(w io.Writer) error {
	fmt.Fprintf(w, "%s parameters; windows of %s; a miner trains %d tokens in each, at %.0f a second\n",
		human.Count(out.Parameters), clock(out.Window), out.Tokens, out.Machines.TokensPerSecond)
	m := out.Machines
	fmt.Fprintf(w, "links (up/down): nodes %s, aggregator %s, its store %s; %d miners, %d validators\n\n", m.Node, m.Server, m.Store, m.Miners, m.Validators)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "phase\tseconds\tlargest\tbound\t\n")
	fmt.Fprintf(t, "train\t%.2f\t\t\t\n", out.Training)
	for _, ph := range out.Phases {
		bound := ""
		if ph.Bound > 0 {
			bound = fmt.Sprintf("%.4g", ph.Bound)
		}
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%s\t\n", ph.Name, ph.Seconds, ph.Largest, bound)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\na gradient has %s, at most %s; an Aggregate %s, at most %s; seconds are for the former, bounds have to fit the largest\n",
		human.Size(out.Payload), human.Size(out.Largest.Payload), human.Size(out.Update), human.Size(out.Largest.Update))
	fmt.Fprintf(w, "the state's hash takes %.2f s while the next window trains\n", out.Hashing)
	fmt.Fprintf(w, "utilisation of a miner's engine: %.0f %%\n\n", 100*out.Utilisation)
	devices := false
	fmt.Fprintf(t, "role\tup a window\tdown a window\tmemory\tbucket\tholds\t\n")
	for _, r := range out.Roles {
		need := memory.Format(r.Memory)
		if r.MemoryUsed > r.Memory {
			need += " to " + memory.Format(r.MemoryUsed)
		}
		if r.Device > 0 {
			need += ", device " + memory.Format(r.Device)
			devices = true
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t\n", r.Role, upTo(r.Up, r.Largest.Up), upTo(r.Down, r.Largest.Down), need, upTo(r.Bucket, r.Largest.Bucket), r.BucketSays)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if devices {
		fmt.Fprintf(w, "memory is the machine's own, and the model's state on the device, beside which a batch takes more\n")
	}
	for _, f := range out.Faults {
		fmt.Fprintf(w, "\ndoes not fit: %s", f)
	}
	if len(out.Faults) > 0 {
		fmt.Fprintln(w)
	}
	return nil
}

// upTo writes an expected size, and the largest if that is another.
func upTo(size, largest int64) string {
	if s, l := human.Size(size), human.Size(largest); s != l {
		return s + " to " + l
	}
	return human.Size(size)
}

// String writes a link as UP/DOWN.
func (l Link) String() string { return bits(l.Up) + "/" + bits(l.Down) }

// bits writes a link's speed, which has decimal prefixes.
func bits(n float64) string {
	units := []string{"b/s", "kb/s", "Mb/s", "Gb/s"}
	for n >= 999.5 && len(units) > 1 {
		n, units = n/1000, units[1:]
	}
	return fmt.Sprintf("%.3g %s", n, units[0])
}
