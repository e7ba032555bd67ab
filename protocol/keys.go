package protocol

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind is the kind of object that a key names.
type Kind string

// The kinds of object that are named after a window.
const (
	KindGradient   Kind = "gradient"
	KindSample     Kind = "debug"
	KindArchive    Kind = "archive"
	KindAggregate  Kind = "aggregator"
	KindCheckpoint Kind = "checkpoint" // a folder
	KindPeers      Kind = "peers"
	KindReport     Kind = "report"
	KindKey        Kind = "key"
	KindClosing    Kind = "closing"
	KindEvaluation Kind = "evaluation"
	KindParts      Kind = "parts"
	KindPart       Kind = "part"
)

// Prefix returns the common prefix of all keys of a kind. Keys of other kinds may share it;
// ParseKey distinguishes them.
func (k Kind) Prefix() string {
	if k == KindPeers {
		return PeersPrefix
	}
	return string(k) + "-"
}

// ofNode reports whether keys of the kind name a uid.
func (k Kind) ofNode() bool {
	return k == KindGradient || k == KindSample || k == KindArchive || k == KindReport || k == KindKey || k == KindPart
}

// ofTerm reports whether keys of the kind name a term other than 0.
func (k Kind) ofTerm() bool { return k == KindAggregate || k == KindParts || k == KindPart }

// Key is a parsed object key of this version.
type Key struct {
	Kind   Kind
	Window Window
	UID    UID  // zero where the kind names none
	Term   Term // of an Aggregate, its list of parts and its parts
}

// String returns the key; for a checkpoint, that of its folder.
func (k Key) String() string {
	switch {
	case k.Kind.ofNode() && k.Term != 0:
		return fmt.Sprintf("%s-%d-t%d-%d-v%d", k.Kind, k.Window, k.Term, k.UID, Version)
	case k.Kind.ofNode():
		return fmt.Sprintf("%s-%d-%d-v%d", k.Kind, k.Window, k.UID, Version)
	case k.Kind == KindCheckpoint:
		return fmt.Sprintf("%s-%d-v%d/", k.Kind, k.Window, Version)
	case k.Kind == KindPeers:
		return fmt.Sprintf("%s_%d_v%d.json", k.Kind, k.Window, Version)
	case k.Term != 0:
		return fmt.Sprintf("%s-%d-t%d-v%d", k.Kind, k.Window, k.Term, Version)
	}
	return fmt.Sprintf("%s-%d-v%d", k.Kind, k.Window, Version)
}

// GradientKey names a miner's gradient of w in its own bucket.
func GradientKey(w Window, uid UID) string {
	return Key{Kind: KindGradient, Window: w, UID: uid}.String()
}

// SampleKey names a node's sync sample ("debug") of w in its own bucket.
func SampleKey(w Window, uid UID) string { return Key{Kind: KindSample, Window: w, UID: uid}.String() }

// ReportKey names a validator's report on w in its own bucket.
func ReportKey(w Window, uid UID) string { return Key{Kind: KindReport, Window: w, UID: uid}.String() }

// RevealKey names a miner's revealed key of its gradient of w in its own bucket.
func RevealKey(w Window, uid UID) string {
	return Key{Kind: KindKey, Window: w, UID: uid}.String()
}

// ClosingKey names the closing statement of w in the aggregator bucket, and a miner's copy of one in its own as
// evidence.
func ClosingKey(w Window) string { return Key{Kind: KindClosing, Window: w}.String() }

// EvaluationKey names an evaluator's results of the state after w, in its own bucket.
func EvaluationKey(w Window) string { return Key{Kind: KindEvaluation, Window: w}.String() }

// ArchiveKey names the aggregator's copy of a gradient that it included in w: with its key behind it.
func ArchiveKey(w Window, uid UID) string {
	return Key{Kind: KindArchive, Window: w, UID: uid}.String()
}

// AggregateKey names the Aggregate of w and a term in the aggregator bucket.
func AggregateKey(w Window, t Term) string {
	return Key{Kind: KindAggregate, Window: w, Term: t}.String()
}

// PartsKey names the list of an Aggregate's parts, and of the miners that relay them, in the aggregator bucket.
func PartsKey(w Window, t Term) string {
	return Key{Kind: KindParts, Window: w, Term: t}.String()
}

// PartKey names the part of the Aggregate of w and a term that a miner relays, in its own bucket.
func PartKey(w Window, t Term, uid UID) string {
	return Key{Kind: KindPart, Window: w, Term: t, UID: uid}.String()
}

// CheckpointPrefix is the folder of the checkpoint that holds the parameters that
// stand before w is applied; checkpoint-<start_window> is theta_0.
func CheckpointPrefix(w Window) string { return Key{Kind: KindCheckpoint, Window: w}.String() }

// PeersKey names the peer list that is in force from w on.
func PeersKey(w Window) string { return Key{Kind: KindPeers, Window: w}.String() }

// PeersPrefix is common to all peer lists.
const PeersPrefix = "peers_"

// EvidenceKey names the object in which a validator keeps the charges of others that made an Aggregate void.
func EvidenceKey() string { return fmt.Sprintf("evidence_v%d.json", Version) }

// ChargesKey names the document in which a validator says which Aggregates it calls false.
func ChargesKey() string { return fmt.Sprintf("charges_v%d.json", Version) }

// StartWindowKey names a validator's announcement of the run.
func StartWindowKey() string { return fmt.Sprintf("%s%d.json", StartWindowPrefix, Version) }

// StartWindowPrefix is common to the announcements of all protocol versions.
const StartWindowPrefix = "start_window_v"

// StartWindowVersion is the protocol version of an announcement's key.
func StartWindowVersion(key string) (version int, ok bool) {
	digits := strings.TrimSuffix(strings.TrimPrefix(key, StartWindowPrefix), ".json")
	version, err := strconv.Atoi(digits)
	return version, err == nil && version > 0 && key == fmt.Sprintf("%s%d.json", StartWindowPrefix, version)
}

// ParseKey reads an object key, or that of a file in a checkpoint's folder. ok is false
// for a key of another kind or version, and for any key that this version would not write
// in exactly this form. Such objects are neither counted nor deleted.
func ParseKey(key string) (k Key, ok bool) {
	fields := strings.FieldsFunc(key, func(r rune) bool { return r == '-' || r == '_' })
	if len(fields) < 3 {
		return Key{}, false
	}
	k.Kind = Kind(fields[0])
	switch k.Kind {
	case KindGradient, KindSample, KindArchive, KindAggregate, KindCheckpoint, KindPeers, KindReport, KindKey, KindClosing, KindEvaluation, KindParts, KindPart:
	default:
		return Key{}, false
	}
	w, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return Key{}, false
	}
	k.Window = Window(w)
	if k.Kind.ofTerm() && strings.HasPrefix(fields[2], "t") {
		t, err := strconv.ParseUint(fields[2][1:], 10, 64)
		if err != nil {
			return Key{}, false
		}
		k.Term, fields = Term(t), slices.Delete(fields, 2, 3)
	}
	if k.Kind.ofNode() {
		if len(fields) < 3 {
			return Key{}, false
		}
		uid, err := strconv.ParseUint(fields[2], 10, 16)
		if err != nil {
			return Key{}, false
		}
		k.UID = UID(uid)
	}
	if canonical := k.String(); key == canonical || (k.Kind == KindCheckpoint && strings.HasPrefix(key, canonical)) {
		return k, true
	}
	return Key{}, false
}

// KeyWindow returns the window that an object key of this version names; see ParseKey.
func KeyWindow(key string) (w Window, ok bool) {
	k, ok := ParseKey(key)
	return k.Window, ok
}
