package ledger

import "fmt"

// Code is the kind of a refusal. Codes stand in results that drivers commit to, so
// they never change their meaning.
type Code uint32

// The codes of a Result.
const (
	CodeOK        Code = 0
	CodeMalformed Code = 1 // not a transaction
	CodeSignature Code = 2 // not signed by its hotkey for this chain
	CodeNonce     Code = 3 // not the hotkey's next transaction
	CodeExpiry    Code = 4 // past its expiry, or expiring too far ahead
	CodeRule      Code = 5 // the call is not allowed
	CodeBusy      Code = 6 // the block has its share of such calls: sign it anew for the next
)

// Refusal is why a transaction has no effect.
type Refusal struct {
	Code   Code
	Reason string
}

func (r *Refusal) Error() string { return r.Reason }

func refuse(c Code, format string, args ...any) *Refusal {
	return &Refusal{c, fmt.Sprintf(format, args...)}
}

// Result is what became of one transaction of a block.
type Result struct {
	Code   Code
	Reason string // empty when Code is CodeOK
}
