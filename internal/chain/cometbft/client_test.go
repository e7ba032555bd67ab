package cometbft

import (
	"strings"
	"testing"

	"templar/internal/chain"
)

// A list of nulls, which takes much more memory than bytes, is refused before it is decoded.
func TestListsOfNothingAreRefused(t *testing.T) {
	var m chain.Metagraph
	answer := `{"neurons":[` + strings.Repeat("null,", maxListed+1) + `null]}`
	if err := decodeAnswer([]byte(answer), &m); err == nil || len(m.Neurons) > 0 || !strings.Contains(err.Error(), "lists more than") {
		t.Errorf("%d neurons, %v", len(m.Neurons), err)
	}
}
