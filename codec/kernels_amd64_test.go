//go:build !noasm

package codec

import (
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/cpu"
)

// The whole codec with AVX-512 switched off, and then all assembly: the same bits.
func TestSameBitsWithoutAssembly(t *testing.T) {
	c := newCodec(t, large(), Spec{TargetChunk: 64, TopK: 32})
	want := everything(t, c, []int{0, 1, 2})
	for _, feature := range []struct {
		name string
		here *bool
	}{{"AVX-512", &cpu.X86.HasAVX512F}, {"AVX2", &cpu.X86.HasAVX2}} {
		if !*feature.here {
			continue
		}
		*feature.here = false
		defer func() { *feature.here = true }()
		if got := everything(t, c.Parallel(2, goroutines), rand.Perm(3)); !slices.Equal(got, want) {
			t.Fatalf("without %s: %v, want %v", feature.name, got, want)
		}
	}
}
