// Offsets in struct loop.
#define DST 0
#define RAW 8
#define CODES 16
#define STEP 24
#define N 32
#define DATAMASK 40
#define BIAS 44
#define SPECIAL 48
#define PEDESTAL 56
#define FACTOR 64
#define PEDESTAL1 72
#define FACTOR1 80
#define PEDESTAL2 88
#define FACTOR2 96
#define MODES 104
#define WIDE 112
#define SRC 120
#define STREAM 128
#define PART 136
#define CAREFUL 144
#define MARKS 176

// What all loops compare with; each file has its own.
DATA word4000<>+0(SB)/4, $0x4000
GLOBL word4000<>(SB), RODATA|NOPTR, $4
DATA word8000<>+0(SB)/4, $0x8000
GLOBL word8000<>(SB), RODATA|NOPTR, $4
DATA wordC000<>+0(SB)/4, $0xC000
GLOBL wordC000<>(SB), RODATA|NOPTR, $4
DATA wordFFFF<>+0(SB)/4, $0xFFFF
GLOBL wordFFFF<>(SB), RODATA|NOPTR, $4
DATA saturated<>+0(SB)/4, $0x46FF4C00 // 32678
GLOBL saturated<>(SB), RODATA|NOPTR, $4
DATA apart<>+0(SB)/4, $0xC9800000 // -(1 << 20), the pedestal of a pixel that takes no part
GLOBL apart<>(SB), RODATA|NOPTR, $4

#define CONSTANTS \
	VPBROADCASTD DATAMASK(AX), Y9 \
	VPBROADCASTD word4000<>(SB), Y10 \
	VPBROADCASTD word8000<>(SB), Y11 \
	VPBROADCASTD wordC000<>(SB), Y12 \
	VPBROADCASTD wordFFFF<>(SB), Y13 \
	VPBROADCASTD saturated<>(SB), Y14 \
	VPXOR Y15, Y15, Y15

// CHOOSE converts the eight pixels at CX, of any range, to Y2; codes are at P. It uses Y0 to Y7 and R11.
#define CHOOSE(P) \
	VPMOVZXWD (SI)(CX*2), Y0 \
	VPMOVZXWD P, Y1 \
	VPAND Y0, Y1, Y1 \
	VPAND Y9, Y0, Y2 \
	VCVTDQ2PS Y2, Y2 \
	VMOVUPS (BX)(CX*4), Y4 \
	VPCMPEQD Y15, Y1, Y5 \
	MOVQ PEDESTAL1(AX), R11 \
	VMOVUPS (R11)(CX*4), Y3 \
	VBLENDVPS Y5, (DX)(CX*4), Y3, Y3 \
	MOVQ FACTOR1(AX), R11 \
	VMOVUPS (R11)(CX*4), Y7 \
	VBLENDVPS Y5, Y4, Y7, Y7 \
	VPBROADCASTD SPECIAL(AX), Y6 \
	VPCMPEQD Y12, Y1, Y5 \
	VPAND Y6, Y5, Y5 \
	MOVQ PEDESTAL2(AX), R11 \
	VBLENDVPS Y5, (R11)(CX*4), Y3, Y3 \
	MOVQ FACTOR2(AX), R11 \
	VBLENDVPS Y5, (R11)(CX*4), Y7, Y7 \
	VSUBPS Y3, Y2, Y2 \
	VMULPS Y7, Y2, Y2 \
	VPCMPEQD Y11, Y1, Y5 \
	VPCMPEQD Y10, Y0, Y3 \
	VPOR Y3, Y5, Y5 \
	VPCMPEQD Y13, Y0, Y3 \
	VPOR Y3, Y5, Y5 \
	VPAND Y6, Y5, Y5 \
	VPANDN Y2, Y5, Y2 \
	VPCMPEQD Y12, Y0, Y5 \
	VPAND Y6, Y5, Y5 \
	VCMPPS $4, Y15, Y4, Y3 \
	VPAND Y14, Y3, Y3 \
	VBLENDVPS Y5, Y3, Y2, Y2

// CALLOTHERS asks for what CHOOSE reads of the ranges that the sixteen pixels at R12 may have switched to.
#define CALLOTHERS \
	MOVQ PEDESTAL1(AX), R11 \
	PREFETCHT0 (R11)(R12*4) \
	MOVQ FACTOR1(AX), R11 \
	PREFETCHT0 (R11)(R12*4) \
	MOVQ PEDESTAL2(AX), R11 \
	PREFETCHT0 (R11)(R12*4) \
	MOVQ FACTOR2(AX), R11 \
	PREFETCHT0 (R11)(R12*4)

// AHEAD is how many groups of sixteen pixels are looked ahead for others.
#define AHEAD 32
