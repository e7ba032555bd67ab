package cli

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/cpu"

	"templar/internal/kernel/gemm"
	"templar/internal/kernel/openblas"
	"templar/internal/workers"
)

func doctor() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Show what this machine computes with",
		Long: `Show the processor's features, the libraries that multiply matrices, the speed of one core, and the
GPUs with what their engine needs.`,
		Example: "  templar doctor", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), `go        %s %s/%s, %d cores
features  %s
builtin   %s kernel, %.0f GFLOP/s on one core
openblas  %s
`, runtime.Version(), runtime.GOOS, runtime.GOARCH, workers.Cores(), features(), gemm.Kernel(), speed(), openBLAS())
			return err
		},
	}
}

func features() string {
	var have []string
	for _, f := range []struct {
		name string
		has  bool
	}{{"avx2", cpu.X86.HasAVX2}, {"fma", cpu.X86.HasFMA}, {"avx512", cpu.X86.HasAVX512}, {"neon", cpu.ARM64.HasASIMD}} {
		if f.has {
			have = append(have, f.name)
		}
	}
	if have == nil {
		return "none that this program uses"
	}
	return strings.Join(have, " ")
}

func openBLAS() string {
	lib, err := openblas.Load("")
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		return "no: " + reason
	}
	return lib.String()
}

// speed measures a few multiplications and takes the best time.
func speed() float64 {
	const n = 256
	a, b, c := gemm.Dense(make([]float32, n*n), n, n), gemm.Dense(make([]float32, n*n), n, n), gemm.Dense(make([]float32, n*n), n, n)
	g, best := gemm.New(gemm.Serial{}), time.Duration(1<<62)
	for begin := time.Now(); time.Since(begin) < 100*time.Millisecond; {
		once := time.Now()
		g.Mul(c, a, b, false)
		best = min(best, time.Since(once))
	}
	return 2 * n * n * n / best.Seconds() / 1e9
}
