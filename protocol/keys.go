package protocol

import (
	"fmt"
	"strconv"
	"strings"
)

// GradientKey names a miner's gradient of w in its own bucket.
func GradientKey(w Window, uid UID) string { return nodeKey("gradient", w, uid) }

// SampleKey names a node's sync sample ("debug") of w in its own bucket.
func SampleKey(w Window, uid UID) string { return nodeKey("debug", w, uid) }

// ArchiveKey names the aggregator's copy of a gradient that it included in w.
func ArchiveKey(w Window, uid UID) string { return nodeKey("archive", w, uid) }

// AggregateKey names the Aggregate of w in the aggregator bucket.
func AggregateKey(w Window) string { return fmt.Sprintf("aggregator-%d-v%d", w, Version) }

// CheckpointPrefix is the folder of the checkpoint that holds the parameters that
// stand before w is applied; checkpoint-<start_window> is theta_0.
func CheckpointPrefix(w Window) string { return fmt.Sprintf("checkpoint-%d-v%d/", w, Version) }

// PeersKey names the peer list that is in force from w on.
func PeersKey(w Window) string { return fmt.Sprintf("peers_%d_v%d.json", w, Version) }

// PeersPrefix is common to all peer lists.
const PeersPrefix = "peers_"

// StartWindowKey names the lead validator's announcement of the run.
func StartWindowKey() string { return fmt.Sprintf("start_window_v%d.json", Version) }

func nodeKey(kind string, w Window, uid UID) string {
	return fmt.Sprintf("%s-%d-%d-v%d", kind, w, uid, Version)
}

// KeyWindow returns the window that an object key of this version names.
// ok is false for a key of another kind, another version or a stranger's making.
func KeyWindow(key string) (w Window, ok bool) {
	key, _, _ = strings.Cut(key, "/")
	key = strings.TrimSuffix(key, ".json")
	fields := strings.FieldsFunc(key, func(r rune) bool { return r == '-' || r == '_' })
	if len(fields) < 3 || fields[len(fields)-1] != "v"+strconv.Itoa(Version) {
		return 0, false
	}
	n, err := strconv.ParseUint(fields[1], 10, 64)
	return Window(n), err == nil
}
