#include "textflag.h"

// Offsets in struct listing.
#define RAW 0
#define PEDESTAL 8
#define PIXELS 16
#define VALUES 24
#define FLAGGED 32
#define N 40
#define BASE 48
#define ODD 52
#define BIAS 56

// func listAVX512(l *listing)
// Sixteen pixels at a time, as words of 32 bits. Two bytes behind a pixel are read, too.
TEXT ·listAVX512(SB), NOSPLIT, $0-8
	MOVQ l+0(FP), AX
	MOVQ RAW(AX), SI
	MOVQ PEDESTAL(AX), DX
	MOVQ PIXELS(AX), R8
	MOVQ VALUES(AX), DI
	MOVQ FLAGGED(AX), R9
	MOVQ N(AX), CX
	VPBROADCASTD BASE(AX), Z7
	VPBROADCASTD ODD(AX), Z8
	VPBROADCASTD BIAS(AX), Z10
	VPTERNLOGD $0xFF, Z9, Z9, Z9
	VPSRLD $17, Z9, Z11           // 7FFF
	VPSRLD $16, Z9, Z9            // FFFF
	VPXORD Z12, Z12, Z12
	VPSUBD Z11, Z12, Z12          // the least value

sixteen:
	VMOVDQU32 (R8), Z2
	VPSUBD Z7, Z2, Z2             // places in the segment
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	KXNORW K4, K4, K4
	KXNORW K5, K5, K5
	VPGATHERDD (SI)(Z2*2), K4, Z0
	VPGATHERDD (DX)(Z2*2), K5, Z1
	VPANDD Z9, Z0, Z0
	VPSLLD $16, Z1, Z1
	VPSRAD $16, Z1, Z1
	VPTESTMD Z8, Z0, K1           // range bits
	VPSUBD Z10, Z0, Z0
	VPSUBD Z1, Z0, Z0
	VPCMPD $5, Z11, Z0, K2        // as high as Switched16
	VPMAXSD Z12, Z0, Z0
	VMOVDQU32 Z0, (DI)
	KORW K1, K2, K1
	KMOVW K1, R11
	MOVW R11, (R9)
	ADDQ $64, R8
	ADDQ $64, DI
	ADDQ $2, R9
	DECQ CX
	JNZ sixteen
	VZEROUPPER
	RET

// Offsets in struct between.
#define B_VALUES 0
#define B_N 8
#define B_LO 16
#define B_HI 20
#define B_COUNT 24
#define B_SUM 32
#define B_SQUARES 40

// func betweenAVX512(b *between)
TEXT ·betweenAVX512(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	MOVQ B_VALUES(AX), SI
	MOVQ B_N(AX), CX
	VPBROADCASTD B_LO(AX), Z8
	VPBROADCASTD B_HI(AX), Z9
	VPXORD Z12, Z12, Z12          // sums
	VPXORD Z13, Z13, Z13          // squares
	VPXORD Z14, Z14, Z14          // squares of the odd ones
	XORQ R10, R10

values:
	VMOVDQU32 (SI), Z0
	VPCMPGTD Z8, Z0, K1           // above the lower bound
	VPCMPGTD Z0, Z9, K1, K1       // and below the upper one
	KMOVW K1, R11
	POPCNTL R11, R11
	ADDQ R11, R10
	VMOVDQU32.Z Z0, K1, Z0
	VPADDD Z0, Z12, Z12
	VPSRLQ $32, Z0, Z4
	VPMULDQ Z0, Z0, Z5
	VPMULDQ Z4, Z4, Z6
	VPADDQ Z5, Z13, Z13
	VPADDQ Z6, Z14, Z14
	ADDQ $64, SI
	DECQ CX
	JNZ values

	VPADDQ Z14, Z13, Z13
	VEXTRACTI64X4 $1, Z12, Y0
	VEXTRACTI64X4 $1, Z13, Y1
	VPADDD Y0, Y12, Y12
	VPADDQ Y1, Y13, Y13
	VEXTRACTI128 $1, Y12, X0
	VEXTRACTI128 $1, Y13, X1
	VPADDD X0, X12, X12
	VPADDQ X1, X13, X13
	VPSHUFD $0x4E, X12, X0
	VPSHUFD $0x4E, X13, X1
	VPADDD X0, X12, X12
	VPADDQ X1, X13, X13
	VPSHUFD $0xB1, X12, X0
	VPADDD X0, X12, X12
	VMOVD X12, R9
	MOVLQSX R9, R9
	VMOVQ X13, R11
	MOVQ R10, B_COUNT(AX)
	MOVQ R9, B_SUM(AX)
	MOVQ R11, B_SQUARES(AX)
	VZEROUPPER
	RET
