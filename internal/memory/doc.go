// Package memory plans the memory of nodes: what a role of a run holds beside its engine's
// buffers, what this process may use, and the limit of Go's runtime.
package memory
