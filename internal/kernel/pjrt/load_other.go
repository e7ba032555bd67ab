//go:build !(linux || darwin) || !(amd64 || arm64)

package pjrt

import (
	"fmt"
	"runtime"
)

func lookUp(path, _ string) (uintptr, error) {
	return 0, fmt.Errorf("%s: plug-ins are not loaded on %s/%s: use linux or darwin on amd64 or arm64", path, runtime.GOOS, runtime.GOARCH)
}

func native(uintptr, ...uintptr) uintptr { panic("pjrt: no plug-in is loaded") }
