//go:build noasm || !amd64

package adamw

// fast is never true here, and stepVectors never called.
var fast = false

func stepVectors(p, m, v, grad *float32, n int, s *Step) {}
