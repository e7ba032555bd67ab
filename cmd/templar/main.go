// Command templar trains one language model with machines that need not trust each
// other; `templar --help` explains.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"templar/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second Ctrl-C kills
	std := cli.Std{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ()}
	os.Exit(app().Run(ctx, os.Args[1:], std))
}
