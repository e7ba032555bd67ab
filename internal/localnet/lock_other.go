//go:build !unix

package localnet

// lock relies on the fixed ports to keep a second process out.
func lock(string) (unlock func(), err error) { return func() {}, nil }
