#include "textflag.h"

// Offsets in struct disc16.
#define RAW 0
#define PEDESTAL 8
#define BINS 16
#define BELOW 24
#define ROWS 32
#define N 40
#define CODES 48
#define DATAMASK 52
#define BIAS 56
#define OTHERS 60
#define COUNT 64
#define SUM 72
#define SQUARES 80
#define HIGHEST 88

// func discAVX512(d *disc16)
// Sixteen pixels at a time, as words of 32 bits. Where a pixel is in another range, or so high that it may be, nothing is
// said but that.
TEXT ·discAVX512(SB), NOSPLIT, $0-8
	MOVQ d+0(FP), AX
	MOVQ RAW(AX), SI
	MOVQ PEDESTAL(AX), DX
	MOVQ BINS(AX), BX
	MOVQ BELOW(AX), DI
	MOVQ ROWS(AX), R8
	MOVQ N(AX), CX
	VPBROADCASTD CODES(AX), Z8
	VPBROADCASTD DATAMASK(AX), Z9
	VPBROADCASTD BIAS(AX), Z10
	VPTERNLOGD $0xFF, Z11, Z11, Z11
	VPSRLD $17, Z11, Z11          // 7FFF
	VPXORD Z12, Z12, Z12          // sums
	VPXORD Z13, Z13, Z13          // squares
	VPXORD Z14, Z14, Z14          // squares of the odd ones
	VPXORD Z15, Z15, Z15          // highest
	XORQ R10, R10

row:
	MOVL (R8), R9                 // the first pixel
	MOVL 4(R8), R11               // which of them
	KMOVW R11, K1
	VPMOVZXWD.Z (BX)(R9*2), K1, Z2
	VPCMPUD $2, Z11, Z2, K1, K1   // used: bins of at most 7FFF
	VPMOVZXWD.Z (SI)(R9*2), K1, Z0
	VPMOVSXWD.Z (DX)(R9*2), K1, Z1
	VPTESTMD Z8, Z0, K1, K2       // range bits
	VPANDD Z9, Z0, Z0
	VPSUBD Z10, Z0, Z0
	VPSUBD Z1, Z0, Z0
	VPCMPD $5, Z11, Z0, K1, K3    // as high as Switched16
	KORTESTW K2, K3
	JNZ others
	KMOVW K1, K4
	VPGATHERDD (DI)(Z2*4), K4, Z3
	VPCMPGTD Z0, Z3, K1, K1       // below the limit
	KMOVW K1, R11
	POPCNTL R11, R11
	ADDQ R11, R10
	VPADDD Z0, Z12, K1, Z12
	VPMAXSD Z0, Z15, K1, Z15
	VMOVDQU32.Z Z0, K1, Z0
	VPSRLQ $32, Z0, Z4
	VPMULDQ Z0, Z0, Z5
	VPMULDQ Z4, Z4, Z6
	VPADDQ Z5, Z13, Z13
	VPADDQ Z6, Z14, Z14
	ADDQ $8, R8
	DECQ CX
	JNZ row

	VPADDQ Z14, Z13, Z13
	VEXTRACTI64X4 $1, Z12, Y0
	VEXTRACTI64X4 $1, Z13, Y1
	VEXTRACTI64X4 $1, Z15, Y2
	VPADDD Y0, Y12, Y12
	VPADDQ Y1, Y13, Y13
	VPMAXSD Y2, Y15, Y15
	VEXTRACTI128 $1, Y12, X0
	VEXTRACTI128 $1, Y13, X1
	VEXTRACTI128 $1, Y15, X2
	VPADDD X0, X12, X12
	VPADDQ X1, X13, X13
	VPMAXSD X2, X15, X15
	VPSHUFD $0x4E, X12, X0
	VPSHUFD $0x4E, X13, X1
	VPSHUFD $0x4E, X15, X2
	VPADDD X0, X12, X12
	VPADDQ X1, X13, X13
	VPMAXSD X2, X15, X15
	VPSHUFD $0xB1, X12, X0
	VPSHUFD $0xB1, X15, X2
	VPADDD X0, X12, X12
	VPMAXSD X2, X15, X15
	VMOVD X12, R9
	MOVLQSX R9, R9
	VMOVQ X13, R11
	VMOVD X15, R8
	MOVQ R10, COUNT(AX)
	MOVQ R9, SUM(AX)
	MOVQ R11, SQUARES(AX)
	MOVL R8, HIGHEST(AX)
	VZEROUPPER
	RET

others:
	MOVL $1, OTHERS(AX)
	VZEROUPPER
	RET

// func askFor(raw *uint16, pedestal *int16, bins *uint16, pieces *sixteen, n int)
TEXT ·askFor(SB), NOSPLIT, $0-40
	MOVQ raw+0(FP), SI
	MOVQ pedestal+8(FP), DX
	MOVQ bins+16(FP), BX
	MOVQ pieces+24(FP), R8
	MOVQ n+32(FP), CX

piece:
	MOVL (R8), R9
	PREFETCHT0 (SI)(R9*2)
	PREFETCHT0 (DX)(R9*2)
	PREFETCHT0 (BX)(R9*2)
	PREFETCHT0 30(SI)(R9*2)
	PREFETCHT0 30(DX)(R9*2)
	PREFETCHT0 30(BX)(R9*2)
	ADDQ $8, R8
	DECQ CX
	JNZ piece
	RET
