package cli

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"templar/internal/chain"
)

// env-file NAME FILE: sets a variable to the contents of a file of one line.
func envFile(ts *testscript.TestScript, neg bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// field NAME WORD FILE: sets a variable to the second word of the line that begins with
// a word.
func field(ts *testscript.TestScript, neg bool, args []string) {
	for line := range strings.Lines(ts.ReadFile(args[2])) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == args[1] {
			ts.Setenv(args[0], f[1])
			return
		}
	}
	ts.Fatalf("no line begins with %q", args[1])
}

// waitpermit ENDPOINT: waits until uid 0 has a validator permit.
func waitPermit(ts *testscript.TestScript, neg bool, args []string) {
	for deadline := time.Now().Add(2 * time.Minute); ; {
		ts.Check(ts.Exec("templar", "chain", "metagraph", "--json", "--endpoint", args[0]))
		var m chain.Metagraph
		ts.Check(json.NewDecoder(bytes.NewReader([]byte(ts.ReadFile("stdout")))).Decode(&m))
		if len(m.Neurons) > 0 && m.Neurons[0].Permit {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no permit: %+v", m)
		}
	}
}

// waitblock ENDPOINT NUMBER: waits until a chain has a block.
func waitBlock(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.ParseUint(args[1], 10, 64)
	ts.Check(err)
	for deadline := time.Now().Add(2 * time.Minute); ; {
		ts.Check(ts.Exec("templar", "chain", "head", "--json", "--endpoint", args[0]))
		var head chain.Block
		ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &head))
		if head.Number >= n {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no block %d: %+v", n, head)
		}
	}
}
