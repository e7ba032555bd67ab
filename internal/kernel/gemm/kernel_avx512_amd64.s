//go:build !noasm

#include "textflag.h"

// One row of A, broadcast, times 32 values of B.
#define ROW(at, t, lo, hi) \
	VBROADCASTSS at, t    \
	VFMADD231PS  Z0, t, lo \
	VFMADD231PS  Z1, t, hi

// One step of the inner index. Rows 0-3 of A lie at SI, 4-7 at BX; R8 is the bytes
// between rows, R11 three times that.
#define STEP(off) \
	VMOVUPS off(DX), Z0                   \
	VMOVUPS off+64(DX), Z1                \
	ROW((SI), Z2, Z16, Z17)               \
	ROW((SI)(R8*1), Z3, Z18, Z19)         \
	ROW((SI)(R8*2), Z4, Z20, Z21)         \
	ROW((SI)(R11*1), Z5, Z22, Z23)        \
	ROW((BX), Z6, Z24, Z25)               \
	ROW((BX)(R8*1), Z7, Z26, Z27)         \
	ROW((BX)(R8*2), Z8, Z28, Z29)         \
	ROW((BX)(R11*1), Z9, Z30, Z31)        \
	ADDQ    R9, SI                        \
	ADDQ    R9, BX

#define CLEARROW(lo, hi) \
	VPXORQ lo, lo, lo \
	VPXORQ hi, hi, hi

#define ADDROW(lo, hi) \
	VADDPS (AX), lo, lo   \
	VADDPS 64(AX), hi, hi \
	ADDQ   R10, AX

#define STOREROW(lo, hi) \
	VMOVUPS lo, (DI)   \
	VMOVUPS hi, 64(DI) \
	ADDQ    R10, DI

// func tileAVX512(k int, a *float32, ars, acs int, b, c *float32, ldc int, add bool)
TEXT ·tileAVX512(SB), NOSPLIT, $0-57
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
	LEAQ (R8)(R8*2), R11
	LEAQ (SI)(R8*4), BX

	CLEARROW(Z16, Z17)
	CLEARROW(Z18, Z19)
	CLEARROW(Z20, Z21)
	CLEARROW(Z22, Z23)
	CLEARROW(Z24, Z25)
	CLEARROW(Z26, Z27)
	CLEARROW(Z28, Z29)
	CLEARROW(Z30, Z31)

	SUBQ $2, CX
	JLT  last

pair:
	STEP(0)
	STEP(128)
	ADDQ $256, DX
	SUBQ $2, CX
	JGE  pair

last:
	ADDQ $2, CX
	JZ   sum
	STEP(0)

sum:
	MOVBLZX add+56(FP), R12
	TESTL   R12, R12
	JZ      store
	MOVQ    DI, AX
	ADDROW(Z16, Z17)
	ADDROW(Z18, Z19)
	ADDROW(Z20, Z21)
	ADDROW(Z22, Z23)
	ADDROW(Z24, Z25)
	ADDROW(Z26, Z27)
	ADDROW(Z28, Z29)
	ADDROW(Z30, Z31)

store:
	STOREROW(Z16, Z17)
	STOREROW(Z18, Z19)
	STOREROW(Z20, Z21)
	STOREROW(Z22, Z23)
	STOREROW(Z24, Z25)
	STOREROW(Z26, Z27)
	STOREROW(Z28, Z29)
	STOREROW(Z30, Z31)
	VZEROUPPER
	RET
