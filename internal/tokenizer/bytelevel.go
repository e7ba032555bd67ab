package tokenizer

import "fmt"

// GPT-2 writes each byte of a vocabulary as a printable character: those that are
// printable in Latin-1 as themselves, the others, in order, from U+0100 on.

func printable(b byte) bool {
	return b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae
}

// byteRune is the character that stands for a byte.
func byteRune(b byte) rune {
	if printable(b) {
		return rune(b)
	}
	n := rune(0)
	for v := byte(0); v < b; v++ {
		if !printable(v) {
			n++
		}
	}
	return 0x100 + n
}

// runeByte maps the characters below U+0144 back, -1 for those that stand for nothing.
var runeByte = func() (table [0x144]int16) {
	for i := range table {
		table[i] = -1
	}
	for b := range 256 {
		table[byteRune(byte(b))] = int16(b)
	}
	return table
}()

// levelBytes is the bytes that a word of a byte-level vocabulary stands for.
func levelBytes(word string) ([]byte, bool) {
	out := make([]byte, 0, len(word))
	for _, r := range word {
		if r >= rune(len(runeByte)) || runeByte[r] < 0 {
			return nil, false
		}
		out = append(out, byte(runeByte[r]))
	}
	return out, true
}

// fallbackByte is the byte that a token such as <0x0A> stands for.
func fallbackByte(word string) (b byte, ok bool) {
	if len(word) != 6 {
		return 0, false
	}
	if _, err := fmt.Sscanf(word, "<0x%02X>", &b); err != nil {
		return 0, false
	}
	return b, fmt.Sprintf("<0x%02X>", b) == word
}
