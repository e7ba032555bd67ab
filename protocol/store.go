package protocol

import (
	"path"
	"strings"
)

// LocalStore returns the directory that an endpoint "file:///directory" names: buckets of
// this machine, for runs whose nodes all share it. ok is false for any other endpoint.
func LocalStore(endpoint string) (dir string, ok bool) {
	dir, ok = strings.CutPrefix(endpoint, "file://")
	if !ok || !path.IsAbs(dir) || path.Clean(dir) != dir || dir == "/" || strings.ContainsAny(dir, "?#%") {
		return "", false
	}
	return dir, true
}
