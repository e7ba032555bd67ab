package node

import (
	"net"
	"testing"
)

func TestRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	open, shut := "http://"+l.Addr().String(), "ws://"+closed.Addr().String()
	for endpoint, refused := range map[string]bool{
		open: false, shut: true, shut + ", " + open: false, shut + "," + shut: true, "": false, "finney": false, "http://": false,
	} {
		if err := Refused(t.Context(), endpoint); (err != nil) != refused {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}
