package wire_test

import (
	"fmt"

	"templar/internal/wallet"
	"templar/protocol"
	"templar/wire"
)

// A miner seals its gradient, with the bytes of the run's method inside, and signs the header; a reader that has the key
// says what it expects, and gets a verdict.
func Example() {
	key, err := wallet.FromSeed([32]byte{1})
	if err != nil {
		fmt.Println(err)
		return
	}
	format := wire.Format{Method: "dctsign", Layout: protocol.Hash{7}, MaxPayload: 100, MaxUpdate: 100}
	g := &wire.Gradient{Run: protocol.Hash{1}, Window: 17, UID: 3, Hotkey: key.Hotkey(), Tokens: 512, Body: []byte("payload")}
	secret := wire.GradientKey{9} // fresh for each gradient: wire.NewGradientKey
	object, err := wire.EncodeGradient(g, format, secret, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	want := wire.Expect{Run: g.Run, Window: 17, UID: 3, Hotkey: key.Hotkey()}
	read, verdict := wire.DecodeGradient(object, format, want)
	fmt.Println(verdict, string(read.Body))

	want.Window = 18
	_, verdict = wire.DecodeGradient(object, format, want)
	fmt.Println(verdict)
	object[100] ^= 1
	_, verdict = wire.DecodeGradient(object, format, want)
	fmt.Println(verdict)
	// Output:
	// ok payload
	// wrong-context
	// malformed
}
