//go:build !noasm

#include "textflag.h"

// The constants of exp.go as float32 bits, and the exponent's bias.
DATA consts<>+0(SB)/4, $0xc2ae0000 // low
DATA consts<>+4(SB)/4, $0x42b00000 // high
DATA consts<>+8(SB)/4, $0x3fb8aa3b // log2e
DATA consts<>+12(SB)/4, $0x4b400000 // round
DATA consts<>+16(SB)/4, $0x3f318000 // ln2hi
DATA consts<>+20(SB)/4, $0xb95e8083 // ln2lo
DATA consts<>+24(SB)/4, $0x39506967 // c0
DATA consts<>+28(SB)/4, $0x3ab743ce // c1
DATA consts<>+32(SB)/4, $0x3c088908 // c2
DATA consts<>+36(SB)/4, $0x3d2aa9c1 // c3
DATA consts<>+40(SB)/4, $0x3e2aaaaa // c4
DATA consts<>+44(SB)/4, $0x3f000000 // c5
DATA consts<>+48(SB)/4, $0x3f800000 // one
DATA consts<>+52(SB)/4, $127
GLOBL consts<>(SB), RODATA|NOPTR, $56

// Registers that stay: Y15 sums, Y14 scale, Y13 shift, Y12 low, Y11 high, Y10 log2e,
// Y9 round, Y8 ln2hi, Y7 ln2lo, Y6 one, Y5 bias.

// func expVectors(dst, x *float32, n int, scale, shift float32, sums *[lanes]float32)
TEXT ·expVectors(SB), NOSPLIT, $0-40
	MOVQ         dst+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSS scale+24(FP), Y14
	VBROADCASTSS shift+28(FP), Y13
	LEAQ         consts<>(SB), AX
	VBROADCASTSS 0(AX), Y12 // low
	VBROADCASTSS 4(AX), Y11 // high
	VBROADCASTSS 8(AX), Y10 // log2e
	VBROADCASTSS 12(AX), Y9 // round
	VBROADCASTSS 16(AX), Y8 // ln2hi
	VBROADCASTSS 20(AX), Y7 // ln2lo
	VBROADCASTSS 48(AX), Y6 // one
	VBROADCASTSS 52(AX), Y5 // bias
	VXORPS       Y15, Y15, Y15

loop:
	VMOVUPS      (SI), Y0
	VFMSUB132PS  Y14, Y13, Y0        // x*scale - shift
	VMAXPS       Y0, Y12, Y0         // in this order a NaN stays one
	VMINPS       Y0, Y11, Y0
	VMOVAPS      Y10, Y1
	VFMADD132PS  Y0, Y9, Y1          // shifted = x*log2e + round
	VSUBPS       Y9, Y1, Y2          // n
	VFNMADD231PS Y2, Y8, Y0          // r
	VFNMADD231PS Y2, Y7, Y0
	VBROADCASTSS 24(AX), Y3 // c0
	VBROADCASTSS 28(AX), Y4 // c1
	VFMADD213PS  Y4, Y0, Y3
	VBROADCASTSS 32(AX), Y4 // c2
	VFMADD213PS  Y4, Y0, Y3
	VBROADCASTSS 36(AX), Y4 // c3
	VFMADD213PS  Y4, Y0, Y3
	VBROADCASTSS 40(AX), Y4 // c4
	VFMADD213PS  Y4, Y0, Y3
	VBROADCASTSS 44(AX), Y4 // c5
	VFMADD213PS  Y4, Y0, Y3
	VMULPS       Y0, Y0, Y2
	VFMADD213PS  Y0, Y2, Y3          // p*r*r + r
	VADDPS       Y6, Y3, Y3
	VPADDD       Y5, Y1, Y1          // 2^n
	VPSLLD       $23, Y1, Y1
	VMULPS       Y1, Y3, Y3
	VMOVUPS      Y3, (DI)
	VADDPS       Y3, Y15, Y15
	ADDQ         $32, SI
	ADDQ         $32, DI
	DECQ         CX
	JNZ          loop

	MOVQ    sums+32(FP), DX
	VMOVUPS Y15, (DX)
	VZEROUPPER
	RET
