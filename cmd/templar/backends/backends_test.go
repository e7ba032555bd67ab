package backends

import (
	"strings"
	"testing"

	"templar/internal/node"
	"templar/protocol"
)

// An engine's process takes memory of this machine, and is not started without room for it.
func TestDeviceNeedsMemory(t *testing.T) {
	p, err := protocol.Preset("1b")
	if err != nil {
		t.Fatal(err)
	}
	for _, device := range []string{"cuda", "plugin:/p.so"} {
		kind := All().Engines[strings.SplitN(device, ":", 2)[0]]
		o := node.EngineOptions{Device: device}
		least, most := kind.Buffers(p.Model, o)
		if largest := 4 * int64(p.Model.VocabSize*p.Model.HiddenSize); least < largest+128<<20 || most < least {
			t.Errorf("%s: %d to %d bytes, with a tensor of %d", device, least, most, largest)
		}
		o.Memory = least - 1
		if _, err := kind.Open(p.Model, o); err == nil || !strings.Contains(err.Error(), "--memory") {
			t.Errorf("%s: error %v", device, err)
		}
	}
}
