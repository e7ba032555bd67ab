package memory

import "fmt"

// Format writes a size for people, rounded up so that it is enough.
func Format(bytes int64) string {
	if bytes >= 10<<30 {
		return fmt.Sprintf("%d GiB", up(bytes, 1<<30))
	}
	if bytes > 1023<<20 { // rounded up
		tenths := up(bytes*10, 1<<30)
		return fmt.Sprintf("%d.%d GiB", tenths/10, tenths%10)
	}
	return fmt.Sprintf("%d MiB", up(bytes, 1<<20))
}

func up(n, unit int64) int64 { return (n + unit - 1) / unit }
