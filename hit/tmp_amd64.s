#include "textflag.h"

// func sumAVX2(raw *uint16, pedestal *int16, n int) uint64
// n is a multiple of 32. Pairs of values are added in 32-bit lanes, which hold the sums of 2^15 pixels: the caller
// sees to it that there are no more.
TEXT ·sumT(SB), NOSPLIT, $0-32
	MOVQ raw+0(FP), SI
	MOVQ pedestal+8(FP), DX
	MOVQ n+16(FP), CX
	VPCMPEQW Y15, Y15, Y15
	VPSRLW $15, Y15, Y15 // ones
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3

loop:
	VPMADDWD (SI), Y15, Y4
	VPMADDWD 32(SI), Y15, Y5
	VPMADDWD (DX), Y15, Y6
	VPMADDWD 32(DX), Y15, Y7
	VPADDD Y4, Y0, Y0
	VPADDD Y5, Y1, Y1
	VPADDD Y6, Y2, Y2
	VPADDD Y7, Y3, Y3
	ADDQ $64, SI
	ADDQ $64, DX
	SUBQ $32, CX
	JNZ  loop

	VPADDD Y1, Y0, Y0
	VPADDD Y3, Y2, Y2
	VPADDD Y2, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDD X1, X0, X0
	VPHADDD X0, X0, X0
	VPHADDD X0, X0, X0
	VMOVD X0, AX
	MOVQ AX, ret+24(FP)
	VZEROUPPER
	RET
