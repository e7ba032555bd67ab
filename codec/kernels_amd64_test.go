//go:build !noasm

package codec

import (
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/cpu"
)

// The whole codec with the assembly switched off: the same bits.
func TestSameBitsWithoutAssembly(t *testing.T) {
	if !cpu.X86.HasAVX2 {
		t.Skip("no AVX2 to switch off")
	}
	c := newCodec(t, large(), Spec{TargetChunk: 64, TopK: 32})
	want := everything(t, c, []int{0, 1, 2})
	cpu.X86.HasAVX2 = false
	defer func() { cpu.X86.HasAVX2 = true }()
	for workers := 1; workers <= 2; workers++ {
		if got := everything(t, c.Parallel(workers, goroutines), rand.Perm(3)); !slices.Equal(got, want) {
			t.Fatalf("without assembly, %d workers: %v, want %v", workers, got, want)
		}
	}
}
