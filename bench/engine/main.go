// Command engine measures training steps (forward and backward) of the CPU engine
// beside PyTorch and prints a table: tokens/s, ratios, scaling from one core to two,
// and peak memory. Contenders take turns, and the best of all their steps counts, so
// that other load on the machine affects all equally.
//
//	go run ./bench/engine -python VENV/bin/python
//
// The interpreter needs testkit/engine/requirements.txt; without an interpreter, PyTorch is left out.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// job is one measurement, passed to a process of its own.
type job struct {
	Model   map[string]any `json:"model"`
	Rows    int            `json:"rows"`
	Cols    int            `json:"cols"`
	Threads int            `json:"threads"`
	Seconds float64        `json:"seconds"`
	BLAS    string         `json:"blas"`
}

// result is the output of such a process.
type result struct {
	Seconds float64 // best of a step
	What    string
	Peak    int64 // bytes of the process
	Needed  int64 // bytes of parameters, gradients, momentum and activations
}

type contender struct {
	name    string
	command []string
	job     job
	best    result
	err     error
}

func main() {
	python := flag.String("python", "", "interpreter that has PyTorch and transformers")
	rounds := flag.Int("rounds", 4, "turns of each contender")
	seconds := flag.Float64("seconds", 2, "of a turn")
	only := flag.String("only", "", "contenders to measure, separated by commas (default all)")
	worker := flag.String("job", "", "measure one job, in JSON, and print the result")
	flag.Parse()
	run := func() error { return compare(*python, *only, *rounds, *seconds) }
	if *worker != "" {
		run = func() error { return work(*worker) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func compare(python, only string, rounds int, seconds float64) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	list, err := contenders(dir, python, only, seconds)
	if err != nil {
		return err
	}
	for range rounds {
		for i := range list {
			list[i].turn()
		}
	}
	report(list)
	return nil
}

// contenders builds the programs.
func contenders(dir, python, only string, seconds float64) (list []contender, err error) {
	base := job{Rows: 8, Cols: 128, Seconds: seconds, BLAS: "builtin", Model: map[string]any{
		"vocab_size": 1024, "hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4,
		"intermediate_size": 688, "max_position_embeddings": 256, "rope_theta": 10000, "rms_norm_eps": 1e-6,
		"tie_word_embeddings": false, "initializer_range": 0.02,
	}}
	add := func(name string, threads int, blas string, command ...string) {
		if only != "" && !slices.Contains(strings.Split(only, ","), name) {
			return
		}
		j := base
		j.Threads, j.BLAS = threads, blas
		list = append(list, contender{name: name, command: command, job: j})
	}
	if python != "" {
		for _, threads := range []int{1, 2} {
			add("PyTorch", threads, "", python, "bench/engine/step.py")
		}
	}
	for _, build := range []struct{ name, tags, blas string }{{"builtin", "", "builtin"}, {"OpenBLAS", "openblas", "openblas"}, {"pure Go", "noasm", "builtin"}} {
		binary := filepath.Join(dir, strings.ReplaceAll(build.name, " ", ""))
		if out, err := exec.Command("go", "build", "-tags", build.tags, "-o", binary, "./bench/engine").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w: %s", build.name, err, out)
		}
		for _, threads := range []int{1, 2} {
			add(build.name, threads, build.blas, binary, "-job")
		}
	}
	return list, nil
}

// turn measures once and keeps the better result.
func (c *contender) turn() {
	text, err := json.Marshal(c.job)
	if err != nil {
		c.err = err
		return
	}
	cmd := exec.Command(c.command[0], append(c.command[1:], string(text))...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var r result
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil {
		c.err = err
		return
	}
	if c.best.Seconds == 0 || r.Seconds < c.best.Seconds {
		c.best = r
	}
}

func report(list []contender) {
	speed := func(c contender) float64 { return float64(c.job.Rows*c.job.Cols) / c.best.Seconds }
	find := func(name string, threads int) float64 {
		for _, c := range list {
			if c.name == name && c.job.Threads == threads && c.best.Seconds > 0 {
				return speed(c)
			}
		}
		return 0
	}
	fmt.Println("| engine | threads | ms a step | tokens/s | to PyTorch | to 1 thread | peak MiB | parameters, gradients, momentum, activations, MiB |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, c := range list {
		if c.best.Seconds == 0 {
			fmt.Printf("| %s | %d | failed: %v | | | | | |\n", c.name, c.job.Threads, c.err)
			continue
		}
		fmt.Printf("| %s | %d | %.1f | %.0f | %s | %s | %s | %s |\n", c.name, c.job.Threads, 1000*c.best.Seconds, speed(c),
			ratio(speed(c), find("PyTorch", c.job.Threads)), ratio(speed(c), find(c.name, 1)), mib(c.best.Peak), mib(c.best.Needed))
	}
	for _, c := range list {
		if c.job.Threads == 1 && c.best.What != "" {
			fmt.Printf("\n%s: %s", c.name, c.best.What)
		}
	}
	fmt.Println()
}

func ratio(a, b float64) string {
	if b == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", a/b)
}

func mib(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", float64(n)/(1<<20))
}
