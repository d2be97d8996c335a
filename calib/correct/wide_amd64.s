#include "textflag.h"
#include "loop_amd64.h"

// Loops with twice as many pixels at a time, where that is faster: stores past the caches are then of whole lines.

// func subtractAVX512(l *loop)
// As the part of subtractAVX2 for JUNGFRAU without a branch, past the caches; N is a multiple of 32, DST of 64.
TEXT ·subtractAVX512(SB), NOSPLIT, $0-8
	MOVQ l+0(FP), AX
	MOVQ DST(AX), DI
	MOVQ RAW(AX), SI
	MOVQ N(AX), CX
	MOVQ PEDESTAL(AX), DX
	VPBROADCASTW DATAMASK(AX), Z8
	VPTERNLOGD $0xFF, Z13, Z13, Z13 // FFFF
	VPSRLW $1, Z13, Z15           // 7FFF: badPedestal, Switched16
	VPSLLW $15, Z13, Z14          // 8000: Bad16
	VPSLLW $14, Z13, Z11          // C000: range bits
	VPSRLW $1, Z14, Z12           // 4000: G1 saturated
	XORQ R10, R10

quick:
	PREFETCHT0 1024(SI)(R10*2)
	VMOVDQU16 (SI)(R10*2), Z0
	VMOVDQU16 (DX)(R10*2), Z1
	VPANDD Z8, Z0, Z2
	VPSUBSW Z1, Z2, Z2
	VPTESTMW Z11, Z0, K1          // switched
	VPCMPEQW Z12, Z0, K2          // G1 saturated
	VPCMPEQW Z13, Z0, K3          // error
	VPCMPGTW Z0, Z11, K4          // code 10
	VPCMPEQW Z15, Z1, K5          // bad
	KORD K2, K3, K3
	KORD K4, K5, K5
	KORD K3, K5, K5
	VMOVDQU16 Z15, K1, Z2
	VMOVDQU16 Z14, K5, Z2
	VMOVNTDQ Z2, (DI)(R10*2)
	ADDQ $32, R10
	CMPQ R10, CX
	JLT quick
	VZEROUPPER
	RET
