package wire

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"templar/protocol"
)

func TestSealedRoundTrip(t *testing.T) {
	s := newSigner(1)
	for _, tc := range []struct {
		domain   string
		in, read any
	}{
		{DomainStartWindow, &StartWindow{Run: protocol.Hash{1}, StartWindow: 7, StateHash: protocol.Hash{2}}, &StartWindow{}},
		{DomainPeers, &PeerList{Run: protocol.Hash{1}, EffectiveFrom: 9, Peers: []protocol.UID{1, 2, 7}, Reserve: []protocol.UID{5, 4}}, &PeerList{}},
		{"other", &struct{ Text string }{"<&>\u2028é"}, &struct{ Text string }{}},
	} {
		b, err := Seal(tc.domain, tc.in, s)
		if err != nil {
			t.Fatal(err)
		}
		hotkey, err := Open(tc.domain, b, tc.read)
		if err != nil || hotkey != s.Hotkey() || !reflect.DeepEqual(tc.read, tc.in) {
			t.Errorf("%s: read %+v by %v, %v, want %+v", tc.domain, tc.read, hotkey, err, tc.in)
		}
	}
}

// signedText seals a payload that Go would not write.
func signedText(t testing.TB, payload string) string {
	t.Helper()
	s := newSigner(1)
	sig, err := s.Sign(sealedMessage(DomainPeers, []byte(payload)))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"payload":%s,"hotkey":"%v","signature":"%v"}`, payload, s.Hotkey(), sig)
}

func TestOpenRefuses(t *testing.T) {
	run := protocol.Hash{1}.String()
	payload := fmt.Sprintf(`{"run":"%s","effective_from":9,"peers":[1,2]}`, run)
	good := signedText(t, payload)
	if _, err := Open(DomainPeers, []byte(good), &PeerList{}); err != nil {
		t.Fatal(err)
	}
	with := func(old, new string) string { return signedText(t, strings.Replace(payload, old, new, 1)) }
	for name, doc := range map[string]string{
		"nothing":             "",
		"not JSON":            "peers",
		"null":                "null",
		"data behind":         good + "{}",
		"newline behind":      good + "\n",
		"space within":        strings.Replace(good, `,"hotkey"`, `, "hotkey"`, 1),
		"unknown key":         strings.Replace(good, `{"payload"`, `{"x":1,"payload"`, 1),
		"payload twice":       strings.Replace(good, `{"payload"`, `{"payload":{},"payload"`, 1),
		"key in capitals":     strings.Replace(good, `"payload"`, `"Payload"`, 1),
		"payload changed":     strings.Replace(good, `[1,2]`, `[1,3]`, 1),
		"signature cut":       strings.Replace(good, `"}`, ``, 1),
		"unknown payload key": with(`"peers"`, `"x":1,"peers"`),
		"peers twice":         with(`"peers"`, `"peers":[9],"peers"`),
		"space in payload":    with(`[1,2]`, `[1, 2]`),
		"peers missing":       with(`,"peers":[1,2]`, ``),
		"uid not an integer":  with(`[1,2]`, `[1.0,2]`),
		"uid out of range":    with(`[1,2]`, `[1,65536]`),
		"uids descend":        with(`[1,2]`, `[2,1]`),
		"uid twice":           with(`[1,2]`, `[1,1]`),
		"too large":           strings.Repeat(" ", MaxSealedSize+1),
	} {
		if _, err := Open(DomainPeers, []byte(doc), &PeerList{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Open(DomainStartWindow, []byte(good), &PeerList{}); err == nil {
		t.Error("a peer list passes for a document of another domain")
	}
}

func FuzzOpen(f *testing.F) {
	payload := `{"run":"` + protocol.Hash{}.String() + `","effective_from":9,"peers":[1,2]}`
	f.Add([]byte(signedText(f, payload)), false)
	f.Add([]byte(`{"payload":{},"hotkey":"","signature":""}`), false)
	f.Add([]byte(payload), true)
	f.Fuzz(func(t *testing.T, b []byte, opened bool) {
		var list PeerList
		if opened { // what a hostile node signs with a key of its own
			if err := readPayload(b, &list); err == nil && list.Validate() != nil {
				t.Fatalf("read %s", b)
			}
			return
		}
		hotkey, err := Open(DomainPeers, b, &list)
		if err == nil && (hotkey != newSigner(1).Hotkey() || !bytes.Contains(b, []byte(hotkey.String()))) {
			t.Fatalf("opened %s by %v", b, hotkey)
		}
	})
}
