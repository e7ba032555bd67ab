// Command gen writes the pages that follow from the code: the reference of commands, configuration,
// run parameters, verdicts and exit codes, and man pages. It runs in the root of the repository.
//
//	go run ./docs/gen                  # docs/reference
//	go run ./docs/gen -man DIR         # man pages, one a command
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"templar/cmd/templar/backends"
	"templar/internal/cli"
)

func main() {
	dir := flag.String("dir", "docs/reference", "folder to write the reference to")
	man := flag.String("man", "", "write man pages into this folder instead")
	version := flag.String("version", "", "version in the man pages")
	date := flag.String("date", "1970-01-01", "date in the man pages, YYYY-MM-DD")
	flag.Parse()
	root := cli.App{Backends: backends.All()}.Command(cli.Std{})
	var err error
	if *man != "" {
		err = manPages(root, *man, *version, *date)
	} else {
		err = writePages(*dir, root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func writePages(dir string, root *cobra.Command) error {
	for name, page := range map[string]func() ([]byte, error){
		"commands": func() ([]byte, error) { return reference(root), nil }, "configuration": configuration, "parameters": parameters,
		"verdicts": verdicts, "exit-codes": exitCodes,
	} {
		b, err := page()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name+".md"), b, 0o666); err != nil {
			return err
		}
	}
	return nil
}

func manPages(root *cobra.Command, dir, version, date string) error {
	when, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return fmt.Errorf("-date: %w", err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "templar " + version, Manual: "Templar", Date: &when}, dir)
}

// reference is one page of all commands, in the order of the help.
func reference(root *cobra.Command) []byte {
	var b bytes.Buffer
	b.WriteString("# Commands\n\nWritten by `go run ./docs/gen` from the program's own help. Flags of every command: `" +
		strings.Join(names(root), "`, `") + "`.\n")
	each(root, func(c *cobra.Command) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", c.CommandPath(), text(c))
		if c.Runnable() && !c.HasAvailableSubCommands() {
			fmt.Fprintf(&b, "    %s\n", c.UseLine())
		}
		if c.Example != "" {
			fmt.Fprintf(&b, "\nExamples:\n\n%s\n", indent(c.Example))
		}
		if flags := c.LocalNonPersistentFlags(); flags.HasAvailableFlags() {
			fmt.Fprintf(&b, "\nFlags:\n\n%s\n", indent(strings.TrimRight(flags.FlagUsages(), "\n")))
		}
	})
	return b.Bytes()
}

func names(root *cobra.Command) (out []string) {
	for _, line := range strings.Split(strings.TrimSpace(root.PersistentFlags().FlagUsages()), "\n") {
		out = append(out, strings.Fields(line)[0])
	}
	return out
}

func text(c *cobra.Command) string {
	if c.Long != "" {
		return c.Long
	}
	return c.Short + "."
}

func indent(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight("    "+strings.TrimPrefix(line, "  "), " ")
	}
	return strings.Join(lines, "\n")
}

func each(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			each(sub, do)
		}
	}
}
