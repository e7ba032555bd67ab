//go:build noasm || !amd64

package kernel

func (t *Transform) forwardFast(_ []float32, _, _ Rows, _ *Scratch) bool { return false }

func (t *Transform) inverseFast([]float32, *Scratch) bool { return false }

func collectFast([]float32, Rows, Rows) bool { return false }

func candidates([]uint16, []float32, int) (n int, largest uint32, ok bool) { return 0, 0, false }

func choose([]uint16, []uint32, int, int) (ok bool) { return false }

func packFast([]byte, int, []float32) int { return 0 }

func stepFast([]float32, []byte, int, float32, float32) int { return 0 }

func packChunkFast([]byte, int, int, []float32) bool { return false }

func gapsFast(_ []uint16, _ []byte, _, at, next, _ uint) (n int, end, after uint) { return 0, at, next }

func golombFast(_ []uint16, _ []byte, _, at, next, _ uint) (n int, end, after uint) {
	return 0, at, next
}

func takeFast([]uint16, []float32, []float32) (count, n int, largest uint32) { return 0, 0, 0 }

func roundFast([]uint16, []byte, []uint16, []float32, float32, float32, int) (count, n int) {
	return 0, 0
}

func unpackFast([]float32, []byte, uint, uint, *[4]float32) int { return 0 }

func quantisedFast([]byte, []float32, float32) int { return 0 }

func scaledFast([]float32, []byte, float32) (n int, ok bool) { return 0, true }

func dividedFast([]float32, float64) int { return 0 }
