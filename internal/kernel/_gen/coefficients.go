package main

import (
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// gaps reads four codes from each word: what each waits for is where the one before
// ends, and that is three instructions away.
func gaps() {
	TEXT("gapsAVX2", attr.NOSPLIT, "func(dst *uint16, n int, b *byte, size int, rice, at, next, below uint) (count int, end, after uint)")
	Doc("gapsAVX2 is ReadGaps over the size bytes at b, of which there are at least eight; dst has room for n.")
	Pragma("noescape")
	Load(Param("dst"), RDI)
	Load(Param("n"), R10)
	Load(Param("b"), RSI)
	Load(Param("size"), R8)
	SUBQ(I8(8), R8)
	Load(Param("rice"), RCX)
	Load(Param("at"), R9)
	Load(Param("next"), RDX)
	Load(Param("below"), R11)
	Label("gaps_word")
	SUBQ(I8(4), R10)
	JL(LabelRef("gaps_end"))
	MOVQ(R9, RAX)
	SHRQ(U8(3), RAX)
	CMPQ(RAX, R8)
	JA(LabelRef("gaps_end"))
	MOVQ(Mem{Base: RSI, Index: RAX, Scale: 1}, RBX)
	MOVL(R9L, R13L)
	ANDL(I8(7), R13L)
	SHRXQ(R13, RBX, RBX)
	MOVQ(R9, R13) // bits read
	MOVQ(RDX, R12)
	for i := range 4 {
		TZCNTQ(RBX, RAX)
		LEAQ(Mem{Base: RAX, Index: RCX, Scale: 1, Disp: 1}, R14)
		SHRXQ(RAX, RBX, R15)
		SHRQ(U8(1), R15)
		BZHIQ(RCX, R15, R15)
		SHLXQ(RCX, RAX, RAX)
		ADDQ(RAX, R15)
		ADDQ(R12, R15)
		MOVW(R15W, Mem{Base: RDI, Disp: 2 * i})
		LEAQ(Mem{Base: R15, Disp: 1}, R12)
		SHRXQ(R14, RBX, RBX)
		ADDQ(R14, R13)
	}
	MOVQ(R13, RAX)
	SUBQ(R9, RAX)
	CMPQ(RAX, I8(64-7)) // else they may reach beyond the word
	JA(LabelRef("gaps_end"))
	CMPQ(R15, R11)
	JAE(LabelRef("gaps_end"))
	MOVQ(R13, R9)
	MOVQ(R12, RDX)
	ADDQ(I8(8), RDI)
	JMP(LabelRef("gaps_word"))
	Label("gaps_end")
	Load(Param("dst"), RAX)
	SUBQ(RAX, RDI)
	SHRQ(U8(1), RDI)
	Store(RDI, Return("count"))
	Store(R9, Return("end"))
	Store(RDX, Return("after"))
	RET()
}

func quantised() {
	TEXT("quantisedAVX2", attr.NOSPLIT, "func(codes *byte, x *float32, n int, scale float32)")
	Doc("quantisedAVX2 is Quantise; n is a positive multiple of 8.")
	Pragma("noescape")
	Load(Param("codes"), RDI)
	Load(Param("x"), RSI)
	Load(Param("n"), RCX)
	VBROADCASTSS(NewParamAddr("scale", 24), X15)
	VCVTPS2PD(X15, Y15)
	VBROADCASTSD(ConstData("most_code", U64(math.Float64bits(127))), Y14)
	VBROADCASTSD(ConstData("least_code", U64(math.Float64bits(-127))), Y13)
	Label("quantised_loop")
	VCVTPS2PD(Mem{Base: RSI}, Y0)
	VCVTPS2PD(Mem{Base: RSI, Disp: 16}, Y1)
	for i, y := range []VecPhysical{Y0, Y1} {
		VDIVPD(Y15, y, y)
		VMINPD(Y14, y, y)
		VMAXPD(Y13, y, y)
		VCVTPD2DQY(y, []VecPhysical{X0, X1}[i]) // to nearest even, which Go never changes
	}
	VPACKSSDW(X1, X0, X0)
	VPACKSSWB(X0, X0, X0)
	VMOVQ(X0, Mem{Base: RDI})
	ADDQ(I8(vector), RSI)
	ADDQ(I8(8), RDI)
	SUBQ(I8(8), RCX)
	JNZ(LabelRef("quantised_loop"))
	VZEROUPPER()
	RET()
}

func scaled() {
	TEXT("scaledAVX2", attr.NOSPLIT, "func(dst *float32, codes *byte, n int, scale float32) (ok bool)")
	Doc("scaledAVX2 writes codes times scale, and reports whether no code is 0 or -128; n is a positive multiple of 8.")
	Pragma("noescape")
	Load(Param("dst"), RDI)
	Load(Param("codes"), RSI)
	Load(Param("n"), RCX)
	VBROADCASTSS(NewParamAddr("scale", 24), Y15)
	VPXOR(Y14, Y14, Y14) // lanes whose code none may send
	VPXOR(Y13, Y13, Y13)
	least := words("never_sent", func(int) uint32 { return 1<<32 - 128 })
	VMOVDQU(least, Y12)
	Label("scaled_loop")
	VPMOVSXBD(Mem{Base: RSI}, Y0)
	VPCMPEQD(Y13, Y0, Y1)
	VPCMPEQD(Y12, Y0, Y2)
	VPOR(Y1, Y14, Y14)
	VPOR(Y2, Y14, Y14)
	VCVTDQ2PS(Y0, Y0)
	VMULPS(Y15, Y0, Y0)
	VMOVUPS(Y0, Mem{Base: RDI})
	ADDQ(I8(8), RSI)
	ADDQ(I8(vector), RDI)
	SUBQ(I8(8), RCX)
	JNZ(LabelRef("scaled_loop"))
	VPTEST(Y14, Y14)
	SETEQ(AL)
	Store(AL, Return("ok"))
	VZEROUPPER()
	RET()
}

func divided() {
	TEXT("dividedAVX2", attr.NOSPLIT, "func(x *float32, n int, by float64)")
	Doc("dividedAVX2 is Divide; n is a positive multiple of 8.")
	Pragma("noescape")
	Load(Param("x"), RDI)
	Load(Param("n"), RCX)
	VBROADCASTSD(NewParamAddr("by", 16), Y15)
	Label("divided_loop")
	VCVTPS2PD(Mem{Base: RDI}, Y0)
	VCVTPS2PD(Mem{Base: RDI, Disp: 16}, Y1)
	VDIVPD(Y15, Y0, Y0)
	VDIVPD(Y15, Y1, Y1)
	VCVTPD2PSY(Y0, X0)
	VCVTPD2PSY(Y1, X1)
	VMOVUPS(X0, Mem{Base: RDI})
	VMOVUPS(X1, Mem{Base: RDI, Disp: 16})
	ADDQ(I8(vector), RDI)
	SUBQ(I8(8), RCX)
	JNZ(LabelRef("divided_loop"))
	VZEROUPPER()
	RET()
}

func packRows() {
	TEXT("packRowsAVX512", attr.NOSPLIT, "func(dst *byte, apart int, x *[4096]float32)")
	Doc("packRowsAVX512 writes one bit a value of 64 rows of 64, set where it is greater than zero, to rows of eight bytes, apart from one another.")
	Pragma("noescape")
	Load(Param("dst"), RDI)
	Load(Param("apart"), RDX)
	Load(Param("x"), RSI)
	MOVQ(I32(side), RCX)
	VPXORD(Z0, Z0, Z0)
	Label("pack_row")
	for i := range 4 {
		VCMPPS(U8(1), Mem{Base: RSI, Disp: 64 * i}, Z0, masks[i]) // 0 < x, false for NaN
	}
	join64()
	KMOVQ(K1, Mem{Base: RDI})
	ADDQ(RDX, RDI)
	ADDQ(I32(stride), RSI)
	DECQ(RCX)
	JNZ(LabelRef("pack_row"))
	VZEROUPPER()
	RET()
}
