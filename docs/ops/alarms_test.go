// Package ops holds the operators' pages to the code.
package ops

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every warning and error that a node logs has a row in alarms.md, and every row is of one.
func TestAlarmsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("alarms.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]bool) // whether a row's message was found in the code
	for _, m := range regexp.MustCompile("(?m)^\\| (?:E )?`([^`]+)`").FindAllSubmatch(page, -1) {
		rows[string(m[1])] = false
	}
	for _, msg := range messages(t) {
		found := false
		for row := range rows {
			if strings.HasPrefix(msg, row) {
				rows[row], found = true, true
			}
		}
		if !found {
			t.Errorf("%q is in no row of alarms.md: say what it means and what to do", msg)
		}
	}
	for row, found := range rows {
		if !found && !strings.HasSuffix(row, "clock is") && row != "the clocks of" { // made in chain.SkewFaults
			t.Errorf("no node logs %q: take its row out of alarms.md", row)
		}
	}
}

// messages are the literal first arguments of Warn and Error calls in what nodes run.
func messages(t *testing.T) (all []string) {
	t.Helper()
	for _, dir := range []string{"aggregator", "attest", "bulletin", "chain/cometbft", "checkpoint", "directory", "evaluator", "mailbox", "miner", "node", "replica", "resume", "role", "telemetry", "telemetry/log", "telemetry/push", "validator"} {
		files, err := filepath.Glob(filepath.Join("..", "..", "internal", dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if msg, ok := alarm(n); ok {
					all = append(all, msg)
				}
				return true
			})
		}
	}
	return all
}

func alarm(n ast.Node) (msg string, ok bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return "", false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Warn" && sel.Sel.Name != "Error" {
		return "", false
	}
	literal, ok := call.Args[0].(*ast.BasicLit)
	if !ok {
		return "", false
	}
	msg, err := strconv.Unquote(literal.Value)
	return msg, err == nil
}
