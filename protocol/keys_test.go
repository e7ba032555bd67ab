package protocol

import (
	"math"
	"strings"
	"testing"
)

func TestKeysSayWhatTheyName(t *testing.T) {
	const w, uid = 1234, 56
	for key, want := range map[string]struct {
		text string
		Key
	}{
		GradientKey(w, uid): {"gradient-1234-56-v2", Key{Kind: KindGradient, Window: w, UID: uid}},
		SampleKey(w, uid):   {"debug-1234-56-v2", Key{Kind: KindSample, Window: w, UID: uid}},
		ArchiveKey(w, uid):  {"archive-1234-56-v2", Key{Kind: KindArchive, Window: w, UID: uid}},
		AggregateKey(w, 3):  {"aggregator-1234-t3-v2", Key{Kind: KindAggregate, Window: w, Term: 3}},
		AggregateKey(w, 0):  {"aggregator-1234-v2", Key{Kind: KindAggregate, Window: w}},
		PartsKey(w, 0):      {"parts-1234-v2", Key{Kind: KindParts, Window: w}},
		PartsKey(w, 3):      {"parts-1234-t3-v2", Key{Kind: KindParts, Window: w, Term: 3}},
		PartKey(w, 0, uid):  {"part-1234-56-v2", Key{Kind: KindPart, Window: w, UID: uid}},
		PartKey(w, 3, uid):  {"part-1234-t3-56-v2", Key{Kind: KindPart, Window: w, Term: 3, UID: uid}},
		EvaluationKey(w):    {"evaluation-1234-v2", Key{Kind: KindEvaluation, Window: w}},
		PeersKey(w):         {"peers_1234_v2.json", Key{Kind: KindPeers, Window: w}},
		CheckpointPrefix(w) + "model.safetensors": {"checkpoint-1234-v2/model.safetensors", Key{Kind: KindCheckpoint, Window: w}},
		GradientKey(math.MaxUint64, math.MaxUint16): {"gradient-18446744073709551615-65535-v2",
			Key{Kind: KindGradient, Window: math.MaxUint64, UID: math.MaxUint16}},
	} {
		if key != want.text {
			t.Errorf("key is %s, want %s", key, want.text)
		}
		if got, ok := ParseKey(key); !ok || got != want.Key {
			t.Errorf("%s says %+v, %v", key, got, ok)
		}
		if !strings.HasPrefix(key, want.Kind.Prefix()) {
			t.Errorf("%s does not begin with %s", key, want.Kind.Prefix())
		}
	}
}

// notKeys are near misses: each differs from a key in one thing.
var notKeys = []string{
	"", "gradient", "gradient-", "gradient-1", "gradient-1-1", "gradient-1-1-v", "gradient-1-1-v1", "gradient-1-1-v02", "gradient-1-1-v2x",
	"gradient-x-1-v2", "gradient-1-x-v2", "gradient--1-1-v2", "gradient-1--1-v2", "gradient-01-1-v2", "gradient-1-01-v2", "gradient-+1-1-v2",
	"gradient-1-65536-v2", "gradient-18446744073709551616-1-v2", "gradient-1-1-1-v2", "gradient_1_1_v2", "gradient-1-1-v2.json",
	"gradient-1-1-v2/x", "-gradient-1-1-v2", "Gradient-1-1-v2", "gradients-1-1-v2", "gradient-1-v2", "aggregator-1-1-v2", "aggregator-1-t0-v2", "aggregator-1-t01-v2", "aggregator-1-t-v2", "aggregator-1-t18446744073709551616-v2", "gradient-1-t1-v2", "gradient-1-t1-1-v2", "part-1-t1-v2", "part-1-t0-1-v2", "part-1-1-t1-v2", "parts-1-1-v2", "parts-1-t1-1-v2", "part-t1", "aggregator-1-v2/x",
	"peers-1-v2.json", "peers_1_v2", "peers_1_v2.json/x", "peers_1_1_v2.json", "checkpoint-1-v2", "checkpoint-1-v2x/a", "checkpoint-1-1-v2/a",
	"start_window_v2.json", "model-1-1-v2", "readme.txt", "gradient-１-1-v2",
}

func TestNearMissesAreNoKeys(t *testing.T) {
	for _, key := range notKeys {
		if k, ok := ParseKey(key); ok {
			t.Errorf("%q says %+v", key, k)
		}
		if w, ok := KeyWindow(key); ok || w != 0 {
			t.Errorf("%q names window %d", key, w)
		}
	}
}

// What ParseKey takes is exactly what String writes, so that no two keys of one object
// and no stranger's key are taken for ours.
func FuzzParseKey(f *testing.F) {
	for _, key := range append(notKeys, GradientKey(7, 3), PeersKey(7), CheckpointPrefix(7)+"a/b", AggregateKey(7, 0), AggregateKey(7, 12)) {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		k, ok := ParseKey(key)
		if !ok {
			if k != (Key{}) {
				t.Errorf("%q is no key but says %+v", key, k)
			}
			return
		}
		written := k.String()
		if key != written && !(k.Kind == KindCheckpoint && strings.HasPrefix(key, written)) {
			t.Errorf("%q was taken for %q", key, written)
		}
		if again, ok := ParseKey(written); !ok || again != k {
			t.Errorf("%q says %+v, written again %+v", key, k, again)
		}
	})
}
