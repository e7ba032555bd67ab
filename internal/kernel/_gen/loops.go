package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const vector = 32 // bytes

var registers = avx2.registers

// Constants of the loops, a vector each.
func words(name string, value func(lane int) uint32) Mem {
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	for lane := range 8 {
		DATA(4*lane, U32(value(lane)))
	}
	return m
}

func maxima() {
	mask := words("magnitude", func(int) uint32 { return 1<<31 - 1 })
	TEXT("maximaAVX2", attr.NOSPLIT, "func(x *float32, n int, most *[64]uint32)")
	Doc("maximaAVX2 sets most[i] to the largest key among x[i], x[i+64], ...; n is a positive multiple of 64.")
	Pragma("noescape")
	Load(Param("x"), RSI)
	Load(Param("n"), RCX)
	Load(Param("most"), RDI)
	VMOVDQU(mask, Y15)
	for i := range 8 {
		VPXOR(registers[i], registers[i], registers[i])
	}
	Label("maxima_loop")
	for i := range 8 {
		t := registers[8+i%4]
		VPAND(Mem{Base: RSI, Disp: vector * i}, Y15, t)
		VPMAXUD(t, registers[i], registers[i])
	}
	ADDQ(I32(stride), RSI)
	SUBQ(I8(64), RCX)
	JNZ(LabelRef("maxima_loop"))
	for i := range 8 {
		VMOVDQU(registers[i], Mem{Base: RDI, Disp: vector * i})
	}
	VZEROUPPER()
	RET()
}

func above() {
	mask := words("magnitude2", func(int) uint32 { return 1<<31 - 1 })
	TEXT("aboveAVX2", attr.NOSPLIT, "func(dst *uint16, x *float32, n int, below uint32) (count int)")
	Doc("aboveAVX2 writes the indices of the keys greater than below, read as signed, to dst and returns how many there are;",
		"n is a positive multiple of 32, and dst has room for n.")
	Pragma("noescape")
	Load(Param("dst"), RDI)
	Load(Param("x"), RSI)
	Load(Param("n"), RCX)
	Load(Param("below"), EAX)
	VMOVD(EAX, X14)
	VPBROADCASTD(X14, Y14)
	VMOVDQU(mask, Y15)
	MOVQ(RDI, R8)
	XORQ(RBX, RBX) // index of the first lane
	Label("above_loop")
	for i := range 4 {
		VPAND(Mem{Base: RSI, Index: RBX, Scale: 4, Disp: vector * i}, Y15, registers[i])
		VPCMPGTD(Y14, registers[i], registers[i])
	}
	VPOR(Y0, Y1, Y4)
	VPOR(Y2, Y3, Y5)
	VPOR(Y4, Y5, Y4)
	VPTEST(Y4, Y4)
	JZ(LabelRef("above_next"))
	gp := []Register{RAX, R9, R10, R11}
	for i, r := range []GPPhysical{EAX, R9L, R10L, R11L} {
		VMOVMSKPS(registers[i], r)
		if i > 0 {
			SHLQ(U8(8*i), gp[i])
			ORQ(gp[i], RAX)
		}
	}
	Label("above_hit")
	TZCNTQ(RAX, RDX)
	ADDQ(RBX, RDX)
	MOVW(DX, Mem{Base: RDI})
	ADDQ(I8(2), RDI)
	LEAQ(Mem{Base: RAX, Disp: -1}, R9)
	ANDQ(R9, RAX)
	JNZ(LabelRef("above_hit"))
	Label("above_next")
	ADDQ(I8(32), RBX)
	CMPQ(RBX, RCX)
	JNE(LabelRef("above_loop"))
	SUBQ(R8, RDI)
	SHRQ(U8(1), RDI)
	Store(RDI, Return("count"))
	VZEROUPPER()
	RET()
}

func packSigns() {
	TEXT("packSignsAVX2", attr.NOSPLIT, "func(dst *byte, x *float32, n int)")
	Doc("packSignsAVX2 writes one bit a value, set where it is greater than zero; n is a positive multiple of 8.")
	Pragma("noescape")
	Load(Param("dst"), RDI)
	Load(Param("x"), RSI)
	Load(Param("n"), RCX)
	VXORPS(Y15, Y15, Y15)
	Label("pack_loop")
	VCMPPS(U8(1), Mem{Base: RSI}, Y15, Y0) // 0 < x, false for NaN
	VMOVMSKPS(Y0, EAX)
	MOVB(AL, Mem{Base: RDI})
	ADDQ(I8(vector), RSI)
	INCQ(RDI)
	SUBQ(I8(8), RCX)
	JNZ(LabelRef("pack_loop"))
	VZEROUPPER()
	RET()
}

func step() {
	bits := words("lane_bit", func(lane int) uint32 { return 1 << lane })
	sign := words("sign_bit", func(int) uint32 { return 1 << 31 })
	TEXT("stepAVX2", attr.NOSPLIT, "func(p *float32, signs *byte, n int, decay, lr float32)")
	Doc("stepAVX2 is Step for whole bytes of signs; n is a positive multiple of 8.")
	Pragma("noescape")
	Load(Param("p"), RDI)
	Load(Param("signs"), RSI)
	Load(Param("n"), RCX)
	VBROADCASTSS(NewParamAddr("decay", 24), Y15)
	VBROADCASTSS(NewParamAddr("lr", 28), Y14)
	VMOVDQU(bits, Y13)
	VMOVDQU(sign, Y12)
	Label("step_loop")
	VPBROADCASTB(Mem{Base: RSI}, Y0)
	VPAND(Y13, Y0, Y0)
	VPCMPEQD(Y13, Y0, Y0)
	VPANDN(Y12, Y0, Y0) // the sign bit where the direction is up
	VXORPS(Y14, Y0, Y0)
	VMULPS(Mem{Base: RDI}, Y15, Y1)
	VSUBPS(Y0, Y1, Y1)
	VMOVUPS(Y1, Mem{Base: RDI})
	ADDQ(I8(vector), RDI)
	INCQ(RSI)
	SUBQ(I8(8), RCX)
	JNZ(LabelRef("step_loop"))
	VZEROUPPER()
	RET()
}
