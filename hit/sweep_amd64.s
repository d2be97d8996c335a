#include "textflag.h"

// Offsets in struct sweep, of which the first are those of struct pass.
#define RAW 0
#define PEDESTAL 8
#define CODES 16
#define SPANS 24
#define LADDER 32
#define OUT 40
#define BLOCKS 48
#define FOUND 56
#define TOPEDESTAL 64
#define TOCODES 72
#define DATAMASK 80
#define BIAS 84
#define BINS 88
#define LOWS 96
#define SUMS 104
#define STRIDE 112
#define ROOM 120

#define AHEAD 8192

// PACK turns the eight values at the room's offset FROM into value*value<<25 + value, at 64 and eight times that.
#define PACK(FROM) \
	VPMOVSXWQ FROM(DI), Z3 \
	VPMULDQ Z3, Z3, Z4 \
	VPSLLQ $25, Z4, Z4 \
	VPADDQ Z3, Z4, Z4 \
	VMOVDQU64 Z4, (64+4*FROM)(DI)

// ADD adds the value of a pixel to its bin's sum, the sums having four parts.
#define ADD(I, SUM) \
	MOVWQZX (320+2*(I))(DI), R14 \
	MOVQ (64+8*(I))(DI), R9 \
	ADDQ R9, (SUM)(R14*8)

#define ADD4(I) \
	ADD(I+0, R10) \
	ADD(I+1, R11) \
	ADD(I+2, R13) \
	ADD(I+3, R15)

// func sweepAVX512(s *sweep)
// Pixels that are not used, and those outside of the window of the block, which are listed, are added as zero.
TEXT ·sweepAVX512(SB), NOSPLIT, $0-8
	MOVQ s+0(FP), AX
	MOVQ RAW(AX), SI
	MOVQ PEDESTAL(AX), DX
	MOVQ CODES(AX), R8
	MOVQ BINS(AX), BX
	MOVQ ROOM(AX), DI
	MOVQ SUMS(AX), R10
	MOVQ STRIDE(AX), R14
	LEAQ (R10)(R14*1), R11
	LEAQ (R11)(R14*1), R13
	LEAQ (R13)(R14*1), R15
	VPBROADCASTW DATAMASK(AX), Z8
	VPBROADCASTW BIAS(AX), Z9
	VPTERNLOGD $0xFF, Z10, Z10, Z10
	VPSRLW $1, Z10, Z10      // all but Unused
	VPXORD Z11, Z11, Z11
	XORQ R12, R12

block:
	PREFETCHT0 AHEAD(SI)
	PREFETCHT0 AHEAD(DX)
	PREFETCHT0 AHEAD(BX)
	VMOVDQU16 (SI), Z0
	MOVQ SPANS(AX), R9
	MOVWQZX (R9)(R12*4), R14
	MOVWQZX 2(R9)(R12*4), R9
	MOVQ LADDER(AX), CX
	VPBROADCASTW (CX)(R14*2), Z1
	VPBROADCASTW (CX)(R9*2), Z2
	VPMINSW Z2, Z1, Z1
	MOVQ LOWS(AX), CX
	VPBROADCASTW (CX)(R14*2), Z2
	VPBROADCASTW (CX)(R9*2), Z3
	VPMINSW Z3, Z2, Z2
	VMOVDQU16 (BX), Z5
	VPMOVW2M Z5, K3          // not used
	VPANDD Z10, Z5, Z5
	VPTESTMW (R8), Z0, K1    // range bits
	VPANDD Z8, Z0, Z0
	VPXORD Z9, Z0, Z0
	VPSUBSW (DX), Z0, Z0
	VPSUBSW Z0, Z11, Z6
	VPCMPGTW Z1, Z0, K2
	VPCMPGTW Z2, Z6, K4
	KORD K1, K2, K1
	KORD K4, K1, K1
	KORD K1, K3, K4
	KNOTD K4, K4
	KANDND K1, K3, K1
	VMOVDQU16.Z Z0, K4, Z0
	VMOVDQU64 Z0, (DI)
	VMOVDQU64 Z5, 320(DI)
	KORTESTD K1, K1
	JNZ some

next:
	PACK(0)
	PACK(16)
	PACK(32)
	PACK(48)
	ADD4(0)
	ADD4(4)
	ADD4(8)
	ADD4(12)
	ADD4(16)
	ADD4(20)
	ADD4(24)
	ADD4(28)
	XORQ $512, DI            // the room has two halves
	ADDQ $64, SI
	ADDQ $64, BX
	ADDQ TOPEDESTAL(AX), DX
	ADDQ TOCODES(AX), R8
	INCQ R12
	CMPQ R12, BLOCKS(AX)
	JLT block
	VZEROUPPER
	RET

some:
	KMOVD K1, R14
	MOVQ FOUND(AX), R9
	MOVQ OUT(AX), CX
	MOVL R12, (CX)(R9*8)
	MOVL R14, 4(CX)(R9*8)
	INCQ FOUND(AX)
	JMP next
