//go:build !noasm

#include "textflag.h"

// func gatherRows(to, from *float32, vectors, stride, n int)
TEXT ·gatherRows(SB), NOSPLIT, $0-40
	MOVQ to+0(FP), DI
	MOVQ from+8(FP), SI
	MOVQ vectors+16(FP), R8
	MOVQ stride+24(FP), R9
	MOVQ n+32(FP), CX
	SHLQ $2, R9

row:
	MOVQ SI, AX
	MOVQ R8, DX

copy:
	VMOVUPS (AX), Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, AX
	ADDQ    $32, DI
	DECQ    DX
	JNZ     copy
	ADDQ    R9, SI
	DECQ    CX
	JNZ     row
	VZEROUPPER
	RET

// func transpose8(to, from *float32, wide, stride, n int)
//
// Rows are read with their halves in two places, so that transposing within the halves of
// registers is all that is left to do.
TEXT ·transpose8(SB), NOSPLIT, $0-40
	MOVQ to+0(FP), DI
	MOVQ from+8(FP), SI
	MOVQ wide+16(FP), R8
	MOVQ stride+24(FP), R9
	MOVQ n+32(FP), CX
	SHLQ $2, R8
	SHLQ $2, R9
	LEAQ (R8)(R8*2), R10
	LEAQ (R9)(R9*2), R11

block:
	LEAQ (SI)(R9*4), BX

	// Y0 to Y3: columns 0-3 of rows 0|4, 1|5, 2|6, 3|7; Y4 to Y7: columns 4-7.
	VMOVUPS     (SI), X0
	VINSERTF128 $1, (BX), Y0, Y0
	VMOVUPS     (SI)(R9*1), X1
	VINSERTF128 $1, (BX)(R9*1), Y1, Y1
	VMOVUPS     (SI)(R9*2), X2
	VINSERTF128 $1, (BX)(R9*2), Y2, Y2
	VMOVUPS     (SI)(R11*1), X3
	VINSERTF128 $1, (BX)(R11*1), Y3, Y3
	VMOVUPS     16(SI), X4
	VINSERTF128 $1, 16(BX), Y4, Y4
	VMOVUPS     16(SI)(R9*1), X5
	VINSERTF128 $1, 16(BX)(R9*1), Y5, Y5
	VMOVUPS     16(SI)(R9*2), X6
	VINSERTF128 $1, 16(BX)(R9*2), Y6, Y6
	VMOVUPS     16(SI)(R11*1), X7
	VINSERTF128 $1, 16(BX)(R11*1), Y7, Y7

	VUNPCKLPS Y1, Y0, Y8  // 00 10 01 11
	VUNPCKHPS Y1, Y0, Y9  // 02 12 03 13
	VUNPCKLPS Y3, Y2, Y10 // 20 30 21 31
	VUNPCKHPS Y3, Y2, Y11
	VUNPCKLPD Y10, Y8, Y0
	VUNPCKHPD Y10, Y8, Y1
	VUNPCKLPD Y11, Y9, Y2
	VUNPCKHPD Y11, Y9, Y3
	VUNPCKLPS Y5, Y4, Y8
	VUNPCKHPS Y5, Y4, Y9
	VUNPCKLPS Y7, Y6, Y10
	VUNPCKHPS Y7, Y6, Y11
	VUNPCKLPD Y10, Y8, Y4
	VUNPCKHPD Y10, Y8, Y5
	VUNPCKLPD Y11, Y9, Y6
	VUNPCKHPD Y11, Y9, Y7

	VMOVUPS Y0, (DI)
	VMOVUPS Y1, (DI)(R8*1)
	VMOVUPS Y2, (DI)(R8*2)
	VMOVUPS Y3, (DI)(R10*1)
	LEAQ    (DI)(R8*4), DI
	VMOVUPS Y4, (DI)
	VMOVUPS Y5, (DI)(R8*1)
	VMOVUPS Y6, (DI)(R8*2)
	VMOVUPS Y7, (DI)(R10*1)
	LEAQ    (DI)(R8*4), DI
	ADDQ    $32, SI
	DECQ    CX
	JNZ     block
	VZEROUPPER
	RET
