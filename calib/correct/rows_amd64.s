#include "textflag.h"
#include "loop_amd64.h"
#include "rows_amd64.h"

// func apartAVX2(b *banks)
// A row of pixels less their pedestals, to SRC, and in units with saturation, to WHOLE, where 7FFF stands for those that
// take no part; the order within sixteen does not matter. Where range bits are set, that is noted in FLAGS, a bit for
// sixteen pixels; the pixels that would have taken part are taken off NUMBERS, and what they need later is called for.
TEXT ·apartAVX2(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	MOVQ RAW(AX), SI
	MOVQ CODES(AX), R8
	MOVQ PART(AX), DX
	MOVQ SRC(AX), DI
	MOVQ WHOLE(AX), R10
	LEAQ NUMBERS(AX), R9
	VPBROADCASTD DATAMASK(AX), Y9
	VBROADCASTSS SCALE(AX), Y8
	XORQ CX, CX
	XORQ R13, R13
	XORQ R15, R15                 // end of the bank

abank:
	ADDQ WIDE(AX), R15
	MOVQ R10, BX

apart:
	VMOVDQU (SI)(CX*2), Y0
	VPMOVZXWD (SI)(CX*2), Y1
	VPMOVZXWD 16(SI)(CX*2), Y2
	VPAND Y9, Y1, Y1
	VPAND Y9, Y2, Y2
	VCVTDQ2PS Y1, Y1
	VCVTDQ2PS Y2, Y2
	VSUBPS (DX)(CX*4), Y1, Y1
	VSUBPS 32(DX)(CX*4), Y2, Y2
	VMULPS Y8, Y1, Y3
	VMULPS Y8, Y2, Y4
	VCVTPS2DQ Y3, Y3
	VCVTPS2DQ Y4, Y4
	VMOVUPS Y1, (DI)(CX*4)
	VMOVUPS Y2, 32(DI)(CX*4)
	VPACKSSDW Y4, Y3, Y3
	VPTEST (R8), Y0
	JNZ set

noted:
	VMOVDQU Y3, (BX)
	ADDQ $32, BX
	ADDQ $16, CX
	ADDQ STEP(AX), R8
	CMPQ CX, R15
	JLT apart
	ADDQ $4, R9
	ADDQ $128, R10
	CMPQ CX, N(AX)
	JLT abank
	MOVQ R13, FLAGS(AX)
	VZEROUPPER
	RET

set:
	VPAND (R8), Y0, Y0
	VPXOR Y4, Y4, Y4
	VPCMPEQW Y4, Y0, Y0
	VPCMPEQW Y4, Y4, Y4
	VPXOR Y4, Y0, Y0              // switched
	VPERMQ $0xD8, Y0, Y0          // in the order of VPACKSSDW
	VPSRLW $1, Y4, Y4
	VPBLENDVB Y0, Y4, Y3, Y3
	VBROADCASTSS apart<>(SB), Y4
	VCMPPS $4, (DX)(CX*4), Y4, Y1
	VCMPPS $4, 32(DX)(CX*4), Y4, Y2
	VPACKSSDW Y2, Y1, Y1
	VPAND Y1, Y0, Y0
	VPMOVMSKB Y0, R12
	POPCNTL R12, R12
	SHRL $1, R12
	SUBL R12, (R9)
	MOVQ CX, R12
	SHRQ $4, R12
	BTSQ R12, R13
	MOVQ CX, R12
	CALLOTHERS
	JMP noted

// TAKE adds the units in X from those in Y14 on, over those in Y13, to sums S and squares Q, and makes M the mask of what
// was added.
#define TAKE(X, M, S, Q) \
	VPSUBW Y14, X, M \
	VPMINUW Y13, M, S \
	VPCMPEQW S, M, M \
	VPAND X, M, X \
	VPMADDWD Y15, X, S \
	VPMADDWD X, X, Q

// func sumsAVX2(b *banks)
// For each bank the sum, sum of squares and number of the pixels from LOW on, over SPAN units. Meanwhile, four lines of
// NEXT4 and two of NEXT2 are called for from memory.
TEXT ·sumsAVX2(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	MOVQ WHOLE(AX), SI
	LEAQ MOMENTS(AX), DI
	MOVQ BANKS(AX), R8
	MOVQ WIDE(AX), R9
	MOVQ NEXT4(AX), R10
	MOVQ NEXT2(AX), R12
	LEAQ LOW(AX), R11
	VPCMPEQW Y12, Y12, Y12        // -1
	VPSRLW $15, Y12, Y15          // 1

sums:
	VPBROADCASTD (R11), Y14
	VPBROADCASTD (SPAN-LOW)(R11), Y13
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	PREFETCHT0 (R10)
	PREFETCHT0 64(R10)
	PREFETCHT0 128(R10)
	PREFETCHT0 192(R10)
	PREFETCHT0 (R12)
	PREFETCHT0 64(R12)
	LEAQ (R10)(R9*4), R10
	LEAQ (R12)(R9*2), R12
	TAKE(Y0, Y8, Y4, Y0)
	TAKE(Y1, Y9, Y5, Y1)
	TAKE(Y2, Y10, Y6, Y2)
	TAKE(Y3, Y11, Y7, Y3)
	VPADDW Y9, Y8, Y8
	VPADDW Y11, Y10, Y10
	VPADDD Y5, Y4, Y4
	VPADDD Y7, Y6, Y6
	VPADDD Y1, Y0, Y0
	VPADDD Y3, Y2, Y2
	VPADDW Y10, Y8, Y8
	VPADDD Y6, Y4, Y4
	VPADDD Y2, Y0, Y0
	VPMADDWD Y12, Y8, Y8
	VPHADDD Y0, Y4, Y4
	VPHADDD Y8, Y8, Y8
	VPHADDD Y8, Y4, Y4
	VEXTRACTI128 $1, Y4, X0
	VPADDD X0, X4, X4
	VMOVDQU X4, (DI)              // sum, squares, number, number
	ADDQ $16, DI
	ADDQ $4, R11
	ADDQ $128, SI
	DECQ R8
	JNZ sums
	VZEROUPPER
	RET

// FOUR reads the moments of four banks: sums to Y0, squares to Y1, numbers to Y2, as float64.
#define FOUR \
	VMOVDQU (DI), X4 \
	VMOVDQU 16(DI), X5 \
	VMOVDQU 32(DI), X6 \
	VMOVDQU 48(DI), X7 \
	VPUNPCKLDQ X5, X4, X0 \
	VPUNPCKLDQ X7, X6, X1 \
	VPUNPCKHDQ X5, X4, X2 \
	VPUNPCKHDQ X7, X6, X3 \
	VPUNPCKLQDQ X3, X2, X2 \
	VPUNPCKHQDQ X1, X0, X3 \
	VPUNPCKLQDQ X1, X0, X0 \
	VCVTDQ2PD X0, Y0 \
	VCVTDQ2PD X3, Y1 \
	VCVTDQ2PD X2, Y2

// func boundsAVX2(b *banks)
// Of four banks at a time: mean and standard deviation, and from these the bounds of what is within. Of no pixels they
// are the widest.
TEXT ·boundsAVX2(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	LEAQ MOMENTS(AX), DI
	LEAQ LOW(AX), SI
	MOVQ BANKS(AX), R8
	VBROADCASTSD LOWEST(AX), Y14
	VBROADCASTSD HIGHEST(AX), Y15
	VBROADCASTSD three<>(SB), Y12
	VXORPD Y13, Y13, Y13

bounds:
	FOUR
	VDIVPD Y2, Y0, Y0             // mean
	VDIVPD Y2, Y1, Y1
	VMULPD Y0, Y0, Y3
	VSUBPD Y3, Y1, Y1
	VMAXPD Y1, Y13, Y1            // variance
	VSQRTPD Y1, Y1
	VMULPD Y12, Y1, Y1
	VSUBPD Y1, Y0, Y3
	VADDPD Y1, Y0, Y4
	VROUNDPD $2, Y3, Y3
	VROUNDPD $1, Y4, Y4
	VMAXPD Y14, Y3, Y3            // NaN becomes the bound
	VMINPD Y15, Y4, Y4
	VCVTTPD2DQY Y3, X3
	VCVTTPD2DQY Y4, X4
	VPSUBD X3, X4, X4
	VPSLLD $16, X3, X5
	VPSLLD $16, X4, X6
	VPBLENDW $0xAA, X5, X3, X3    // twice, as words
	VPBLENDW $0xAA, X6, X4, X4
	VMOVDQU X3, (SI)
	VMOVDQU X4, (SPAN-LOW)(SI)
	ADDQ $64, DI
	ADDQ $16, SI
	SUBQ $4, R8
	JG bounds
	VZEROUPPER
	RET

// func meansAVX2(b *banks)
// Of four banks at a time: the mean in ADU, as float32 and rounded as int16, or 0 where none can be told.
TEXT ·meansAVX2(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	LEAQ MOMENTS(AX), DI
	LEAQ MODE(AX), SI
	MOVQ BANKS(AX), R8
	VBROADCASTSD UNIT(AX), Y12
	VBROADCASTSD LEAST(AX), Y13
	VBROADCASTSD LIMIT(AX), Y14
	VBROADCASTSD magnitude<>(SB), Y15

means:
	FOUR
	VDIVPD Y2, Y0, Y0
	VMULPD Y12, Y0, Y0
	VANDPD Y15, Y0, Y3
	VCMPPD $1, Y14, Y3, Y3        // below the limit
	VCMPPD $14, Y13, Y2, Y2       // enough of them
	VANDPD Y2, Y3, Y3
	VANDPD Y3, Y0, Y0
	VCVTPD2PSY Y0, X1
	VROUNDPD $0, Y0, Y0
	VCVTTPD2DQY Y0, X0
	VPSLLD $16, X0, X2
	VPBLENDW $0xAA, X2, X0, X0
	VMOVUPS X1, (SI)
	VMOVDQU X0, (MODE16-MODE)(SI)
	ADDQ $64, DI
	ADDQ $16, SI
	SUBQ $4, R8
	JG means
	VZEROUPPER
	RET

// COUNT makes C the number of units above D in a bank of registers, and uses T, Y8 to Y12 and X8.
#define COUNT(A, B, G, H, D, C, T) \
	VMOVD D, X8 \
	VPBROADCASTW X8, Y8 \
	VPCMPGTW Y8, A, Y9 \
	VPCMPGTW Y8, B, Y10 \
	VPCMPGTW Y8, G, Y11 \
	VPCMPGTW Y8, H, Y12 \
	VPACKSSWB Y10, Y9, Y9 \
	VPACKSSWB Y12, Y11, Y11 \
	VPMOVMSKB Y9, C \
	VPMOVMSKB Y11, T \
	POPCNTL C, C \
	POPCNTL T, T \
	ADDL T, C

// MIDDLE finds, of a bank of registers, the unit D of the lower one in the middle by what is next below it, and the sum
// of it and the higher one, of the bank number I after that at R11. It uses R12, R13, R15.
#define MIDDLE(A, B, G, H, D, I) \
	INCQ D \
	COUNT(A, B, G, H, D, R12, R13) \
	VPCMPEQW Y9, Y9, Y9 \
	VPSUBW Y9, Y8, Y8 \
	VPSUBW Y8, A, Y9 \
	VPSUBW Y8, B, Y10 \
	VPSUBW Y8, G, Y11 \
	VPSUBW Y8, H, Y12 \
	VPMINUW Y10, Y9, Y9 \
	VPMINUW Y12, Y11, Y11 \
	VPMINUW Y11, Y9, Y9 \
	VEXTRACTI128 $1, Y9, X10 \
	VPMINUW X10, X9, X9 \
	VPHMINPOSUW X9, X9 \
	VPEXTRW $0, X9, R13 \
	LEAQ 1(D)(R13*1), R13         /* the next one above */ \
	MOVL I(R11), R15 \
	SHRL $1, R15                  /* place of the higher one */ \
	NEGL R12 \
	ADDL $64, R12                 /* so many are not above */ \
	CMPL R12, R15 \
	CMOVQGT D, R13 \
	ADDQ D, R13 \
	MOVL D, (FOUND-NUMBERS+I)(R11) \
	MOVL R13, (TWICE-NUMBERS+I)(R11)

// PLACE makes T how many are above the lower one in the middle and itself, of 64.
#define PLACE(I, T) \
	MOVLQSX I(R11), T \
	DECQ T \
	SARQ $1, T \
	NEGQ T \
	ADDQ $64, T

// func mediansAVX2(b *banks)
// For each bank, two at a time: the unit of the lower one in the middle, by halving, without a branch that cannot be
// foretold. It is the one after the highest unit that so many are above that the one wanted is too.
TEXT ·mediansAVX2(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	MOVQ WHOLE(AX), SI
	LEAQ NUMBERS(AX), R11
	MOVQ BANKS(AX), DI

search:
	MOVQ NEXT4(AX), R10
	PREFETCHT0 (R10)
	PREFETCHT0 64(R10)
	PREFETCHT0 128(R10)
	PREFETCHT0 192(R10)
	PREFETCHT0 256(R10)
	PREFETCHT0 320(R10)
	PREFETCHT0 384(R10)
	PREFETCHT0 448(R10)
	MOVQ NEXTFACTOR(AX), R12
	PREFETCHT0 (R12)
	PREFETCHT0 64(R12)
	PREFETCHT0 128(R12)
	PREFETCHT0 192(R12)
	PREFETCHT0 256(R12)
	PREFETCHT0 320(R12)
	PREFETCHT0 384(R12)
	PREFETCHT0 448(R12)
	MOVQ NEXT2(AX), R13
	PREFETCHT0 (R13)
	PREFETCHT0 64(R13)
	PREFETCHT0 128(R13)
	PREFETCHT0 192(R13)
	MOVQ WIDE(AX), R9
	LEAQ (R10)(R9*8), R10
	LEAQ (R12)(R9*8), R12
	LEAQ (R13)(R9*4), R13
	MOVQ R10, NEXT4(AX)
	MOVQ R12, NEXTFACTOR(AX)
	MOVQ R13, NEXT2(AX)
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	VMOVDQU 128(SI), Y4
	VMOVDQU 160(SI), Y5
	VMOVDQU 192(SI), Y6
	VMOVDQU 224(SI), Y7
	PLACE(0, R9)
	PLACE(4, R10)
	MOVQ START(AX), DX
	MOVQ DX, R8
	MOVQ FIRST(AX), BX

halve:
	LEAQ (DX)(BX*1), CX
	COUNT(Y0, Y1, Y2, Y3, CX, R12, R13)
	CMPQ R12, R9
	CMOVQGE CX, DX
	LEAQ (R8)(BX*1), CX
	COUNT(Y4, Y5, Y6, Y7, CX, R15, R13)
	CMPQ R15, R10
	CMOVQGE CX, R8
	SHRQ $1, BX
	JNZ halve

	MIDDLE(Y0, Y1, Y2, Y3, DX, 0)
	MIDDLE(Y4, Y5, Y6, Y7, R8, 4)
	ADDQ $8, R11
	ADDQ $256, SI
	SUBQ $2, DI
	JG search
	VZEROUPPER
	RET

// func lowerAVX2(b *banks)
// SRC of a row less the common mode of each bank, times the factor; bad pixels have the factor 0 and, being apart, are
// far above 0. Sixteen pixels with a bit in FLAGS are looked at one by one.
TEXT ·lowerAVX2(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	MOVQ DST(AX), DI
	MOVQ RAW(AX), SI
	MOVQ CODES(AX), R8
	MOVQ STEP(AX), R9
	MOVQ N(AX), R10
	MOVQ PEDESTAL(AX), DX
	MOVQ FACTOR(AX), BX
	MOVQ SRC(AX), R15
	MOVQ FLAGS(AX), R13
	LEAQ MODE(AX), R12
	CONSTANTS
	XORQ CX, CX

lbank:
	VBROADCASTSS (R12), Y8
	ADDQ $4, R12
	MOVQ CX, R11
	ADDQ WIDE(AX), R11
	MOVQ R11, MARKS(AX)           // end of the bank

lower:
	SHRQ $1, R13
	JCS others
	VMOVUPS (R15)(CX*4), Y0
	VMOVUPS 32(R15)(CX*4), Y1
	VSUBPS Y8, Y0, Y0
	VSUBPS Y8, Y1, Y1
	VMULPS (BX)(CX*4), Y0, Y0
	VMULPS 32(BX)(CX*4), Y1, Y1

lowered:
	CMPL STREAM(AX), $0
	JEQ lkeep
	VMOVNTPS Y0, (DI)(CX*4)
	VMOVNTPS Y1, 32(DI)(CX*4)
	ADDQ $16, CX
	ADDQ R9, R8
	CMPQ CX, MARKS(AX)
	JLT lower
	CMPQ CX, R10
	JLT lbank
	VZEROUPPER
	RET

lkeep:
	VMOVUPS Y0, (DI)(CX*4)
	VMOVUPS Y1, 32(DI)(CX*4)
	ADDQ $16, CX
	ADDQ R9, R8
	CMPQ CX, MARKS(AX)
	JLT lower
	CMPQ CX, R10
	JLT lbank
	VZEROUPPER
	RET

others:
	OTHERS((R8))
	ADDQ $8, CX
	OTHERS(16(R8))
	SUBQ $8, CX
	VMOVUPS (R15)(CX*4), Y0
	VMOVUPS 32(R15)(CX*4), Y1
	JMP lowered

// func gather16AVX2(b *banks)
// A row of int16, at SRC, to WHOLE, with 7FFF for those that take no part, and to NUMBERS how many do.
TEXT ·gather16AVX2(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	MOVQ SRC(AX), SI
	MOVQ WHOLE(AX), DI
	LEAQ NUMBERS(AX), R11
	MOVQ BANKS(AX), R8
	MOVQ WIDE(AX), R9
	VPCMPEQW Y15, Y15, Y15
	VPSLLW $15, Y15, Y14          // Bad16
	VPSRLW $1, Y15, Y15           // Switched16

gather:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQA Y15, Y3
	CMPQ R9, $64
	JNE 2(PC)
	VMOVDQU 96(SI), Y3
	VPCMPEQW Y14, Y0, Y4
	VPCMPEQW Y14, Y1, Y5
	VPCMPEQW Y14, Y2, Y6
	VPCMPEQW Y14, Y3, Y7
	VPXOR Y4, Y0, Y0
	VPXOR Y5, Y1, Y1
	VPXOR Y6, Y2, Y2
	VPXOR Y7, Y3, Y3
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	VMOVDQU Y2, 64(DI)
	VMOVDQU Y3, 96(DI)
	VPCMPEQW Y15, Y0, Y0
	VPCMPEQW Y15, Y1, Y1
	VPCMPEQW Y15, Y2, Y2
	VPCMPEQW Y15, Y3, Y3
	VPACKSSWB Y1, Y0, Y0
	VPACKSSWB Y3, Y2, Y2
	VPMOVMSKB Y0, R12
	VPMOVMSKB Y2, R13
	POPCNTL R12, R12
	POPCNTL R13, R13
	ADDL R13, R12
	NEGL R12
	ADDL $64, R12
	MOVL R12, (R11)
	ADDQ $4, R11
	ADDQ $128, DI
	LEAQ (SI)(R9*2), SI
	DECQ R8
	JNZ gather
	VZEROUPPER
	RET

// func lower16AVX2(b *banks)
// A row of int16, at SRC, less the common mode of each bank; marks stay what they are.
TEXT ·lower16AVX2(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	MOVQ DST(AX), DI
	MOVQ SRC(AX), SI
	LEAQ MODE16(AX), R12
	MOVQ N(AX), R10
	VPCMPEQW Y15, Y15, Y15
	VPSLLW $15, Y15, Y14          // Bad16
	VPSRLW $15, Y15, Y13
	VPOR Y14, Y13, Y13            // the lowest value
	VPSRLW $1, Y15, Y15           // Switched16
	XORQ CX, CX
	XORQ R13, R13

bank16:
	VPBROADCASTD (R12), Y8
	ADDQ $4, R12
	ADDQ WIDE(AX), R13

pixels16:
	VMOVDQU (SI)(CX*2), Y0
	VPSUBSW Y8, Y0, Y1
	VPCMPEQW Y14, Y0, Y2
	VPCMPEQW Y15, Y0, Y3
	VPMAXSW Y13, Y1, Y1
	VPOR Y3, Y2, Y2
	VPBLENDVB Y2, Y0, Y1, Y1
	CMPL STREAM(AX), $0
	JEQ keep16
	VMOVNTDQ Y1, (DI)(CX*2)
	ADDQ $16, CX
	CMPQ CX, R13
	JLT pixels16
	CMPQ CX, R10
	JLT bank16
	VZEROUPPER
	RET

keep16:
	VMOVDQU Y1, (DI)(CX*2)
	ADDQ $16, CX
	CMPQ CX, R13
	JLT pixels16
	CMPQ CX, R10
	JLT bank16
	VZEROUPPER
	RET
