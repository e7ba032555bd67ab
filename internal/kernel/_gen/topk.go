package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Comparisons of unsigned integers.
const (
	less    = U8(1)
	atLeast = U8(5)
)

var masks = []OpmaskPhysical{K1, K2, K3, K4}

// candidates finds what at least k of 128 group maxima reach, to sixteen bits, and then the
// values that do. Nothing branches on them.
func candidates() {
	iota := GLOBL("iota", attr.RODATA|attr.NOPTR)
	for i := range 64 {
		DATA(i, U8(i))
	}
	TEXT("candidatesAVX512", attr.NOSPLIT, "func(dst *uint16, x *float32, n, k int) (count int)")
	Doc("candidatesAVX512 writes the indices of at least k values, the k largest among them, to dst and returns how many there are:",
		"none if it finds no k that are not zero, -1 if there is a NaN or a magnitude of 2^127 and above.",
		"n is a positive multiple of 64, dst has room for n, and k is at most 128.")
	Pragma("noescape")
	z := avx512.registers
	Load(Param("dst"), RDI)
	Load(Param("x"), RSI)
	Load(Param("n"), RCX)
	Load(Param("k"), RDX)
	MOVL(U32(1<<31-1), EAX)
	VPBROADCASTD(EAX, Z31)
	MOVL(U32(254<<23), EAX)
	VPBROADCASTD(EAX, Z30)
	for i := range 8 {
		VPXORD(z[i], z[i], z[i])
	}
	MOVQ(RSI, R8)
	MOVQ(RCX, R9)
	Label("few_maxima") // of the even and the odd strides
	for half := range 2 {
		for i := range 4 {
			VPANDD(Mem{Base: R8, Disp: 64 * i}, Z31, z[8+i])
			VPMAXUD(z[8+i], z[4*half+i], z[4*half+i])
		}
		ADDQ(I32(stride), R8)
		SUBQ(I8(64), R9)
		if half == 0 {
			JZ(LabelRef("few_largest"))
		} else {
			JNZ(LabelRef("few_maxima"))
		}
	}

	Label("few_largest")
	for i := range 4 {
		VPMAXUD(z[i], z[4+i], z[8+i])
	}
	VPMAXUD(Z8, Z9, Z8)
	VPMAXUD(Z10, Z11, Z10)
	VPMAXUD(Z8, Z10, Z8)
	VPCMPUD(atLeast, Z30, Z8, K1)
	KORTESTW(K1, K1)
	JNZ(LabelRef("few_too_large"))

	lower := []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7}
	for i, y := range lower { // sixteen bits of each
		VPSRLD(U8(15), z[i], z[i])
		VPMOVDW(z[i], y)
	}
	for i := 0; i < 8; i += 2 {
		VINSERTI64X4(U8(1), lower[i+1], z[i], z[i])
	}
	XORL(EAX, EAX) // the bits found so far
	MOVL(U32(1<<15), R8L)
	Label("few_bit")
	MOVL(EAX, R9L)
	ORL(R8L, R9L)
	VPBROADCASTW(R9L, Z8)
	counts := []GPPhysical{R10L, R11L, R12L, R13L}
	for i := range 4 {
		VPCMPUW(atLeast, Z8, z[2*i], masks[i])
	}
	for i, r := range counts {
		KMOVD(masks[i], r)
		POPCNTL(r, r)
	}
	ADDL(R11L, R10L)
	ADDL(R13L, R12L)
	ADDL(R12L, R10L)
	CMPL(R10L, EDX)
	CMOVLGE(R9L, EAX)
	SHRL(U8(1), R8L)
	JNZ(LabelRef("few_bit"))
	MOVQ(RDI, R8)
	TESTL(EAX, EAX)
	JZ(LabelRef("few_end"))

	SHLL(U8(15), EAX)
	VPBROADCASTD(EAX, Z0)
	VMOVDQU64(iota, Z1)
	VPXORD(Z2, Z2, Z2) // index of the first lane
	MOVL(U32(64), EAX)
	VPBROADCASTW(EAX, Z3)
	Label("few_loop")
	for i := range 4 {
		VPANDD(Mem{Base: RSI, Disp: 64 * i}, Z31, z[4+i])
		VPCMPUD(atLeast, Z0, z[4+i], masks[i])
	}
	join64()
	KMOVQ(K1, RAX)
	POPCNTQ(RAX, RAX)
	compress("VPCOMPRESSB", Z1, K1, Z8)
	VPMOVZXBW(Y8, Z9)
	VPADDW(Z2, Z9, Z9)
	VMOVDQU16(Z9, Mem{Base: R8})
	CMPQ(RAX, I8(32))
	JA(LabelRef("few_many"))
	Label("few_next")
	LEAQ(Mem{Base: R8, Index: RAX, Scale: 2}, R8)
	VPADDW(Z3, Z2, Z2)
	ADDQ(I32(stride), RSI)
	SUBQ(I8(64), RCX)
	JNZ(LabelRef("few_loop"))
	Label("few_end")
	SUBQ(RDI, R8)
	SHRQ(U8(1), R8)
	Store(R8, Return("count"))
	VZEROUPPER()
	RET()

	Label("few_many")
	VEXTRACTI64X4(U8(1), Z8, Y8)
	VPMOVZXBW(Y8, Z9)
	VPADDW(Z2, Z9, Z9)
	VMOVDQU16(Z9, Mem{Base: R8, Disp: 64})
	JMP(LabelRef("few_next"))

	Label("few_too_large")
	MOVQ(I32(-1), R8)
	Store(R8, Return("count"))
	VZEROUPPER()
	RET()
}

// join64 makes one mask of four, in K1.
func join64() {
	KUNPCKWD(K1, K2, K1)
	KUNPCKWD(K3, K4, K3)
	KUNPCKDQ(K1, K3, K1)
}

// compress is an instruction that avo does not know.
func compress(opcode string, from VecPhysical, mask OpmaskPhysical, to VecPhysical) {
	Instruction(&ir.Instruction{
		Opcode: opcode, Suffixes: []string{"Z"}, Operands: []Op{from, mask, to},
		Inputs: []Op{from, mask}, Outputs: []Op{to},
	})
}

// choose ranks every key by counting those above it.
func choose() {
	TEXT("chooseAVX512", attr.NOSPLIT, "func(found *[64]uint16, keys *[64]uint32, n, k int) (ok bool)")
	Doc("chooseAVX512 keeps, of the first n indices, those that fewer than k of the n keys exceed, unless ties make them more than k.",
		"Further keys are zero, and the n are not.")
	Pragma("noescape")
	z := avx512.registers
	Load(Param("found"), RDI)
	Load(Param("keys"), RSI)
	Load(Param("n"), RCX)
	Load(Param("k"), RDX)
	for i := range 4 {
		VMOVDQU32(Mem{Base: RSI, Disp: 64 * i}, z[i])
		VPXORD(z[4+i], z[4+i], z[4+i])
	}
	MOVL(U32(1), EAX)
	VPBROADCASTD(EAX, Z8)
	Label("choose_key")
	VPBROADCASTD(Mem{Base: RSI}, Z9)
	for i := range 4 {
		VPCMPUD(less, Z9, z[i], masks[i])
	}
	for i := range 4 {
		VPADDD(Z8, z[4+i], masks[i], z[4+i])
	}
	ADDQ(I8(4), RSI)
	DECQ(RCX)
	JNZ(LabelRef("choose_key"))

	VPBROADCASTD(EDX, Z9)
	for i := range 4 {
		VPCMPUD(less, Z9, z[4+i], masks[i])
	}
	join64()
	KMOVQ(K1, RCX)
	POPCNTQ(RCX, RCX)
	CMPQ(RCX, RDX)
	JNE(LabelRef("choose_end"))
	KSHIFTRQ(U8(32), K1, K2)
	VMOVDQU16(Mem{Base: RDI}, Z10)
	VMOVDQU16(Mem{Base: RDI, Disp: 64}, Z11)
	compress("VPCOMPRESSW", Z10, K1, Z10)
	compress("VPCOMPRESSW", Z11, K2, Z11)
	KMOVD(K1, EAX)
	POPCNTL(EAX, EAX)
	VMOVDQU16(Z10, Mem{Base: RDI})
	KMOVD(K2, EBX)
	POPCNTL(EBX, EBX)
	MOVL(U32(1), R8L)
	SHLXQ(RBX, R8, R8) // only the lanes that hold an index: found has no more room
	DECQ(R8)
	KMOVD(R8L, K3)
	VMOVDQU16(Z11, K3, Mem{Base: RDI, Index: RAX, Scale: 2})
	Label("choose_end")
	CMPQ(RCX, RDX)
	SETEQ(AL)
	Store(AL, Return("ok"))
	VZEROUPPER()
	RET()
}

// chooseMore is choose for twice as many.
func chooseMore() {
	TEXT("chooseMoreAVX512", attr.NOSPLIT, "func(found *[128]uint16, keys *[128]uint32, n, k int) (ok bool)")
	Doc("chooseMoreAVX512 is chooseAVX512 for up to 128 keys.")
	Pragma("noescape")
	z := avx512.registers
	Load(Param("found"), RDI)
	Load(Param("keys"), RSI)
	Load(Param("n"), RCX)
	Load(Param("k"), RDX)
	for i := range 8 {
		VMOVDQU32(Mem{Base: RSI, Disp: 64 * i}, z[i])
		VPXORD(z[8+i], z[8+i], z[8+i])
	}
	MOVL(U32(1), EAX)
	VPBROADCASTD(EAX, Z16)
	Label("more_key")
	VPBROADCASTD(Mem{Base: RSI}, Z17)
	for half := range 2 {
		for i := range 4 {
			VPCMPUD(less, Z17, z[4*half+i], masks[i])
		}
		for i := range 4 {
			VPADDD(Z16, z[8+4*half+i], masks[i], z[8+4*half+i])
		}
	}
	ADDQ(I8(4), RSI)
	DECQ(RCX)
	JNZ(LabelRef("more_key"))

	VPBROADCASTD(EDX, Z17)
	chosen := []GPPhysical{R8, R9}
	for half, r := range chosen {
		for i := range 4 {
			VPCMPUD(less, Z17, z[8+4*half+i], masks[i])
		}
		join64()
		KMOVQ(K1, r)
	}
	POPCNTQ(R8, RCX)
	POPCNTQ(R9, RAX)
	ADDQ(RAX, RCX)
	CMPQ(RCX, RDX)
	JNE(LabelRef("more_end"))
	for i := range 4 {
		VMOVDQU16(Mem{Base: RDI, Disp: 64 * i}, z[i])
	}
	for half, r := range chosen { // the i-th store ends below 32*(i+1), and what follows is stored over what it has too much
		for i := range 2 {
			if i == 1 {
				SHRQ(U8(32), r)
			}
			KMOVD(r.As32(), K1)
			compress("VPCOMPRESSW", z[2*half+i], K1, z[2*half+i])
			VMOVDQU16(z[2*half+i], Mem{Base: RDI})
			KMOVD(K1, EAX)
			POPCNTL(EAX, EAX)
			LEAQ(Mem{Base: RDI, Index: RAX, Scale: 2}, RDI)
		}
	}
	Label("more_end")
	CMPQ(RCX, RDX)
	SETEQ(AL)
	Store(AL, Return("ok"))
	VZEROUPPER()
	RET()
}
