//go:build !noasm

#include "textflag.h"

// One step of the inner index: 6 values of A, each broadcast, times 16 values of B.
// Rows 0-2 of A lie at SI, 3-5 at BX; R8 is the bytes between rows.
#define STEP(off) \
	VMOVUPS      off(DX), Y0            \
	VMOVUPS      off+32(DX), Y1         \
	VBROADCASTSS (SI), Y2               \
	VBROADCASTSS (SI)(R8*1), Y3         \
	VFMADD231PS  Y0, Y2, Y4             \
	VFMADD231PS  Y1, Y2, Y5             \
	VFMADD231PS  Y0, Y3, Y6             \
	VFMADD231PS  Y1, Y3, Y7             \
	VBROADCASTSS (SI)(R8*2), Y2         \
	VBROADCASTSS (BX), Y3               \
	VFMADD231PS  Y0, Y2, Y8             \
	VFMADD231PS  Y1, Y2, Y9             \
	VFMADD231PS  Y0, Y3, Y10            \
	VFMADD231PS  Y1, Y3, Y11            \
	VBROADCASTSS (BX)(R8*1), Y2         \
	VBROADCASTSS (BX)(R8*2), Y3         \
	VFMADD231PS  Y0, Y2, Y12            \
	VFMADD231PS  Y1, Y2, Y13            \
	VFMADD231PS  Y0, Y3, Y14            \
	VFMADD231PS  Y1, Y3, Y15            \
	ADDQ         R9, SI                 \
	ADDQ         R9, BX

#define ADDROW(lo, hi) \
	VADDPS (AX), lo, lo   \
	VADDPS 32(AX), hi, hi \
	ADDQ   R10, AX

#define STOREROW(lo, hi) \
	VMOVUPS lo, (DI)   \
	VMOVUPS hi, 32(DI) \
	ADDQ    R10, DI

// func tileAVX2(k int, a *float32, ars, acs int, b, c *float32, ldc int, add bool)
TEXT ·tileAVX2(SB), NOSPLIT, $0-57
	MOVQ k+0(FP), CX
	MOVQ a+8(FP), SI
	MOVQ ars+16(FP), R8
	MOVQ acs+24(FP), R9
	MOVQ b+32(FP), DX
	MOVQ c+40(FP), DI
	MOVQ ldc+48(FP), R10
	SHLQ $2, R8
	SHLQ $2, R9
	SHLQ $2, R10
	LEAQ (SI)(R8*2), BX
	ADDQ R8, BX

	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11
	VXORPS Y12, Y12, Y12
	VXORPS Y13, Y13, Y13
	VXORPS Y14, Y14, Y14
	VXORPS Y15, Y15, Y15

	SUBQ $2, CX
	JLT  last

pair:
	STEP(0)
	STEP(64)
	ADDQ $128, DX
	SUBQ $2, CX
	JGE  pair

last:
	ADDQ $2, CX
	JZ   sum
	STEP(0)

sum:
	MOVBLZX add+56(FP), R11
	TESTL   R11, R11
	JZ      store
	MOVQ    DI, AX
	ADDROW(Y4, Y5)
	ADDROW(Y6, Y7)
	ADDROW(Y8, Y9)
	ADDROW(Y10, Y11)
	ADDROW(Y12, Y13)
	ADDROW(Y14, Y15)

store:
	STOREROW(Y4, Y5)
	STOREROW(Y6, Y7)
	STOREROW(Y8, Y9)
	STOREROW(Y10, Y11)
	STOREROW(Y12, Y13)
	STOREROW(Y14, Y15)
	VZEROUPPER
	RET
