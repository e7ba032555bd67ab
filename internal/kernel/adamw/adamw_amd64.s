//go:build !noasm

#include "textflag.h"

// func stepVectors(p, m, v, grad *float32, n int, s *Step)
// Offsets from R8 are those of the fields of Step.
TEXT ·stepVectors(SB), NOSPLIT, $0-48
	MOVQ         p+0(FP), DI
	MOVQ         m+8(FP), SI
	MOVQ         v+16(FP), DX
	MOVQ         grad+24(FP), BX
	MOVQ         n+32(FP), CX
	MOVQ         s+40(FP), R8
	VBROADCASTSS 0(R8), Y8
	VBROADCASTSS 4(R8), Y9
	VBROADCASTSS 8(R8), Y10
	VBROADCASTSS 12(R8), Y7
	VBROADCASTSS 16(R8), Y11
	VBROADCASTSS 20(R8), Y12
	VBROADCASTSS 24(R8), Y13
	VBROADCASTSS 28(R8), Y14
	VBROADCASTSS 32(R8), Y15
	XORQ         AX, AX

loop:
	VMULPS  (BX)(AX*1), Y8, Y0  // grad
	VMULPS  (SI)(AX*1), Y10, Y1
	VMULPS  Y7, Y0, Y2
	VADDPS  Y2, Y1, Y1          // first
	VMULPS  (DX)(AX*1), Y11, Y3
	VMULPS  Y12, Y0, Y4
	VMULPS  Y0, Y4, Y4
	VADDPS  Y4, Y3, Y3          // second
	VSQRTPS Y3, Y5
	VDIVPS  Y14, Y5, Y5
	VADDPS  Y15, Y5, Y5         // root/correction + eps
	VMULPS  Y13, Y1, Y6
	VDIVPS  Y5, Y6, Y6          // move
	VMULPS  (DI)(AX*1), Y9, Y2
	VSUBPS  Y6, Y2, Y2
	VMOVUPS Y2, (DI)(AX*1)
	VMOVUPS Y1, (SI)(AX*1)
	VMOVUPS Y3, (DX)(AX*1)
	ADDQ    $32, AX
	DECQ    CX
	JNZ     loop
	VZEROUPPER
	RET
