package pjrt

import (
	"encoding/hex"
	"testing"
	"unsafe"
)

// The options are protocol buffers: compile_options.proto.
func TestCompileOptions(t *testing.T) {
	for _, c := range []struct {
		options CompileOptions
		want    string
	}{
		{CompileOptions{}, "1a0420012801"},
		{CompileOptions{Flags: map[string]string{"b": "9", "a": "true"}}, "1a0420012801" + "3a07" + "0a0161" + "12021001" + "3a08" + "0a0162" + "12030a0139"},
		{CompileOptions{Partitions: 2}, "1a19" + "20012802" + "3001" + "4a0e" + "08011002" + "1a030a0100" + "1a030a0101" + "980101"},
	} {
		if got := hex.EncodeToString(c.options.encode()); got != c.want {
			t.Errorf("%+v: %s, want %s", c.options, got, c.want)
		}
	}
}

// The layouts are those of the header on 64-bit machines.
func TestLayouts(t *testing.T) {
	for name, sizes := range map[string][2]uintptr{
		"PJRT_NamedValue":               {unsafe.Sizeof(namedValue{}), 56},
		"PJRT_NamedValue.value":         {unsafe.Offsetof(namedValue{}.value), 40},
		"PJRT_Program":                  {unsafe.Sizeof(code{}), 48},
		"PJRT_ExecuteOptions":           {unsafe.Sizeof(executeOptions{}), 144},
		"PJRT_Api before its functions": {unsafe.Offsetof(table{}.fn), 40},
	} {
		if sizes[0] != sizes[1] {
			t.Errorf("%s: %d bytes, want %d", name, sizes[0], sizes[1])
		}
	}
}
