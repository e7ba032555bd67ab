//go:build !noasm

#include "textflag.h"

// A value of A, broadcast, times 16 values of B in V0 to V3.
#define ROW(at, t, c0, c1, c2, c3) \
	VLD1R.P (at)(R9), [t]    \
	VFMLA   V0.S4, t, c0 \
	VFMLA   V1.S4, t, c1 \
	VFMLA   V2.S4, t, c2 \
	VFMLA   V3.S4, t, c3

#define CLEARROW(c0, c1, c2, c3) \
	VEOR c0, c0, c0 \
	VEOR c1, c1, c1 \
	VEOR c2, c2, c2 \
	VEOR c3, c3, c3

// Adds by multiplying with the ones in V4: the assembler has no addition of vectors.
#define ADDROW(c0, c1, c2, c3) \
	VLD1  (R10), [V0.S4, V1.S4, V2.S4, V3.S4] \
	VFMLA c0, V4.S4, V0.S4                   \
	VFMLA c1, V4.S4, V1.S4                   \
	VFMLA c2, V4.S4, V2.S4                   \
	VFMLA c3, V4.S4, V3.S4                   \
	VST1  [V0.S4, V1.S4, V2.S4, V3.S4], (R10) \
	ADD   R11, R10

// func tileNEON(k int, a *float32, ars, acs int, b, c *float32, ldc int, add bool)
TEXT ·tileNEON(SB), NOSPLIT, $0-57
	MOVD k+0(FP), R0
	MOVD a+8(FP), R2
	MOVD ars+16(FP), R8
	MOVD acs+24(FP), R9
	MOVD b+32(FP), R1
	MOVD c+40(FP), R10
	MOVD ldc+48(FP), R11
	LSL  $2, R8
	LSL  $2, R9
	LSL  $2, R11
	ADD  R8, R2, R3
	ADD  R8, R3, R4
	ADD  R8, R4, R5
	ADD  R8, R5, R6
	ADD  R8, R6, R7

	CLEARROW(V8.B16, V9.B16, V10.B16, V11.B16)
	CLEARROW(V12.B16, V13.B16, V14.B16, V15.B16)
	CLEARROW(V16.B16, V17.B16, V18.B16, V19.B16)
	CLEARROW(V20.B16, V21.B16, V22.B16, V23.B16)
	CLEARROW(V24.B16, V25.B16, V26.B16, V27.B16)
	CLEARROW(V28.B16, V29.B16, V30.B16, V31.B16)

step:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	ROW(R2, V4.S4, V8.S4, V9.S4, V10.S4, V11.S4)
	ROW(R3, V5.S4, V12.S4, V13.S4, V14.S4, V15.S4)
	ROW(R4, V6.S4, V16.S4, V17.S4, V18.S4, V19.S4)
	ROW(R5, V7.S4, V20.S4, V21.S4, V22.S4, V23.S4)
	ROW(R6, V4.S4, V24.S4, V25.S4, V26.S4, V27.S4)
	ROW(R7, V5.S4, V28.S4, V29.S4, V30.S4, V31.S4)
	SUB    $1, R0
	CBNZ   R0, step

	MOVBU add+56(FP), R12
	CBZ   R12, store
	FMOVS $1.0, F4
	VDUP  V4.S[0], V4.S4
	ADDROW(V8.S4, V9.S4, V10.S4, V11.S4)
	ADDROW(V12.S4, V13.S4, V14.S4, V15.S4)
	ADDROW(V16.S4, V17.S4, V18.S4, V19.S4)
	ADDROW(V20.S4, V21.S4, V22.S4, V23.S4)
	ADDROW(V24.S4, V25.S4, V26.S4, V27.S4)
	ADDROW(V28.S4, V29.S4, V30.S4, V31.S4)
	RET

store:
	VST1 [V8.S4, V9.S4, V10.S4, V11.S4], (R10)
	ADD  R11, R10
	VST1 [V12.S4, V13.S4, V14.S4, V15.S4], (R10)
	ADD  R11, R10
	VST1 [V16.S4, V17.S4, V18.S4, V19.S4], (R10)
	ADD  R11, R10
	VST1 [V20.S4, V21.S4, V22.S4, V23.S4], (R10)
	ADD  R11, R10
	VST1 [V24.S4, V25.S4, V26.S4, V27.S4], (R10)
	ADD  R11, R10
	VST1 [V28.S4, V29.S4, V30.S4, V31.S4], (R10)
	RET
