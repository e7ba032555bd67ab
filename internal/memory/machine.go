package memory

import (
	"bufio"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// Budget is what a process may use: the chosen size, otherwise nine tenths of the machine's
// memory, or of the limit of the control group that it runs in; 0 when none is known.
func Budget(chosen int64) int64 {
	if chosen > 0 {
		return chosen
	}
	return machine("/") / 10 * 9
}

// machine reads the files of Linux under root; elsewhere there are none.
func machine(root string) int64 {
	least := int64(0)
	take := func(n int64) {
		if n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	if b, err := os.ReadFile(filepath.Join(root, "proc/meminfo")); err == nil {
		for lines := bufio.NewScanner(strings.NewReader(string(b))); lines.Scan(); {
			if f := strings.Fields(lines.Text()); len(f) >= 2 && f[0] == "MemTotal:" {
				n, _ := strconv.ParseInt(f[1], 10, 64)
				take(n << 10)
			}
		}
	}
	groups := []string{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"}
	if b, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup")); err == nil {
		for line := range strings.Lines(string(b)) {
			if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
				groups = append(groups, filepath.Join("sys/fs/cgroup", path, "memory.max"))
			}
		}
	}
	for _, name := range groups {
		if b, err := os.ReadFile(filepath.Join(root, name)); err == nil {
			n, _ := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64) // "max" is no limit
			take(n)
		}
	}
	return least
}

// Limit makes the garbage collector keep the process within a budget, unless GOMEMLIMIT says
// otherwise. Without it the heap could grow to twice what is in use. It is for main packages:
// the limit is the whole process's.
func Limit(budget int64, getenv func(string) string) {
	if budget > 0 && getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(budget)
	}
}
