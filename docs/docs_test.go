// Package docs holds the pages to the code: links resolve, and commands exist and are run.
package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"templar/cmd/templar/backends"
	"templar/internal/cli"
)

// pages are all Markdown files of the repository, by their paths from its root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		b, err := fs.ReadFile(root, path)
		out[path] = string(b)
		return err
	})
	if err != nil || len(out) < 50 {
		t.Fatalf("%d pages, %v", len(out), err)
	}
	return out
}

var (
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	inline  = regexp.MustCompile("`[^`\n]*`")
	noSlug  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// anchors are the names by which code hosts link to the headings of a page.
func anchors(page string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		text := regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		slug := strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
		name := slug
		for i := 1; out[name]; i++ {
			name = fmt.Sprintf("%s-%d", slug, i)
		}
		out[name] = true
	}
	return out
}

// Relative links lead to files that exist, and to headings that they have.
func TestLinks(t *testing.T) {
	all := pages(t)
	checked := 0
	for from, page := range all {
		text := inline.ReplaceAllString(fenced.ReplaceAllString(page, ""), "``")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], ":") {
				continue // another site
			}
			checked++
			path, anchor, _ := strings.Cut(m[1], "#")
			to := from
			if path != "" {
				to = filepath.Join(filepath.Dir(from), path)
			}
			if _, err := os.Stat(filepath.Join("..", to)); err != nil {
				t.Errorf("%s: link to %s: no such file", from, m[1])
				continue
			}
			if target, isPage := all[to]; anchor != "" && isPage && !anchors(target)[anchor] {
				t.Errorf("%s: link to %s: no such heading", from, m[1])
			}
		}
	}
	if checked < 100 {
		t.Errorf("%d links were checked", checked)
	}
}

func TestAnchors(t *testing.T) {
	got := anchors("# A page, and `code`\n## Trust\n```\n# no heading\n```\n## Trust\n")
	for _, want := range []string{"a-page-and-code", "trust", "trust-1"} {
		if !got[want] || len(got) != 3 {
			t.Errorf("%v lacks %s", got, want)
		}
	}
}

// Every page of docs/ is in the index, alone or with its folder.
func TestIndex(t *testing.T) {
	all := pages(t)
	index := all["docs/README.md"]
	for page := range all {
		rest, inDocs := strings.CutPrefix(page, "docs/")
		dir := filepath.Dir(rest)
		if !inDocs || rest == "README.md" || strings.Contains(index, "]("+rest+")") {
			continue
		}
		if !strings.Contains(index, "]("+dir+")") && !strings.Contains(index, "]("+dir+"/README.md)") {
			t.Errorf("docs/README.md has no link to %s", rest)
		}
	}
}

// A command is one that a page prints: the words behind the program's name.
type command struct {
	where string
	words []string
}

// commands finds the commands of this program in the code blocks of a page.
func commands(where, page string) (out []command) {
	fence := ""
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		if info, is := strings.CutPrefix(line, "```"); is {
			if fence == "" {
				fence = "is " + info
			} else {
				fence = ""
			}
			continue
		}
		if text, code := strings.CutPrefix(line, "    "); fence == "is sh" || strings.HasPrefix(fence, "is sh ") || (fence == "" && code) {
			if code {
				line = text
			}
			for _, words := range split(strings.TrimPrefix(strings.TrimSpace(line), "$ ")) {
				out = append(out, command{where, words})
			}
		}
	}
	return out
}

// split returns the words of each command of this program in a line of a shell, also in substitutions. What a
// substitution prints is the word "$".
func split(line string) (out [][]string) {
	for {
		begin := strings.LastIndex(line, "$(")
		if begin < 0 {
			break
		}
		end := strings.Index(line[begin:], ")")
		if end < 0 {
			return nil
		}
		out = append(out, split(line[begin+2:begin+end])...)
		line = line[:begin] + "$" + line[begin+end+1:]
	}
	var words []string
	add := func() {
		for i, w := range words {
			if w == "templar" {
				out = append(out, words[i+1:])
				break
			}
			if w != "env" && w != "cd" && !strings.Contains(w, "=") && w != "$" {
				break // another program's
			}
		}
		words = nil
	}
	for _, w := range shellWords(line) {
		switch w {
		case "|", "&&", ";", ">", ">>", "2>":
			add()
			if strings.HasSuffix(w, ">") {
				words = []string{"into"}
			}
			continue
		}
		words = append(words, w)
	}
	add()
	return out
}

// shellWords splits a line at spaces outside quotes, up to a comment.
func shellWords(line string) (words []string) {
	var word strings.Builder
	quote, open := rune(0), false
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, open = r, true
		case r == ' ':
			if open || word.Len() > 0 {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		case r == '#' && word.Len() == 0:
			return words
		default:
			word.WriteRune(r)
		}
	}
	return words
}

func program() *cobra.Command { return cli.App{Backends: backends.All()}.Command(cli.Std{}) }

// resolve finds a command of the program and its flags.
func resolve(root *cobra.Command, words []string) (path string, flags []string, err error) {
	cmd, rest, err := root.Find(words)
	if err != nil {
		return "", nil, err
	}
	if cmd.HasSubCommands() && cmd.Parent() != nil && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return "", nil, fmt.Errorf("%s has no command %q", cmd.CommandPath(), rest[0])
	}
	cmd.InitDefaultHelpFlag()
	for _, w := range rest {
		name, is := strings.CutPrefix(w, "--")
		if !is {
			continue
		}
		name, _, _ = strings.Cut(name, "=")
		if flagOf(cmd, name) == nil {
			return "", nil, fmt.Errorf("%s has no flag --%s", cmd.CommandPath(), name)
		}
		flags = append(flags, name)
	}
	return cmd.CommandPath(), flags, nil
}

func flagOf(cmd *cobra.Command, name string) *pflag.Flag {
	if f := cmd.Flags().Lookup(name); f != nil {
		return f
	}
	return cmd.InheritedFlags().Lookup(name)
}

// Each command in a code block exists, with its flags.
func TestCommandsExist(t *testing.T) {
	n, root := 0, program()
	for where, page := range pages(t) {
		if where == "docs/reference/commands.md" || where == "docs/reference/original.md" {
			continue // generated; and tested by its own test
		}
		for _, c := range commands(where, page) {
			n++
			if _, _, err := resolve(root, c.words); err != nil {
				t.Errorf("%s: templar %s: %v", c.where, strings.Join(c.words, " "), err)
			}
		}
	}
	if n < 80 {
		t.Errorf("%d commands were found", n)
	}
}

// notRun are commands of the tutorial and of the guides that no test runs, each with the reason.
var notRun = map[string]string{
	"templar localnet folders --aggregators": "a network of several hosts, which make deploy runs",
	"templar run top":                        "draws on a terminal",
	"templar run top --config":               "draws on a terminal",
	"templar run init --server-link":         "is read by the code of run plan, which a script runs with it",
}

// Each command of the tutorial and of the guides is run by a test, with its flags: by the test of the tutorial,
// or by a script of the command line.
func TestCommandsAreRun(t *testing.T) {
	root, ran := program(), map[string]bool{}
	run := func(words []string) {
		path, flags, err := resolve(root, words)
		if err != nil {
			return // a script's wrong command line
		}
		ran[path] = true
		for _, f := range flags {
			ran[path+" --"+f] = true
		}
	}
	scripts, err := filepath.Glob("../internal/cli/testdata/script/*.txt*")
	if err != nil || len(scripts) < 10 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	for _, name := range scripts {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "-- ") {
				break
			}
			if before, rest, is := strings.Cut(line, "templar "); is && !strings.HasPrefix(before, "exits 2") && !strings.HasPrefix(before, "#") && !strings.HasPrefix(before, "std") {
				run(shellWords(strings.TrimSpace(rest)))
			}
		}
	}
	all := pages(t)
	for _, c := range commands("docs/tutorial.md", all["docs/tutorial.md"]) {
		run(c.words)
	}
	used := map[string]bool{}
	for where, page := range all {
		if !strings.HasPrefix(where, "docs/how-to/") {
			continue
		}
		for _, c := range commands(where, page) {
			path, flags, err := resolve(root, c.words)
			if err != nil {
				continue // reported by TestCommandsExist
			}
			for _, what := range slices.Concat([]string{path}, prefixed(path, flags)) {
				switch _, excepted := notRun[what]; {
				case excepted:
					used[what] = true
				case !ran[what]:
					t.Errorf("%s: no script and no part of the tutorial runs %q: add one, or the reason why not to notRun", where, what)
				}
			}
		}
	}
	for what := range notRun {
		if !used[what] || ran[what] {
			t.Errorf("notRun has %q, which is not in a guide, or is run", what)
		}
	}
}

func prefixed(path string, flags []string) (out []string) {
	for _, f := range flags {
		out = append(out, path+" --"+f)
	}
	return out
}
