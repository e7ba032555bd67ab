// Command templar-xla runs the engines of devices for templar, which starts it: a plug-in that crashes or
// hangs ends this process, and templar gets an error. It is a program of its own because one that can load
// plug-ins needs the system's C library at start, and templar needs nothing (docs/adr/0070).
package main

import (
	"errors"
	"fmt"
	"os"

	"templar/internal/engine/xla"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "templar-xla:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "serve":
		return xla.Serve()
	case len(args) == 2 && args[0] == "probe":
		out, err := xla.Probe([]byte(args[1]))
		if err == nil {
			_, err = os.Stdout.Write(out)
		}
		return err
	}
	return errors.New("templar starts this program for --device cuda and --device plugin:PATH; it does nothing else")
}
