//go:build !noasm

#include "textflag.h"

DATA ones<>+0(SB)/4, $0x3f800000
GLOBL ones<>(SB), RODATA|NOPTR, $4

// The end of every loop: AX is the bytes from the slices' beginnings on, CX the vectors left.
#define NEXT(label) \
	ADDQ $32, AX \
	DECQ CX      \
	JNZ  label

// func scoreGradientVectors(dp, p *float32, n int, mean, scale float32)
TEXT ·scoreGradientVectors(SB), NOSPLIT, $0-32
	MOVQ         dp+0(FP), DI
	MOVQ         p+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSS mean+24(FP), Y0
	VBROADCASTSS scale+28(FP), Y1
	XORQ         AX, AX

loop:
	VMOVUPS (DI)(AX*1), Y2
	VSUBPS  Y0, Y2, Y2
	VMULPS  (SI)(AX*1), Y1, Y3
	VMULPS  Y3, Y2, Y2
	VMOVUPS Y2, (DI)(AX*1)
	NEXT(loop)
	VZEROUPPER
	RET

// func swigluVectors(hidden, gate, up *float32, n int)
TEXT ·swigluVectors(SB), NOSPLIT, $0-32
	MOVQ         hidden+0(FP), DI
	MOVQ         gate+8(FP), SI
	MOVQ         up+16(FP), DX
	MOVQ         n+24(FP), CX
	VBROADCASTSS ones<>(SB), Y0
	XORQ         AX, AX

loop:
	VADDPS  (DI)(AX*1), Y0, Y1
	VMOVUPS (SI)(AX*1), Y2
	VDIVPS  Y1, Y2, Y2         // gate*sigmoid(gate)
	VMULPS  (DX)(AX*1), Y2, Y2
	VMOVUPS Y2, (DI)(AX*1)
	NEXT(loop)
	VZEROUPPER
	RET

// func swigluBackwardVectors(gate, up, dhidden, hidden *float32, n int)
TEXT ·swigluBackwardVectors(SB), NOSPLIT, $0-40
	MOVQ         gate+0(FP), DI
	MOVQ         up+8(FP), SI
	MOVQ         dhidden+16(FP), DX
	MOVQ         hidden+24(FP), BX
	MOVQ         n+32(FP), CX
	VBROADCASTSS ones<>(SB), Y0
	XORQ         AX, AX

loop:
	VADDPS      (BX)(AX*1), Y0, Y1
	VDIVPS      Y1, Y0, Y1         // s
	VMOVUPS     (DI)(AX*1), Y2     // g
	VMULPS      (DX)(AX*1), Y1, Y3 // d*s
	VMULPS      (SI)(AX*1), Y3, Y4 // d*s*up
	VMULPS      Y2, Y3, Y3         // dup
	VSUBPS      Y1, Y0, Y1
	VFMADD213PS Y0, Y2, Y1         // 1 + g*(1-s)
	VMULPS      Y1, Y4, Y4         // dgate
	VMOVUPS     Y4, (DI)(AX*1)
	VMOVUPS     Y3, (SI)(AX*1)
	NEXT(loop)
	VZEROUPPER
	RET

// func rotateVectors(a, b, cos, sin *float32, n int, sign float32)
TEXT ·rotateVectors(SB), NOSPLIT, $0-44
	MOVQ         a+0(FP), DI
	MOVQ         b+8(FP), SI
	MOVQ         cos+16(FP), DX
	MOVQ         sin+24(FP), BX
	MOVQ         n+32(FP), CX
	VBROADCASTSS sign+40(FP), Y0
	XORQ         AX, AX

loop:
	VMULPS       (BX)(AX*1), Y0, Y1 // s
	VMOVUPS      (DX)(AX*1), Y2     // c
	VMOVUPS      (DI)(AX*1), Y3
	VMOVUPS      (SI)(AX*1), Y4
	VMULPS       Y3, Y2, Y5
	VMULPS       Y4, Y2, Y6
	VFNMADD231PS Y4, Y1, Y5         // a*c - b*s
	VFMADD231PS  Y3, Y1, Y6         // b*c + a*s
	VMOVUPS      Y5, (DI)(AX*1)
	VMOVUPS      Y6, (SI)(AX*1)
	NEXT(loop)
	VZEROUPPER
	RET

// func normVectors(y, x, w *float32, n int, s float32)
TEXT ·normVectors(SB), NOSPLIT, $0-36
	MOVQ         y+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         w+16(FP), DX
	MOVQ         n+24(FP), CX
	VBROADCASTSS s+32(FP), Y0
	XORQ         AX, AX

loop:
	VMULPS  (SI)(AX*1), Y0, Y1
	VMULPS  (DX)(AX*1), Y1, Y1
	VMOVUPS Y1, (DI)(AX*1)
	NEXT(loop)
	VZEROUPPER
	RET

// func normBackwardVectors(dx, dw, dy, x, w *float32, n int, s, c float32)
TEXT ·normBackwardVectors(SB), NOSPLIT, $0-56
	MOVQ         dx+0(FP), DI
	MOVQ         dw+8(FP), SI
	MOVQ         dy+16(FP), DX
	MOVQ         x+24(FP), BX
	MOVQ         w+32(FP), R8
	MOVQ         n+40(FP), CX
	VBROADCASTSS s+48(FP), Y0
	VBROADCASTSS c+52(FP), Y1
	XORQ         AX, AX

loop:
	VMOVUPS      (DX)(AX*1), Y2     // dy
	VMOVUPS      (BX)(AX*1), Y3     // x
	VMULPS       (R8)(AX*1), Y2, Y4
	VFNMADD231PS Y3, Y1, Y4         // dy*w - x*c
	VFMADD213PS  (DI)(AX*1), Y0, Y4
	VMOVUPS      Y4, (DI)(AX*1)
	VMULPS       Y3, Y2, Y2
	VFMADD213PS  (SI)(AX*1), Y0, Y2
	VMOVUPS      Y2, (SI)(AX*1)
	NEXT(loop)
	VZEROUPPER
	RET

// func dotVectors(x, y *float32, n int, sums *[lanes]float64)
TEXT ·dotVectors(SB), NOSPLIT, $0-32
	MOVQ   x+0(FP), DI
	MOVQ   y+8(FP), SI
	MOVQ   n+16(FP), CX
	MOVQ   sums+24(FP), BX
	XORQ   AX, AX
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1

loop:
	VCVTPS2PD   (DI)(AX*1), Y2
	VCVTPS2PD   (SI)(AX*1), Y3
	VFMADD231PD Y2, Y3, Y0
	VCVTPS2PD   16(DI)(AX*1), Y2
	VCVTPS2PD   16(SI)(AX*1), Y3
	VFMADD231PD Y2, Y3, Y1
	NEXT(loop)
	VMOVUPD Y0, (BX)
	VMOVUPD Y1, 32(BX)
	VZEROUPPER
	RET

// func dot3Vectors(x, y, z *float32, n int, sums *[lanes]float64)
TEXT ·dot3Vectors(SB), NOSPLIT, $0-40
	MOVQ   x+0(FP), DI
	MOVQ   y+8(FP), SI
	MOVQ   z+16(FP), DX
	MOVQ   n+24(FP), CX
	MOVQ   sums+32(FP), BX
	XORQ   AX, AX
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1

loop:
	VMOVUPS      (DI)(AX*1), Y2
	VMULPS       (SI)(AX*1), Y2, Y2
	VCVTPS2PD    X2, Y3
	VEXTRACTF128 $1, Y2, X2
	VCVTPS2PD    X2, Y2
	VCVTPS2PD    (DX)(AX*1), Y4
	VFMADD231PD  Y3, Y4, Y0
	VCVTPS2PD    16(DX)(AX*1), Y4
	VFMADD231PD  Y2, Y4, Y1
	NEXT(loop)
	VMOVUPD Y0, (BX)
	VMOVUPD Y1, 32(BX)
	VZEROUPPER
	RET

// func largestVectors(x *float32, n int, tops *[lanes]float32)
TEXT ·largestVectors(SB), NOSPLIT, $0-24
	MOVQ    x+0(FP), DI
	MOVQ    n+8(FP), CX
	MOVQ    tops+16(FP), BX
	MOVL    $0xff800000, DX    // -Inf
	MOVQ    DX, X0
	VBROADCASTSS X0, Y0
	XORQ    AX, AX

loop:
	VMOVUPS (DI)(AX*1), Y1
	VMAXPS  Y0, Y1, Y0         // in this order a NaN is passed over
	NEXT(loop)
	VMOVUPS Y0, (BX)
	VZEROUPPER
	RET

// func multiplyVectors(x *float32, n int, c float32)
TEXT ·multiplyVectors(SB), NOSPLIT, $0-20
	MOVQ         x+0(FP), DI
	MOVQ         n+8(FP), CX
	VBROADCASTSS c+16(FP), Y0
	XORQ         AX, AX

loop:
	VMULPS  (DI)(AX*1), Y0, Y1
	VMOVUPS Y1, (DI)(AX*1)
	NEXT(loop)
	VZEROUPPER
	RET
