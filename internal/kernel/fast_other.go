//go:build noasm || !amd64

package kernel

func (t *Transform) forwardFast([]float32, *Scratch) bool { return false }

func (t *Transform) inverseFast([]float32, *Scratch) bool { return false }

func candidates([]uint16, []float32, int) (n int, largest uint32, ok bool) { return 0, 0, false }

func packFast([]byte, int, []float32) int { return 0 }

func stepFast([]float32, []byte, int, float32, float32) int { return 0 }
