package main

import (
	"fmt"
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

// golomb is gaps with rests of two lengths. What a code waits for is where the one before ends: both words that may follow are made
// while the rest is compared.
func golomb() {
	TEXT("golombAVX2", attr.NOSPLIT, "func(dst *uint16, n int, b *byte, size int, divisor, width, short, short2, at, next, below uint) (count int, end, after uint)")
	Doc("golombAVX2 is ReadGolomb over the size bytes at b, of which there are at least eight; dst has room for n.",
		"divisor-1 has width bits, at least one; so many rests are short, and short2 is twice as many.")
	Pragma("noescape")
	param := func(name string, at int) Mem { return NewParamAddr(name, at) }
	divisor, short, short2, below := param("divisor", 32), param("short", 48), param("short2", 56), param("below", 80)
	Load(Param("dst"), RDI)
	Load(Param("n"), R10)
	Load(Param("b"), RSI)
	Load(Param("size"), R8)
	SUBQ(I8(8), R8)
	Load(Param("width"), RCX)
	Load(Param("at"), R9)
	Load(Param("next"), RDX)
	Label("golomb_word")
	SUBQ(I8(4), R10)
	JL(LabelRef("golomb_end"))
	MOVQ(R9, RAX)
	SHRQ(U8(3), RAX)
	CMPQ(RAX, R8)
	JA(LabelRef("golomb_end"))
	MOVQ(Mem{Base: RSI, Index: RAX, Scale: 1}, RBX)
	MOVL(R9L, R13L)
	ANDL(I8(7), R13L)
	SHRXQ(R13, RBX, RBX)
	LEAQ(Mem{Base: R9, Index: RCX, Scale: 4, Disp: 4}, R13) // the bit behind four codes with long rests and no quotients
	MOVQ(RDX, R12)
	for i := range 4 {
		TZCNTQ(RBX, RAX)
		SHRXQ(RAX, RBX, RBX) // from the one bit on
		ADDQ(RAX, R13)
		IMULQ(divisor, RAX)
		ADDQ(RAX, R12)
		BZHIQ(RCX, RBX, R15) // twice the rest, and one
		SHRXQ(RCX, RBX, RBX) // behind a short rest
		MOVL(EBX, R11L)
		ANDL(I8(1), R11L)
		LEAQ(Mem{Base: R15, Index: R11, Scale: 1, Disp: -1}, R11)
		SUBQ(short, R11) // a long rest
		MOVQ(R15, RAX)
		SHRQ(U8(1), RAX) // a short one
		MOVQ(RBX, R14)
		SHRQ(U8(1), R14)
		CMPQ(R15, short2)
		CMOVQCC(R14, RBX)
		CMOVQCS(RAX, R11)
		SBBQ(I8(0), R13)
		ADDQ(R11, R12)
		MOVW(R12W, Mem{Base: RDI, Disp: 2 * i})
		INCQ(R12)
	}
	MOVQ(R13, RAX)
	SUBQ(R9, RAX)
	CMPQ(RAX, I8(64-7)) // else they may reach beyond the word
	JA(LabelRef("golomb_end"))
	CMPQ(R12, below)
	JA(LabelRef("golomb_end"))
	MOVQ(R13, R9)
	MOVQ(R12, RDX)
	ADDQ(I8(8), RDI)
	JMP(LabelRef("golomb_word"))
	Label("golomb_end")
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

// taken squeezes eight lanes at a time, by a table of where each lane comes from.
func taken() {
	lanes := GLOBL("lanes_first", attr.RODATA|attr.NOPTR)
	for mask := range 256 {
		var from uint64
		n := 0
		for lane := range 8 {
			if mask>>lane&1 == 1 {
				from |= uint64(lane) << (8 * n)
				n++
			}
		}
		DATA(8*mask, U64(from))
	}
	magnitude := words("magnitude3", func(int) uint32 { return 1<<31 - 1 })
	eight := words("eight", func(int) uint32 { return 8<<16 | 8 })
	TEXT("takenAVX2", attr.NOSPLIT, "func(index *uint16, value, x *float32, n int) (count int, largest uint32)")
	Doc("takenAVX2 is TakeNonzero; n is a positive multiple of 8, and index and value have room for n.")
	Pragma("noescape")
	Load(Param("index"), RDI)
	Load(Param("value"), R8)
	Load(Param("x"), RSI)
	Load(Param("n"), RCX)
	LEAQ(lanes, R9)
	VMOVDQU(magnitude, Y15)
	VPXOR(Y14, Y14, Y14)
	VPXOR(Y13, Y13, Y13) // largest magnitudes
	VMOVDQU(eight.Offset(0), X12)
	VPXOR(X11, X11, X11) // index of the first lane
	Label("taken_loop")
	VMOVDQU(Mem{Base: RSI}, Y0)
	VPAND(Y15, Y0, Y1)
	VPMAXUD(Y1, Y13, Y13)
	VPCMPEQD(Y14, Y1, Y1)
	VMOVMSKPS(Y1, EAX)
	XORL(U32(255), EAX)
	VPMOVZXBD(Mem{Base: R9, Index: RAX, Scale: 8}, Y2)
	VPERMPS(Y0, Y2, Y2)
	VMOVDQU(Y2, Mem{Base: R8})
	VPMOVZXBW(Mem{Base: R9, Index: RAX, Scale: 8}, X3)
	VPADDW(X11, X3, X3)
	VMOVDQU(X3, Mem{Base: RDI})
	VMOVDQU(Y14, Mem{Base: RSI})
	POPCNTL(EAX, EAX)
	LEAQ(Mem{Base: R8, Index: RAX, Scale: 4}, R8)
	LEAQ(Mem{Base: RDI, Index: RAX, Scale: 2}, RDI)
	VPADDW(X12, X11, X11)
	ADDQ(I8(vector), RSI)
	SUBQ(I8(8), RCX)
	JNZ(LabelRef("taken_loop"))
	Load(Param("index"), RAX)
	SUBQ(RAX, RDI)
	SHRQ(U8(1), RDI)
	Store(RDI, Return("count"))
	VEXTRACTI128(U8(1), Y13, X0)
	VPMAXUD(X0, X13, X0)
	VPSHUFD(U8(0x4e), X0, X1)
	VPMAXUD(X1, X0, X0)
	VPSHUFD(U8(0xb1), X0, X1)
	VPMAXUD(X1, X0, X0)
	VMOVD(X0, EAX)
	Store(EAX, Return("largest"))
	VZEROUPPER()
	RET()
}

func rounded() {
	TEXT("roundedAVX2", attr.NOSPLIT, "func(dst *int16, x *float32, n int, by, step float32, most int16)")
	Doc("roundedAVX2 is Round; n is a positive multiple of 8.")
	Pragma("noescape")
	Load(Param("dst"), RDI)
	Load(Param("x"), RSI)
	Load(Param("n"), RCX)
	VBROADCASTSS(NewParamAddr("by", 24), Y15)
	VBROADCASTSS(NewParamAddr("step", 28), Y14)
	VPBROADCASTW(NewParamAddr("most", 32), X13)
	VPXOR(X12, X12, X12)
	VPSUBW(X13, X12, X12)
	Label("rounded_loop")
	VMOVUPS(Mem{Base: RSI}, Y0)
	VDIVPS(Y15, Y0, Y0)
	VDIVPS(Y14, Y0, Y0)
	VCVTPS2DQ(Y0, Y0) // to nearest even, which Go never changes
	VEXTRACTI128(U8(1), Y0, X1)
	VPACKSSDW(X1, X0, X0)
	VPMINSW(X13, X0, X0)
	VPMAXSW(X12, X0, X0)
	VMOVDQU(X0, Mem{Base: RDI})
	ADDQ(I8(vector), RSI)
	ADDQ(I8(16), RDI)
	SUBQ(I8(8), RCX)
	JNZ(LabelRef("rounded_loop"))
	VZEROUPPER()
	RET()
}

func unpacked() {
	shifts := func(width uint32) Mem {
		return words(fmt.Sprint("codes_of_", width), func(lane int) uint32 { return width * uint32(lane) })
	}
	one, two := shifts(1), shifts(2)
	TEXT("unpackedAVX2", attr.NOSPLIT, "func(dst *float32, n int, b *byte, at, width uint, table *[4]float32)")
	Doc("unpackedAVX2 writes table[c&3] for codes of one or two bits, from bit at of b on, with the bits behind each one; n is a positive multiple of 8.",
		"Three bytes may be read behind the one in which the last code begins.")
	Pragma("noescape")
	Load(Param("dst"), RDI)
	Load(Param("n"), RCX)
	Load(Param("b"), RSI)
	Load(Param("at"), R9)
	Load(Param("width"), RDX)
	Load(Param("table"), RAX)
	VBROADCASTF128(Mem{Base: RAX}, Y15)
	VMOVDQU(two, Y14)
	CMPQ(RDX, I8(2))
	JE(LabelRef("unpacked_two"))
	VMOVDQU(one, Y14)
	Label("unpacked_two")
	SHLQ(U8(3), RDX) // bits of eight codes
	Label("unpacked_loop")
	MOVQ(R9, RAX)
	SHRQ(U8(3), RAX)
	MOVL(Mem{Base: RSI, Index: RAX, Scale: 1}, EBX)
	MOVL(R9L, R8L)
	ANDL(I8(7), R8L)
	SHRXL(R8L, EBX, EBX)
	VMOVD(EBX, X0)
	VPBROADCASTD(X0, Y0)
	VPSRLVD(Y14, Y0, Y0)
	VPERMILPS(Y0, Y15, Y0)
	VMOVUPS(Y0, Mem{Base: RDI})
	ADDQ(RDX, R9)
	ADDQ(I8(vector), RDI)
	SUBQ(I8(8), RCX)
	JNZ(LabelRef("unpacked_loop"))
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
