package netns_test

import (
	"strings"
	"testing"
	"time"

	"templar/testkit/netns"
)

// Hosts reach each other by name, and a shaped host's answers are late.
func TestHosts(t *testing.T) {
	if err := netns.Available(); err != nil {
		t.Skip(err)
	}
	n, err := netns.New("left", "right")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	names := n.Command(t.Context(), "left", "getent", "hosts", "right")
	if out, err := names.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), n.Addr("right").String()) {
		t.Fatalf("right is %q, %v", out, err)
	}
	listen := n.Command(t.Context(), "right", "bash", "-c", "exec 3<>/dev/tcp/left/9")
	if out, err := listen.CombinedOutput(); err == nil || !strings.Contains(string(out), "refused") {
		t.Errorf("left refuses no connection of right: %s, %v", out, err)
	}
	if err := n.Shape("right", 50*time.Millisecond, 50_000_000); err != nil {
		t.Skip(err)
	}
	began := time.Now()
	_ = n.Command(t.Context(), "right", "bash", "-c", "exec 3<>/dev/tcp/left/9").Run() // the refusal is what counts
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("a shaped host connects in %v", took)
	}
}
