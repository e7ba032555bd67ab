package main

import (
	"fmt"

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

// kth finds the bits of the k-th largest one after the other, from the highest on: a bit is set if k keys reach what it gives.
func kth() {
	TEXT("kthAVX2", attr.NOSPLIT, "func(keys *[128]uint32, k int) (least uint32)")
	Doc("kthAVX2 returns the k-th largest key, a magnitude, without its lower 16 bits.")
	Pragma("noescape")
	Load(Param("keys"), RSI)
	Load(Param("k"), RDX)
	y := registers
	for i := range 8 {
		VMOVDQU(Mem{Base: RSI, Disp: 2 * vector * i}, y[i])
		VMOVDQU(Mem{Base: RSI, Disp: 2*vector*i + vector}, Y8)
		VPSRLD(U8(16), y[i], y[i])
		VPSRLD(U8(16), Y8, Y8)
		VPACKUSDW(Y8, y[i], y[i]) // in any order
	}
	XORL(EAX, EAX)
	MOVL(U32(1<<14), R8L)
	Label("kth_bit")
	MOVL(EAX, R9L)
	ORL(R8L, R9L)
	LEAL(Mem{Base: R9, Disp: -1}, R10L)
	VMOVD(R10L, X8)
	VPBROADCASTW(X8, Y8)
	VPCMPGTW(Y8, Y0, Y9)
	VPCMPGTW(Y8, Y1, Y10)
	VPCMPGTW(Y8, Y2, Y11)
	VPCMPGTW(Y8, Y3, Y12)
	VPCMPGTW(Y8, Y4, Y13)
	VPCMPGTW(Y8, Y5, Y14)
	VPADDW(Y10, Y9, Y9)
	VPADDW(Y12, Y11, Y11)
	VPADDW(Y14, Y13, Y13)
	VPCMPGTW(Y8, Y6, Y10)
	VPCMPGTW(Y8, Y7, Y12)
	VPADDW(Y11, Y9, Y9)
	VPADDW(Y12, Y10, Y10)
	VPADDW(Y10, Y13, Y13)
	VPADDW(Y13, Y9, Y9) // minus how many, in 16 lanes
	VEXTRACTI128(U8(1), Y9, X10)
	VPADDW(X10, X9, X9)
	VPCMPEQW(X11, X11, X11)
	VPMADDWD(X11, X9, X9)
	VPSHUFD(U8(0x4e), X9, X10)
	VPADDD(X10, X9, X9)
	VPSHUFD(U8(0xb1), X9, X10)
	VPADDD(X10, X9, X9)
	VMOVD(X9, R11L)
	CMPL(R11L, EDX)
	CMOVLGE(R9L, EAX)
	SHRL(U8(1), R8L)
	JNZ(LabelRef("kth_bit"))
	SHLL(U8(16), EAX)
	Store(EAX, Return("least"))
	VZEROUPPER()
	RET()
}

// chooseSome is chooseMore, 32 keys at a time.
func chooseSome() {
	TEXT("chooseAVX2", attr.NOSPLIT, "func(found *[128]uint16, keys *[128]uint32, n, k int) (ok bool)")
	Doc("chooseAVX2 is chooseMoreAVX512 for keys that are magnitudes.")
	Pragma("noescape")
	Load(Param("found"), RDI)
	Load(Param("keys"), RSI)
	Load(Param("n"), RCX)
	Load(Param("k"), RDX)
	VMOVD(EDX, X15)
	VPBROADCASTD(X15, Y15)
	y := registers
	chosen := []GPPhysical{R8, R9, R10, R11}
	for _, r := range chosen {
		XORL(r.As32(), r.As32())
	}
	XORL(R12L, R12L) // how many
	for block, r := range chosen {
		if block > 0 {
			CMPQ(RCX, I8(32*block))
			JBE(LabelRef("some_counted"))
		}
		for i := range 4 {
			VMOVDQU(Mem{Base: RSI, Disp: 4*vector*block + vector*i}, y[i])
			VPXOR(y[4+i], y[4+i], y[4+i])
		}
		XORL(EAX, EAX)
		key := fmt.Sprint("some_key_", block)
		Label(key)
		VPBROADCASTD(Mem{Base: RSI, Index: RAX, Scale: 4}, Y8)
		for i := range 4 {
			VPCMPGTD(y[i], Y8, y[9+i])
		}
		for i := range 4 {
			VPSUBD(y[9+i], y[4+i], y[4+i])
		}
		INCQ(RAX)
		CMPQ(RAX, RCX)
		JNE(LabelRef(key))
		for i := range 4 {
			VPCMPGTD(y[4+i], Y15, y[4+i])
			VMOVMSKPS(y[4+i], EAX)
			SHLL(U8(8*i), EAX)
			ORL(EAX, r.As32())
		}
		POPCNTL(r.As32(), EAX)
		ADDL(EAX, R12L)
	}
	Label("some_counted")
	CMPQ(R12, RDX)
	JNE(LabelRef("some_end"))
	MOVQ(RDI, RBX) // each goes to where it was, or before
	for block, r := range chosen {
		hit, none := fmt.Sprint("some_hit_", block), fmt.Sprint("some_none_", block)
		TESTL(r.As32(), r.As32())
		JZ(LabelRef(none))
		Label(hit)
		TZCNTL(r.As32(), EAX)
		MOVW(Mem{Base: RDI, Index: RAX, Scale: 2, Disp: 64 * block}, R13W)
		MOVW(R13W, Mem{Base: RBX})
		ADDQ(I8(2), RBX)
		LEAL(Mem{Base: r, Disp: -1}, EAX)
		ANDL(EAX, r.As32())
		JNZ(LabelRef(hit))
		Label(none)
	}
	Label("some_end")
	CMPQ(R12, RDX)
	SETEQ(AL)
	Store(AL, Return("ok"))
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
