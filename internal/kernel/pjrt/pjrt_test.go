package pjrt_test

import (
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"templar/internal/kernel/pjrt"
)

// The plug-in of a machine without one is that of testkit/pjrt/install.
const variable = "TEMPLAR_PJRT_PLUGIN"

var client = sync.OnceValues(func() (*pjrt.Client, error) {
	p, err := pjrt.Open(os.Getenv(variable))
	if err != nil {
		return nil, err
	}
	return p.Client(nil)
})

// open returns a client of the plug-in that the environment names. It lives as long as the tests.
func open(t *testing.T) *pjrt.Client {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skipf("%s is not set: `testkit/pjrt/install DIR` prints the path of a CPU plug-in", variable)
	}
	c, err := client()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// loop adds a to b ten times, in the memory of b.
const loop = `module @loop {
  func.func public @main(%a: tensor<4xf32>, %b: tensor<4xf32> {tf.aliasing_output = 0 : i32}) -> (tensor<4xf32>, tensor<f32>) {
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %first = stablehlo.constant dense<0> : tensor<i32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %ten = stablehlo.constant dense<10> : tensor<i32>
    %r:2 = stablehlo.while(%i = %first, %x = %b) : tensor<i32>, tensor<4xf32>
     cond {
      %c = stablehlo.compare LT, %i, %ten, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
     } do {
      %j = stablehlo.add %i, %one : tensor<i32>
      %y = stablehlo.add %x, %a : tensor<4xf32>
      stablehlo.return %j, %y : tensor<i32>, tensor<4xf32>
     }
    %s = stablehlo.reduce(%r#1 init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    return %r#1, %s : tensor<4xf32>, tensor<f32>
  }
}`

func upload(t *testing.T, c *pjrt.Client, d pjrt.Device, v ...float32) *pjrt.Buffer {
	t.Helper()
	b, err := pjrt.Upload(c, d, v, pjrt.F32, int64(len(v)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func read(t *testing.T, b *pjrt.Buffer, n int) []float32 {
	t.Helper()
	t.Cleanup(func() { b.Close() })
	out := make([]float32, n)
	if err := pjrt.Read(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func compile(t *testing.T, c *pjrt.Client, text string, o pjrt.CompileOptions) *pjrt.Program {
	t.Helper()
	x, err := c.Compile([]byte(text), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func TestRun(t *testing.T) {
	c := open(t)
	device := c.Devices()[0]
	name, version := c.Platform()
	t.Logf("%s %s, %d devices (%s), interface %d.%d", name, version, len(c.Devices()), device.Kind(), c.Plugin().Major, c.Plugin().Minor)
	if name == "" || device.Kind() == "" {
		t.Error("the platform or the device has no name")
	}
	x := compile(t, c, loop, pjrt.CompileOptions{Flags: map[string]string{"xla_llvm_disable_expensive_passes": "true", "xla_backend_optimization_level": "0"}})
	if x.Outputs() != 2 {
		t.Fatalf("%d results", x.Outputs())
	}
	check := func(x *pjrt.Program) {
		t.Helper()
		a, b := upload(t, c, device, 1, 2, 3, 4), upload(t, c, device, 1, 1, 1, 1)
		out, err := x.Run([]*pjrt.Buffer{a, b})
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, out[0], 4); !slices.Equal(got, []float32{11, 21, 31, 41}) {
			t.Errorf("result %v", got)
		}
		sum := make([]float32, 1)
		if err := pjrt.Read(out[1], sum); err != nil || sum[0] != 104 {
			t.Errorf("sum %v, %v", sum, err)
		}
		if err := pjrt.Read(out[1], make([]float32, 2)); err == nil {
			t.Error("one value is read to two places")
		}
		// b was consumed.
		var bad *pjrt.Error
		if _, err := x.Run([]*pjrt.Buffer{a, b}); !errors.As(err, &bad) || bad.Code != pjrt.InvalidArgument {
			t.Errorf("a consumed buffer again: %v", err)
		}
		a.Close()
		if _, err := x.Run([]*pjrt.Buffer{a, b}); err == nil {
			t.Error("a closed buffer is an input")
		}
	}
	check(x)
	check(x)
	m, err := x.Memory()
	if err != nil || m.Arguments < 32 || m.Aliases < 16 {
		t.Errorf("planned memory %+v, %v", m, err)
	}
	saved, err := x.Serialize()
	if err != nil || len(saved) == 0 {
		t.Fatalf("%d bytes, %v", len(saved), err)
	}
	again, err := c.Load(saved, pjrt.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	check(again)
	if err := errors.Join(again.Close(), again.Close()); err != nil {
		t.Error(err)
	}
	if text, format, err := x.Optimized(); err != nil || len(text) == 0 || format == "" {
		t.Errorf("optimised program: %d bytes, format %q, %v", len(text), format, err)
	}
}

// The program doubles the first half of the values, and triples what another device adds.
const sharded = `module @sharded attributes {mhlo.num_partitions = 2 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["x"=2]>
  func.func public @main(%a: tensor<4xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}]>}) -> (tensor<4xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}]>}, tensor<f32> {sdy.sharding = #sdy.sharding<@mesh, []>}) {
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %s = stablehlo.reduce(%a init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    %b = stablehlo.add %a, %a : tensor<4xf32>
    return %b, %s : tensor<4xf32>, tensor<f32>
  }
}`

func TestSharded(t *testing.T) {
	c := open(t)
	devices := c.Devices()
	if len(devices) < 2 {
		t.Skipf("the plug-in has %d device", len(devices))
	}
	x := compile(t, c, sharded, pjrt.CompileOptions{Partitions: 2})
	out, err := x.RunSharded([][]*pjrt.Buffer{{upload(t, c, devices[0], 1, 2)}, {upload(t, c, devices[1], 3, 4)}})
	if err != nil {
		t.Fatal(err)
	}
	for d, want := range [][]float32{{2, 4}, {6, 8}} {
		if got := read(t, out[d][0], 2); !slices.Equal(got, want) {
			t.Errorf("device %d: %v", d, got)
		}
		if got := read(t, out[d][1], 1); got[0] != 10 {
			t.Errorf("device %d: sum %v", d, got)
		}
	}
	if _, err := x.Run([]*pjrt.Buffer{}); err == nil {
		t.Error("a program of two devices runs on one")
	}
}

func TestErrors(t *testing.T) {
	c := open(t)
	for name, o := range map[string]pjrt.CompileOptions{
		"module { nonsense }": {},
		loop:                  {Flags: map[string]string{"xla_no_such_flag": "true"}},
	} {
		_, err := c.Compile([]byte(name), o)
		var bad *pjrt.Error
		if !errors.As(err, &bad) || bad.Message == "" {
			t.Errorf("%.20q compiles: %v", name, err)
		}
	}
	if _, err := pjrt.Upload(c, c.Devices()[0], []float32{1, 2, 3}, pjrt.F32, 2); err == nil {
		t.Error("three values are an array of two")
	}
	if _, err := c.Plugin().Client(pjrt.Options{"visible_devices": 7}); err == nil || !strings.Contains(err.Error(), "int") {
		t.Errorf("an option of an unknown type: %v", err)
	}
	if _, err := c.Devices()[0].Memory(); err != nil {
		var bad *pjrt.Error
		if !errors.As(err, &bad) || bad.Code != pjrt.Unimplemented {
			t.Errorf("memory: %v", err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, path := range []string{"", "no-such-plugin.so", "pjrt_test.go"} {
		if _, err := pjrt.Open(path); err == nil {
			t.Errorf("%q is a plug-in", path)
		}
	}
}

// Values that are no numbers cross unchanged.
func TestBits(t *testing.T) {
	c := open(t)
	var want []float32
	for _, bits := range []uint32{0, 1 << 31, 1, 0x7f800001, 0x7fc00000, 0xff800000, 0x7f7fffff} {
		want = append(want, math.Float32frombits(bits))
	}
	for i, v := range read(t, upload(t, c, c.Devices()[0], want...), len(want)) {
		if math.Float32bits(v) != math.Float32bits(want[i]) {
			t.Errorf("value %d: %#x, want %#x", i, math.Float32bits(v), math.Float32bits(want[i]))
		}
	}
}
