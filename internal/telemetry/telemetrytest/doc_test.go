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
			head, fields, _ := strings.Cut(strings.ReplaceAll(string(line), `\,`, ";"), " ") // an escaped comma is part of a value
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

// The names of the original, of both versions. <task>/<metric> stands for those of a task.
var (
	originalValues = `miner/{loss,tokens_per_sec,batch_duration,total_tokens,batch_tokens,global_step,gpu_memory_allocated,gpu_memory_cached,gather_peers,effective_batch_size,learning_rate}
miner/{mean_grad_norm,max_grad_norm,min_grad_norm,grad_norm_std,mean_weight_norm,mean_momentum_norm,window_entry_loss,inner_lr}
miner/timing/{window_total,peer_update,data_loading,training,compression,gather,put,model_update} miner/gather/success_rate
validator/loss/own/{before,after,improvement} validator/loss/random/{before,after,improvement} validator/network/{block,window,step,evaluated_uids,active_miners}
validator/optimizer/{learning_rate,outer_lr,inner_lr} validator/gather/success_rate validator/timing/{window_total,peer_update,gather,evaluation,model_update}
validator/{gradient_scores,binary_indicators,binary_moving_averages,final_scores,sync_score,weights}/<uid> validator/openskill/{mu,sigma,ordinal}/<uid>
validator/sync/{l2_norm,avg_l2_norm,avg_abs_diff,sync_max_diff,avg_steps_behind,max_steps_behind}/<uid>
validator/slash/<uid>/{score_before,score_after,reason} validator/inactivity/<uid>/{score_before,score_after} validator/aggregator_gradient
validator/negative_eval/{count,frequency,total_evals}/<uid> validator/overlap/{pairs_checked,pairs_over_<pct>,ratio_over_<pct>,mean,min,max}
validator/gather/{intended_mean_final,actual_mean_final,reserve_used} gradient/{mean_grad_norm,max_grad_norm,min_grad_norm,median_grad_norm,grad_norm_std,mean_weight_norm,grad_to_weight_ratio}
compress/{min_median_block_norm,max_median_block_norm} aggregator/network/{block,window,selected_uids} aggregator/gather/{success_rate,successful_uids,failed_uids}
aggregator/timing/{window_total,gather,process,put} evaluator/benchmark/num_tasks evaluator/custom_eval/{perplexity,average_loss,bpb,runtime_s,total_tokens,total_bytes}
analyzer/gradients/<uid>/norm analyzer/indices/<uid>/{reuse_ratio,unique_count,total_count} analyzer/metadata/<uid>/{window,timestamp}
analyzer/similarity/<uid>/{avg_peer_similarity,max_peer_similarity,min_peer_similarity}`
	originalFields = `Mtraining_step_v2.{loss,n_gather_peers,gather_success_rate,gather_peers,skipped_peers,window_total_time,peer_update_time,compression_time,gather_time,put_time,model_update_time,tokens_per_sec}
Vvalidator_window_v2.{loss_own_before,loss_own_after,loss_own_improvement,loss_random_before,loss_random_after,loss_random_improvement,current_block,evaluated_uids_count,learning_rate,outer_lr,inner_lr}
Vvalidator_window_v2.{active_miners_count,gather_success_rate,window_total_time,peer_update_time,gather_time,evaluation_time,model_update_time,total_peers,total_skipped}
Vvalidator_scores.{gradient_score,binary_indicator,binary_moving_avg,sync_score,final_score,weight} Vvalidator_openskill.{mu,sigma,ordinal}
Vvalidator_sync_score.{l2_norm,avg_l2_norm,avg_abs_diff,max_diff,avg_steps_behind,max_steps_behind} Vvalidator_slash.{score_before,score_after,reason}
Vvalidator_inactivity.{score_before,score_after}
Vvalidator_gradient_stats.{mean_grad_norm,max_grad_norm,min_grad_norm,median_grad_norm,grad_norm_std,mean_weight_norm,grad_to_weight_ratio}
Aaggregation_step.{iteration,success_rate,peers_selected,successful_peers,failed_peers,gather_time,process_time,put_time,total_time,selected_uids,skipped_uids,block}
Ebenchmark_metrics.{lm_eval_exit_code,benchmark_runtime_s,block} Ebenchmark_task.{score,block} Ebenchmark_summary.{num_tasks,global_step,block_number,block}
Ecustom_evaluation.{perplexity,average_loss,bpb,runtime_s,world_size,total_tokens,total_bytes}
*.{sys_cpu_usage,sys_mem_used,sys_mem_total,gpu_mem_segments,gpu_mem_allocated_mb,gpu_mem_cached_mb,gpu_mem_total_mb}`
)

// expand expands the braces of names.
func expand(names string) (out []string) {
	for _, n := range strings.Fields(names) {
		before, rest, ok := strings.Cut(n, "{")
		if !ok {
			out = append(out, n)
			continue
		}
		inner, after, _ := strings.Cut(rest, "}")
		for _, word := range strings.Split(inner, ",") {
			out = append(out, before+word+after)
		}
	}
	return out
}

// TestOriginalNames: each value of the original is sent, or the table in docs/ops/metrics.md says why not. Never both.
func TestOriginalNames(t *testing.T) {
	var sent []string
	for _, role := range roles() {
		for _, v := range wandb.Values(at(role)) {
			sent = append(sent, regexp.MustCompile(`/\d+`).ReplaceAllString(v.Name, "/<uid>"))
		}
	}
	for name, m := range measurements(influx.OriginalPoints) {
		for _, f := range m.fields {
			sent = append(sent, name+"."+f)
		}
	}
	b, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "### What the original sends beside\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var excused []string
	for _, row := range regexp.MustCompile(`(?m)^\|.*$`).FindAllString(section, -1) {
		if cells := strings.Split(row, "|"); len(cells) == 5 {
			for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1]+cells[2], -1) {
				excused = append(excused, expand(name[1])...)
			}
		}
	}
	all := expand(originalValues + " " + originalFields)
	for _, name := range all {
		if in, out := slices.Contains(sent, name), slices.Contains(excused, name); in == out {
			t.Errorf("%s: sent %v, excused %v", name, in, out)
		}
	}
	for _, name := range excused {
		if !slices.Contains(all, name) {
			t.Errorf("%s is excused, and not of the original", name)
		}
	}
}
