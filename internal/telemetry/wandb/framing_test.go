package wandb

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

type protowireNumber = protowire.Number

// records frames records of the given sizes as a file.
func records(sizes ...int) (file []byte, all [][]byte) {
	file = []byte(fileHeader)
	for i, n := range sizes {
		r := bytes.Repeat([]byte{byte(i + 1)}, n)
		file, all = append(file, frame(int64(len(file)), r)...), append(all, r)
	}
	return file, all
}

// Records of every size around the bounds of blocks are read back, and a file that is cut off
// anywhere gives the whole records before the cut.
func TestFraming(t *testing.T) {
	var sizes []int
	for n := range 30 {
		sizes = append(sizes, n, blockSize-2*chunkHeader-len(fileHeader)-n, 3*blockSize+n)
	}
	file, want := records(sizes...)
	r, err := newReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		got, err := r.next()
		if err != nil || !bytes.Equal(got, want[i]) {
			t.Fatalf("record %d of %d bytes: %d bytes, %v", i, len(want[i]), len(got), err)
		}
	}
	if _, err := r.next(); err != io.EOF || r.whole != int64(len(file)) {
		t.Errorf("at the end: %v, %d of %d", err, r.whole, len(file))
	}

	file, want = records(5, blockSize, 9)
	for cut := len(fileHeader); cut < len(file); cut++ {
		r, err := newReader(bytes.NewReader(file[:cut]))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err = r.next(); err == nil; _, err = r.next() {
			n++
		}
		again, _ := records([]int{5, blockSize, 9}[:n]...)
		if n == len(want) || r.whole != int64(len(again)) {
			t.Fatalf("cut at %d: %d records, whole up to %d, want %d", cut, n, r.whole, len(again))
		}
	}
	file[20] ^= 1
	if r, err = newReader(bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	r.next()
	if _, err := r.next(); !errors.Is(err, errTorn) {
		t.Errorf("a flipped bit: %v", err)
	}
}

// The bytes of a small file stay what they are: other programs read them.
func TestGolden(t *testing.T) {
	row := Row{Step: 3, Runtime: 1.5, Time: time.Unix(1700000000, 250000000).UTC(), Values: []Value{
		{"latest/miner/loss", 2.5}, {"n", 7}, {"ok", true}, {"why", "late \"x\""}, {"bad", math.NaN()}, {"inf", math.Inf(-1)},
	}}
	got, step, ok := line(row.record())
	want := `{"latest/miner/loss":2.5,"n":7,"ok":true,"why":"late \"x\"","bad":"NaN","inf":"-Infinity","_step":3,"_runtime":1.5,"_timestamp":1.70000000025e+09}`
	if string(got) != want || step != 3 || !ok {
		t.Errorf("%s, step %d, %v", got, step, ok)
	}
	// The checksum is that of zlib.
	b := frame(7, wrapped(1, fieldExit, exitRecord(2*time.Second)))
	if want := []byte{0x33, 0xf6, 0x09, 0xe5, 7, 0, 1, 8, 1, 0x92, 1, 2, 0x10, 2}; !bytes.Equal(b, want) {
		t.Errorf("%x, want %x", b, want)
	}
}

// No file makes the reader or the decoders fail otherwise than with an error.
func FuzzFile(f *testing.F) {
	row := Row{Step: 3, Values: []Value{{"a", 1.5}}}
	file := []byte(fileHeader)
	file = append(file, frame(int64(len(file)), wrapped(1, fieldHistory, row.record()))...)
	f.Add(file)
	small, _ := records(3, blockSize)
	f.Add(small)
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = scan(bytes.NewReader(b), 0, func(_ int64, _ protowire.Number, body []byte) bool {
			line(body)
			beginOf(body)
			return true
		})
	})
}
