package protocol

import "testing"

func TestKeysNameTheirWindow(t *testing.T) {
	const w, uid = 1234, 56
	for key, want := range map[string]string{
		GradientKey(w, uid): "gradient-1234-56-v1",
		SampleKey(w, uid):   "debug-1234-56-v1",
		ArchiveKey(w, uid):  "archive-1234-56-v1",
		AggregateKey(w):     "aggregator-1234-v1",
		PeersKey(w):         "peers_1234_v1.json",
		CheckpointPrefix(w) + "model.safetensors": "checkpoint-1234-v1/model.safetensors",
	} {
		if key != want {
			t.Errorf("key is %s, want %s", key, want)
		}
		if got, ok := KeyWindow(key); !ok || got != w {
			t.Errorf("%s names window %d, %v", key, got, ok)
		}
	}
	for _, key := range []string{"", "gradient", "gradient-x-1-v1", "gradient-1-1-v2", "gradient-1-1", "readme.txt", StartWindowKey()} {
		if w, ok := KeyWindow(key); ok {
			t.Errorf("%q names window %d", key, w)
		}
	}
}
