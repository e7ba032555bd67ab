package telemetrytest_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"templar/internal/telemetry"
	"templar/internal/telemetry/influx"
	"templar/internal/telemetry/prom"
	"templar/internal/telemetry/telemetrytest"
	"templar/internal/telemetry/wandb"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/ops/metrics.md")

const doc = "../../../docs/ops/metrics.md"

// TestMetricsDoc compares the tables of docs/ops/metrics.md with what the sinks make of every kind of
// event. -update rewrites them. A field without a unit and a meaning in the glossary fails.
func TestMetricsDoc(t *testing.T) {
	b, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	want := string(b)
	for name, table := range map[string]string{"prometheus": prometheus(), "influxdb": influxdb(t), "original": original(), "wandb": weights()} {
		begin, end := "<!-- begin "+name+": made by go test ./internal/telemetry/telemetrytest -update -->\n", "<!-- end "+name+" -->\n"
		before, rest, ok := strings.Cut(want, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s has no place for %s", doc, name)
		}
		want = before + begin + table + end + after
	}
	if *update {
		if err := os.WriteFile(doc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(b) {
		t.Errorf("%s is not what the code does: run this test with -update", doc)
	}
}

func prometheus() string {
	var b strings.Builder
	b.WriteString("| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n")
	for _, m := range prom.All() {
		labels := ""
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Type, m.Unit, labels, m.Help)
	}
	return b.String()
}

// at is a node's events of two windows.
func at(role telemetry.Role) (out []telemetry.Event) {
	for _, e := range append(telemetrytest.Window(10, 10, time.Unix(1, 0)), telemetrytest.Window(10, 11, time.Unix(9, 0))...) {
		if e.Role == role {
			out = append(out, e)
		}
	}
	return out
}

func roles() []telemetry.Role {
	return []telemetry.Role{telemetry.Miner, telemetry.Aggregator, telemetry.Validator, telemetry.Evaluator}
}

// measurement is what is known of a measurement from its points.
type measurement struct {
	roles  []string
	tags   []string
	fields []string
	types  map[string]string
}

// measurements reads points in line protocol.
func measurements(of func([]telemetry.Event) [][]byte) map[string]*measurement {
	all := map[string]*measurement{}
	for _, role := range roles() {
		for _, line := range of(at(role)) {
			head, fields, _ := strings.Cut(string(line), " ")
			tags := strings.Split(head, ",")
			m := all[tags[0]]
			if m == nil {
				m = &measurement{types: map[string]string{}}
				all[tags[0]] = m
			}
			if !slices.Contains(m.roles, string(role)) {
				m.roles = append(m.roles, string(role))
			}
			for _, tag := range tags[1:] {
				if name, _, _ := strings.Cut(tag, "="); !slices.Contains(m.tags, name) {
					m.tags = append(m.tags, name)
				}
			}
			for _, f := range regexp.MustCompile(`([a-z0-9_]+)=("(?:\\.|[^"\\])*"|[^,\s]+)`).FindAllStringSubmatch(fields, -1) {
				name, kind := f[1], "float"
				switch {
				case strings.HasPrefix(f[2], `"`):
					kind = "text"
				case strings.HasSuffix(f[2], "i"):
					kind = "integer"
				case f[2] == "true" || f[2] == "false":
					kind = "boolean"
				}
				if name = regexp.MustCompile(`^skipped_(late|missing)$`).ReplaceAllString(name, "skipped_<verdict>"); !slices.Contains(m.fields, name) {
					m.fields = append(m.fields, name)
				}
				m.types[name] = kind
			}
		}
	}
	return all
}

func influxdb(t *testing.T) string {
	all := measurements(func(events []telemetry.Event) (out [][]byte) {
		for _, e := range events {
			out = append(out, influx.Points(e)...)
		}
		return out
	})
	var b strings.Builder
	b.WriteString("| measurement | of | tags | fields (type) |\n|---|---|---|---|\n")
	used := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		var fields []string
		for _, f := range m.fields {
			fields = append(fields, fmt.Sprintf("`%s` (%s)", f, m.types[f]))
			used[f] = m.types[f]
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s |\n", name, strings.Join(m.roles, ", "), strings.Join(m.tags, "`, `"), strings.Join(fields, ", "))
	}
	b.WriteString("\n| field | unit | meaning |\n|---|---|---|\n")
	for _, f := range slices.Sorted(maps.Keys(used)) {
		entry, ok := glossary()[f]
		if !ok {
			t.Errorf("the field %s is not in the glossary of this test", f)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f, entry[0], entry[1])
	}
	for f := range glossary() {
		if _, ok := used[f]; !ok {
			t.Errorf("the glossary has %s, which no sink writes", f)
		}
	}
	return b.String()
}

// glossary has the unit and the meaning of each field of our own measurements.
func glossary() map[string][2]string {
	return map[string][2]string{
		"acc": {"", "share of the documents whose right answer was the most likely, 0 to 1"}, "acc_norm": {"", "likewise, by the likelihood of a character"},
		"acc_stderr": {"", "standard error of acc"}, "acc_norm_stderr": {"", "standard error of acc_norm"}, "documents": {"", "of a task, measured"},
		"log_likelihood": {"nats", "of the right answers, mean"}, "shots": {"", "worked examples before each question"},
		"accepted": {"", "the chain accepted the weights"}, "aggregate_seconds": {"seconds", "to combine the gradients, as the Aggregate says"},
		"batches": {"", "batches trained on"}, "binary_average": {"", "moving average of +1 and -1; -1 to 1"}, "bits_per_byte": {"bits", "loss for each byte of text"},
		"block": {"", "block of the chain that has the weights"}, "bytes": {"bytes", "size of what was stored or fetched"},
		"engine_cpu_seconds": {"seconds", "processor time of the engine's threads since the node started"}, "engine_seconds": {"seconds", "time in which the engine has computed since the node started"},
		"evaluated": {"", "the validator measured the miner in this window"}, "final": {"", "final score"}, "gather_seconds": {"seconds", "to gather, as the Aggregate says"},
		"gradient_score": {"", "relative improvement of the loss on random pages when last evaluated"}, "gradients": {"", "gradients that the recomputed Aggregate names"},
		"left_out": {"", "selected peers whose gradients were valid, and that the Aggregate leaves out"},
		"honest":   {"", "the Aggregate is what its gradients give"}, "l2": {"", "Euclidean distance of the sampled parameters"}, "learning_rate": {"", "of the window"},
		"loss": {"nats a token", "mean; of a miner before the update"}, "mean_abs": {"", "mean absolute difference of the sampled parameters"}, "miners": {"", "miners measured"},
		"mu": {"", "OpenSkill rating: mean"}, "ok": {"", "the sync sample can be used"}, "ordinal": {"", "mu - 3 sigma"}, "ours": {"", "this aggregator's Aggregate counts"},
		"own_after": {"nats a token", "loss on the miner's own pages after a step along its gradient"}, "own_before": {"nats a token", "and before it"},
		"pages": {"", "pages trained on"}, "parameters": {"", "of the model"}, "peers": {"", "peers asked"}, "peers_included": {"", "gradients in the Aggregate"},
		"peers_selected": {"", "peers selected"}, "peers_skipped": {"", "selected peers that are not in the Aggregate"}, "penalties": {"", "penalties in this window"},
		"perplexity": {"tokens", "e^loss"}, "provisional": {"", "the window was passed without its Aggregate"}, "publish_seconds": {"seconds", "until the Aggregate that counts was read back"},
		"random_after": {"nats a token", "loss on the common pages after a step along the gradient"}, "random_before": {"nats a token", "and before it"},
		"same_state": {"", "the miner's state hash is the validator's"}, "seconds": {"seconds", "duration"}, "sigma": {"", "OpenSkill rating: standard deviation"},
		"skipped_<verdict>": {"", "peers that could not be used, by verdict (docs/spec/wire.md), with _ for -"}, "skipped_uids": {"", "their uids, a JSON list"},
		"start_window": {"", "of the run"}, "step": {"windows", "since the start window"}, "steps_behind": {"updates", "distance of the sample in sizes of an update"},
		"success_rate": {"", "share of the peers that can be used, 0 to 1"}, "sync_score": {"", "closeness to the validator's parameters, 0 to 1"},
		"tokens": {"tokens", "trained on, or predicted"}, "weight": {"", "share of the validator's weights"}, "window": {"", "the window"},
	}
}

func original() string {
	all := measurements(influx.OriginalPoints)
	var b strings.Builder
	b.WriteString("| measurement | tags | fields |\n|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "| `%s` | `%s` | `%s` |\n", name, strings.Join(all[name].tags, "`, `"), strings.Join(all[name].fields, "`, `"))
	}
	return b.String()
}

func weights() string {
	var b strings.Builder
	b.WriteString("| role | values |\n|---|---|\n")
	for _, role := range roles() {
		var names []string
		for _, v := range wandb.Values(at(role)) {
			if name := regexp.MustCompile(`/\d+`).ReplaceAllString(v.Name, "/<uid>"); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		fmt.Fprintf(&b, "| %s | `%s` |\n", role, strings.Join(names, "`, `"))
	}
	return b.String()
}
