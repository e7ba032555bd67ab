package resume

import (
	"testing"
	"time"

	"templar/protocol"
)

// A small model is saved every few seconds, the largest preset a few times an hour.
func TestSavePause(t *testing.T) {
	for name, most := range map[string]time.Duration{"tiny": 5 * time.Second, "150m": 84 * time.Second, "1b": 10 * time.Minute} {
		p, err := protocol.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		l := p.Model.Layout()
		if got := SavePause(2 * l.Size()); got > most || (name == "1b" && got < 5*time.Minute) {
			t.Errorf("%s: saved every %v", name, got)
		}
	}
}
