package rules

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Class is what a client does next about a call.
type Class uint8

// The classes.
const (
	Failed   Class = iota // over, without effect
	Retry                 // look whether it is in a block; else sign anew
	Unknown               // it may be in the pool: follow it
	Wait                  // not the end
	Look                  // the connection is gone: look through the blocks
	Events                // final: read the events of its block
	OtherWay              // weights: commit in place of plain ones, or plain in place of commits
)

var classNames = [...]string{"failed", "retry", "unknown", "wait", "look", "read the events", "other way"}

// String names the class.
func (c Class) String() string { return classNames[min(int(c), len(classNames)-1)] }

// Outcome is what a node's word means.
type Outcome struct {
	Class  Class
	Reason string // for people; always there when Failed
}

// ErrorObject is an error of JSON-RPC.
type ErrorObject struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// text of the data, if it is text.
func (e ErrorObject) text() string {
	var s string
	if json.Unmarshal(e.Data, &s) == nil {
		return s
	}
	return string(e.Data)
}

// Codes of a node's errors.
const (
	CodeFormat    = 1001
	CodeInvalid   = 1010
	CodeUnknown   = 1011
	CodeBanned    = 1012
	CodeImported  = 1013
	CodePriority  = 1014
	CodeCycle     = 1015
	CodeDropped   = 1016
	CodeDiscarded = 4003
)

// RateLimited reports whether an error is an endpoint's policy and not an answer.
func RateLimited(code int) bool { return code == -32004 || code == -32005 || code == 429 }

// Pool says what the pool's refusal of an extrinsic means.
func Pool(e ErrorObject) Outcome {
	if RateLimited(e.Code) {
		return Outcome{Retry, "the endpoint limits requests: " + e.Message}
	}
	switch e.Code {
	case CodeBanned, CodePriority, CodeDropped:
		return Outcome{Retry, e.Message}
	case CodeImported:
		return Outcome{Unknown, e.Message}
	}
	if o, ok := chopsticks(e.Message); ok {
		return o
	}
	if data := e.text(); data != "" {
		return invalid(data, e.Message)
	}
	return Outcome{Failed, "the node refused the transaction: " + e.Message}
}

// chopsticks reads the other form of the same: JSON in the message.
func chopsticks(message string) (Outcome, bool) {
	var m struct {
		Invalid map[string]json.RawMessage `json:"invalid"`
		Unknown map[string]json.RawMessage `json:"unknown"`
	}
	if json.Unmarshal([]byte(message), &m) != nil {
		return Outcome{}, false
	}
	for kind, value := range m.Invalid {
		if strings.EqualFold(kind, "custom") {
			return invalid("Custom error: "+string(value), ""), true
		}
		for name, text := range invalidNames {
			if strings.EqualFold(kind, name) {
				return invalid(text, ""), true
			}
		}
		return Outcome{Failed, "the node refused the transaction: " + kind}, true
	}
	for kind := range m.Unknown {
		return Outcome{Failed, "the node cannot tell whether the transaction is valid: " + kind}, true
	}
	return Outcome{}, false
}

// invalidNames are Substrate's variants and the texts that a node has for them.
var invalidNames = map[string]string{
	"stale": "Transaction is outdated", "future": "Transaction will be valid in the future", "badProof": "Transaction has a bad signature",
	"ancientBirthBlock": "Transaction has an ancient birth block", "payment": "Inability to pay some fees (e.g. account balance too low)",
	"exhaustsResources": "Transaction would exhaust the block limits", "call": "Transaction call is not expected", "badSigner": "Transaction has an invalid signing address",
}

var custom = regexp.MustCompile(`^Custom error: (\d+)$`)

func invalid(data, message string) Outcome {
	lower := strings.ToLower(data)
	switch {
	case strings.Contains(lower, "outdated"), strings.Contains(lower, "valid in the future"), strings.Contains(lower, "ancient birth"), strings.Contains(lower, "exhaust the block"):
		return Outcome{Retry, data}
	case strings.Contains(lower, "bad signature"):
		return Outcome{Failed, "bad signature: " + data}
	case strings.Contains(lower, "inability to pay"):
		return Outcome{Failed, "not enough balance: " + data}
	}
	if m := custom.FindStringSubmatch(data); m != nil {
		n, err := strconv.ParseUint(m[1], 10, 8)
		if err == nil && customReasons[n] != "" {
			return Outcome{Failed, customReasons[n] + " (" + data + ")"}
		}
		return Outcome{Failed, "the runtime refused the transaction (" + data + ")"}
	}
	return Outcome{Failed, strings.TrimSpace(message + ": " + data)}
}

// customReasons are the numbers of CustomTransactionError, as today's runtimes have them.
// Numbers belong to a runtime; the reason keeps the number beside the words.
var customReasons = [256]string{
	1: "not enough stake", 2: "not enough balance", 3: "the subnet does not exist", 4: "the hotkey account does not exist",
	5: "not enough stake, or too many registrations in this interval", 6: "rate limit exceeded", 7: "not enough liquidity", 8: "slippage too high",
	9: "transfer not allowed", 10: "hotkey is not registered on this subnet", 11: "the address is not valid", 12: "rate limit of serving exceeded", 13: "the port is not valid",
	15: "bad reveal round", 16: "no such commit of weights", 17: "outside of the reveal period", 18: "lists have different length", 19: "hotkey is not registered on this subnet",
}

// Status says what a status of a watched extrinsic means, and which block it names.
func Status(raw json.RawMessage) (o Outcome, block string) {
	name, value := "", json.RawMessage(nil)
	if json.Unmarshal(raw, &name) != nil {
		var m map[string]json.RawMessage
		if json.Unmarshal(raw, &m) != nil || len(m) != 1 {
			return Outcome{Wait, "a status of unknown form"}, ""
		}
		for name, value = range m {
		}
	}
	_ = json.Unmarshal(value, &block) // not all have one
	switch name {
	case "finalized":
		return Outcome{Events, name}, block
	case "finalityTimeout":
		return Outcome{Unknown, name}, block
	case "usurped", "dropped", "invalid", "error":
		return Outcome{Retry, name}, block
	}
	return Outcome{Wait, name}, block
}

// reasons of dispatch errors that need other words than their names. Names differ
// between runtimes: what is not here is split into words.
var reasons = map[string]string{
	"HotKeyAlreadyRegisteredInSubNet":  "already registered on this subnet",
	"TooManyRegistrationsThisInterval": "too many registrations in this interval, try again later",
	"TooManyRegistrationsThisBlock":    "too many registrations in this block",
	"NotEnoughBalanceToStake":          "not enough balance to pay the registration",
	"SubNetRegistrationDisabled":       "registration on this subnet is closed",
	"SubNetworkDoesNotExist":           "the subnet does not exist",
	"SubnetNotExists":                  "the subnet does not exist",
	"MechanismDoesNotExist":            "the subnet does not exist, or its mechanism",
	"NeuronNoValidatorPermit":          "no validator permit",
	"SettingWeightsTooFast":            "rate limit: weights were set too recently",
	"CommittingWeightsTooFast":         "rate limit: weights were committed too recently",
	"UidVecContainInvalidOne":          "a uid is not registered",
	"UidsLengthExceedUidsInSubNet":     "more uids than the subnet has",
	"DuplicateUids":                    "a uid stands twice",
	"WeightVecNotEqualSize":            "uids and weights differ in length",
	"WeightVecLengthIsLow":             "too few weights",
	"IncorrectWeightVersionKey":        "version key is older than the subnet's",
	"MaxWeightExceeded":                "a weight is larger than the subnet allows",
	"NotEnoughStakeToSetWeights":       "not enough stake to set weights",
	"HotKeyNotRegisteredInSubNet":      "hotkey is not registered on this subnet",
	"HotKeyNotRegisteredInNetwork":     "hotkey is not registered on any subnet",
	"NotRegistered":                    "not registered",
	"TooManyUnrevealedCommits":         "too many commits of weights wait for their reveal",
	"InvalidRevealRound":               "bad reveal round",
	"IncorrectCommitRevealVersion":     "the chain's version of commit-reveal is another",
	"RevealTooEarly":                   "the reveal came too early",
	"ExpiredWeightCommit":              "the reveal came too late",
	"InvalidRevealCommitHashNotMatch":  "the reveal does not match the commit",
	"NoWeightsCommitFound":             "no commit of weights to reveal",
	"AccountNotAllowedCommit":          "hotkey is not registered on this subnet",
	"CommitmentSetRateLimitExceeded":   "rate limit: the commitment was set too recently",
	"SpaceLimitExceeded":               "rate limit: too many bytes were committed in this tempo",
	"TooManyFieldsInCommitmentInfo":    "too many fields in the commitment",
	"FundsUnavailable":                 "not enough balance",
	"BelowMinimum":                     "not enough balance: the account would fall below the minimum",
	"CommitRevealEnabled":              "the subnet takes commits of weights only",
	"CommitRevealDisabled":             "the subnet takes plain weights only",
	"TxRateLimitExceeded":              "rate limit exceeded",
}

// Dispatch says what an error in a final block's events means. name is the runtime's,
// as Pallet.Name or only Name.
func Dispatch(name string) Outcome {
	short := name[strings.LastIndexByte(name, '.')+1:]
	o := Outcome{Failed, Reason(name)}
	switch short {
	case "CommitRevealEnabled", "CommitRevealDisabled":
		o.Class = OtherWay
	case "TooManyRegistrationsThisBlock":
		o.Class = Retry
	}
	return o
}

// Reason is a sentence that has the runtime's own name in it.
func Reason(name string) string {
	short := name[strings.LastIndexByte(name, '.')+1:]
	if r, ok := reasons[short]; ok {
		return fmt.Sprintf("%s (%s)", r, short)
	}
	if strings.Contains(short, " ") { // numbers, where the metadata has no name
		return "the runtime failed with " + name
	}
	return fmt.Sprintf("%s (%s)", words(short), short)
}

// words splits CamelCase.
func words(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
