package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// columns writes a transform of the 64 columns of a chunk.
func columns(m *machine, direction, kind string, build func(*graph, []*node) []*node) {
	name := direction + "64" + m.name
	g, e, stack := plan(m, build)
	TEXT(name, 0, "func(dst, src *[4096]float32)")
	Doc(name + " writes the unscaled type " + kind + " transform of the 64 columns of src to dst.")
	Pragma("noescape")
	e.table = m.constants(name+"_table", g.consts)
	e.dst, e.src, e.stack = Mem{Base: RDI}, Mem{Base: RSI}, m.local(stack, RBX)
	Load(Param("dst"), RDI)
	Load(Param("src"), RSI)
	MOVQ(I32(stride/m.vector), RCX)
	Label(name + "_columns")
	e.run(g)
	ADDQ(I8(m.vector), RDI)
	ADDQ(I8(m.vector), RSI)
	DECQ(RCX)
	JNZ(LabelRef(name + "_columns"))
	VZEROUPPER()
	RET()
}

// collect copies the rows of a chunk together. With ahead it asks for those of the next one meanwhile.
func collect(ahead bool) {
	name, label := "collect64AVX2", "collect_row"
	signature, doc := "func(dst *[4096]float32, src *float32, apart int)", []string{"collect64AVX2 writes 64 rows of 64 values, apart values from one another, to dst."}
	if ahead {
		name, label = "collectAhead64AVX2", "ahead_row"
		signature = "func(dst *[4096]float32, src *float32, apart int, next *float32)"
		doc = []string{"collectAhead64AVX2 is collect64AVX2, and asks for the chunk at next."}
	}
	TEXT(name, attr.NOSPLIT, signature)
	Doc(doc...)
	Pragma("noescape")
	Load(Param("dst"), RDI)
	Load(Param("src"), RSI)
	Load(Param("apart"), RDX)
	SHLQ(U8(2), RDX)
	MOVQ(I32(side), RCX)
	if ahead {
		Load(Param("next"), RBX)
	}
	Label(label)
	if ahead {
		for line := range stride / 64 {
			PREFETCHT1(Mem{Base: RBX, Disp: 64 * line})
		}
		ADDQ(RDX, RBX)
	}
	for i, y := range avx2.registers[:stride/vector] {
		VMOVUPS(Mem{Base: RSI, Disp: vector * i}, y)
	}
	for i, y := range avx2.registers[:stride/vector] {
		VMOVUPS(y, Mem{Base: RDI, Disp: vector * i})
	}
	ADDQ(RDX, RSI)
	ADDQ(I32(stride), RDI)
	DECQ(RCX)
	JNZ(LabelRef(label))
	VZEROUPPER()
	RET()
}

// turned writes the transform of the 64 columns of a chunk to the rows of another, by
// way of 64 rows of one vector on the stack.
func turned(m *machine, direction, kind string, build func(*graph, []*node) []*node, ahead bool) {
	name := direction + "64Turned" + m.name
	g, e, stack := plan(m, build)
	signature := "func(dst, src *[4096]float32, scale *[2][64]float32)"
	doc := []string{name + " writes the type " + kind + " transform of the 64 columns of src to the rows of dst,",
		"the first one times scale[0], the others times scale[1]."}
	if ahead {
		signature = "func(dst, src *[4096]float32, scale *[2][64]float32, next *float32, apart int)"
		doc = append(doc, asks)
	}
	TEXT(name, 0, signature)
	Doc(doc...)
	Pragma("noescape")
	e.table = m.constants(name+"_table", g.consts)
	result := m.local(side*m.vector+stack, RBX)
	e.dst, e.apart, e.src, e.stack = result, m.vector, Mem{Base: RSI}, result.Offset(side*m.vector)
	Load(Param("dst"), RDI)
	Load(Param("src"), RSI)
	Load(Param("scale"), R8) // of the first row of the blocks under way
	LEAQ(Mem{Base: R8, Disp: stride}, R9)
	if ahead {
		loadNext()
	}
	MOVQ(I32(stride/m.vector), RCX)
	Label(name + "_columns")
	e.run(g)
	MOVQ(result.Base, R10)
	MOVQ(RDI, R11)
	XORQ(R12, R12)
	Label(name + "_turn")
	if ahead {
		prefetch(4)
	}
	block16()
	ADDQ(I32(16*m.vector), R10)
	ADDQ(I8(m.vector), R11)
	ADDQ(I8(m.vector), R12)
	CMPQ(R12, I32(stride))
	JNE(LabelRef(name + "_turn"))
	MOVQ(R9, R8)
	ADDQ(I8(m.vector), RSI)
	ADDQ(I32(16*stride), RDI)
	DECQ(RCX)
	JNZ(LabelRef(name + "_columns"))
	VZEROUPPER()
	RET()
}

const asks = "It prefetches the first 32 values of 64 rows from next on, apart values from one another."

func loadNext() {
	Load(Param("next"), R13)
	Load(Param("apart"), R14)
	SHLQ(U8(2), R14)
}

// prefetch asks for two lines each of some rows of the next chunk, into the second-level
// cache: rows a power of two apart would evict one another from the first.
func prefetch(rows int) {
	for range rows {
		PREFETCHT1(Mem{Base: R13})
		PREFETCHT1(Mem{Base: R13, Disp: 64})
		ADDQ(R14, R13)
	}
}

// local returns stack memory that is aligned to vectors where they are a cache line.
func (m *machine) local(size int, base GPPhysical) Mem {
	if m.vector < 64 {
		return AllocLocal(size)
	}
	LEAQ(AllocLocal(size+m.vector), base)
	ADDQ(I8(m.vector-1), base)
	ANDQ(I8(-m.vector), base)
	return Mem{Base: base}
}

// block16 transposes sixteen rows of one vector at R10 to R11, scaled.
func block16() {
	z := avx512.registers
	for i := range 16 {
		VMOVUPS(Mem{Base: R10, Disp: 64 * i}, z[i])
	}
	for i := 0; i < 16; i += 2 { // pairs of rows
		VUNPCKLPS(z[i+1], z[i], z[16+i])
		VUNPCKHPS(z[i+1], z[i], z[17+i])
	}
	for i := 0; i < 16; i += 4 { // fours
		VUNPCKLPD(z[18+i], z[16+i], z[i])
		VUNPCKHPD(z[18+i], z[16+i], z[i+1])
		VUNPCKLPD(z[19+i], z[17+i], z[i+2])
		VUNPCKHPD(z[19+i], z[17+i], z[i+3])
	}
	for i := 0; i < 16; i += 8 { // eights: quarters 0 and 2, 1 and 3
		for c := range 4 {
			VSHUFF32X4(U8(0x88), z[i+4+c], z[i+c], z[16+i+c])
			VSHUFF32X4(U8(0xdd), z[i+4+c], z[i+c], z[20+i+c])
		}
	}
	for c := range 4 {
		VSHUFF32X4(U8(0x88), z[24+c], z[16+c], z[c])
		VSHUFF32X4(U8(0xdd), z[24+c], z[16+c], z[8+c])
		VSHUFF32X4(U8(0x88), z[28+c], z[20+c], z[4+c])
		VSHUFF32X4(U8(0xdd), z[28+c], z[20+c], z[12+c])
	}
	VMOVUPS(Mem{Base: R9, Index: R12, Scale: 1}, Z31)
	for i := range 16 {
		scale := Op(Z31)
		if i == 0 {
			scale = Mem{Base: R8, Index: R12, Scale: 1}
		}
		VMULPS(scale, z[i], z[i])
		VMOVUPS(z[i], Mem{Base: R11, Disp: stride * i})
	}
}

// transposition writes 64 loops of one 8 x 8 block: columns of src become rows of dst.
func transposition() {
	TEXT("transpose64AVX2", attr.NOSPLIT, "func(dst, src *[4096]float32, scale *[2][64]float32, next *float32, apart int)")
	Doc("transpose64AVX2 writes the transpose of src to dst, its first row times scale[0], the others times scale[1].", asks)
	Pragma("noescape")
	Load(Param("dst"), RDI)
	Load(Param("src"), RSI)
	Load(Param("scale"), R8) // of the first row of the blocks under way
	LEAQ(Mem{Base: R8, Disp: stride}, R9)
	loadNext()
	MOVQ(I32(side/8), RCX)
	Label("transpose_across")
	MOVQ(RSI, R10)
	MOVQ(RDI, R11)
	XORQ(R12, R12)
	Label("transpose_down")
	prefetch(1)
	block8()
	ADDQ(I32(8*stride), R10)
	ADDQ(I8(avx2.vector), R11)
	ADDQ(I8(avx2.vector), R12)
	CMPQ(R12, I32(stride))
	JNE(LabelRef("transpose_down"))
	MOVQ(R9, R8)
	ADDQ(I8(avx2.vector), RSI)
	ADDQ(I32(8*stride), RDI)
	DECQ(RCX)
	JNZ(LabelRef("transpose_across"))
	VZEROUPPER()
	RET()
}

func block8() {
	y := avx2.registers
	for i := range 8 {
		VMOVUPS(Mem{Base: R10, Disp: stride * i}, y[i])
	}
	for i := 0; i < 8; i += 2 { // pairs of rows
		VUNPCKLPS(y[i+1], y[i], y[8+i])
		VUNPCKHPS(y[i+1], y[i], y[9+i])
	}
	for i := 0; i < 8; i += 4 { // fours
		VSHUFPS(U8(0x44), y[10+i], y[8+i], y[i])
		VSHUFPS(U8(0xee), y[10+i], y[8+i], y[i+1])
		VSHUFPS(U8(0x44), y[11+i], y[9+i], y[i+2])
		VSHUFPS(U8(0xee), y[11+i], y[9+i], y[i+3])
	}
	VMOVUPS(Mem{Base: R9, Index: R12, Scale: 1}, Y15)
	for i := range 4 {
		VPERM2F128(U8(0x20), y[4+i], y[i], y[8+i])
		VPERM2F128(U8(0x31), y[4+i], y[i], y[i])
	}
	for i := range 8 {
		from, scale := y[8+i], Op(Y15)
		if i >= 4 {
			from = y[i-4]
		}
		if i == 0 {
			scale = Mem{Base: R8, Index: R12, Scale: 1}
		}
		VMULPS(scale, from, from)
		VMOVUPS(from, Mem{Base: R11, Disp: stride * i})
	}
}
