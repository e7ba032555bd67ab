package sim

import (
	"math/rand/v2"
	"strings"
	"testing"
)

const everyStatement = `window 0: miner-2 crash
window 5: miner-2 crash at uploading
window 8..12: aggregator-0 down
window 3: miners joins
window 4: validator-1 leaves
window 6..7: nodes clock -1.5s
window 6: miner-0 disk slow 500ms
window 9..10: validators cut from chain
window 9: aggregators cut from everything
window 3: store drop put gradient of miner-1 30%
window 3..4: store fail all
window 3: store slow get aggregate of aggregator-0 2s 50%
window 11: store rolls back miner-1
window 12: chain stall
window 13: chain reorganise 2
window 14: aggregator-0 lies about sum
window 14: miner-1 lies about parts
window 14: store drop get part of miner-1
window 15: chain promotes validator-1
`

func TestScriptsArePrintedAsTheyAreRead(t *testing.T) {
	s, err := Parse("# a story\n\n" + strings.ReplaceAll(everyStatement, "\n", "   # why\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.String(); got != everyStatement {
		t.Errorf("got\n%s", got)
	}
}

func TestScriptErrors(t *testing.T) {
	for text, want := range map[string]string{
		"miner-0 crash":                                  "window N",
		"\n\nwindow x: miner-0 crash":                    "line 3",
		"window 5..3: miner-0 crash":                     "end before they begin",
		"window 1: miner-0":                              "a node or group and a fault",
		"window 1: miner-0 flies":                        "no such fault",
		"window 1: miner-x crash":                        "want a node",
		"window 1: miner-0 crash at":                     "which phase",
		"window 1: miner-0 crash now":                    "not expected",
		"window 1: miner-0 stall":                        "what the chain does",
		"window 1: store crash":                          "want a node",
		"window 1: miner-0 drop put":                     "what the store does",
		"window 1: store drop":                           "want one of",
		"window 1: store drop put gradient of miner":     "want a node",
		"window 1: store drop put 0%":                    "want a share",
		"window 1: store slow put":                       "want a time",
		"window 1: store slow put -1s":                   "above 0",
		"window 1: chain promotes miner-1":               "want a validator",
		"window 1: chain promotes":                       "want a validator",
		"window 1: chain reorganise 0":                   "1 to 100",
		"window 1: miner-0 clock 2 hours":                "want a time",
		"window 1: miner-0 cut from home":                "want one of",
		"window 1: aggregator-0 lies about everything":   "validators about everything",
		"window 1: validator-0 lies about sum":           "aggregators lie about",
		"window 1: aggregator-0 lies about nothing":      "want one of",
		"window 1: store rolls back":                     "want a node",
		"window 1: miner-0 disk fast 1s":                 `want "slow"`,
		"window 99999999999: miner-0 crash":              "not a window",
		"window 1: miner-0 crash\nwindow 2: miner-0 fly": "line 2",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for line := range strings.Lines(everyStatement) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(s.String())
		if err != nil || again.String() != s.String() {
			t.Errorf("%q is printed as %q, which is read as %q, %v", text, s, again, err)
		}
	})
}

// What is drawn is what can be written.
func TestRandomFaultsAreScripts(t *testing.T) {
	kinds := make(map[string]bool)
	for range 20 {
		c := Config{Seed: rand.Uint64(), Windows: 200, Miners: 8, Validators: 3, Aggregators: 2}
		drawn := Random(c)
		read, err := Parse(drawn.String())
		if err != nil || read.String() != drawn.String() {
			t.Fatalf("seed %d: %v", c.Seed, err)
		}
		for _, f := range drawn {
			kinds[f.What] = true
			if f.From < 1 || f.To >= c.Windows-quietEnd {
				t.Errorf("seed %d: %v leaves no quiet at the end", c.Seed, f)
			}
		}
	}
	for _, what := range []string{doCrash, doDown, doClock, doDisk, doCut, doFalsify, doDrop, doFail, doSlow, doRoll, doStall, doReorganise} {
		if !kinds[what] {
			t.Errorf("no fault of the kind %q was drawn", what)
		}
	}
}
