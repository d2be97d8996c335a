#include "textflag.h"

// Offsets in struct banks.
#define PIXELS 0
#define MODES 8
#define BANKS 16
#define WIDE 24
#define LEAST 32
#define LIMIT 40
#define SCALE 44
#define START 48
#define FIRST 56
#define FARTHEST 64
#define UNIT 72
#define WHOLE 80
#define NUMBERS 2128
#define MOMENTS 2256
#define NEXTRAW 2576
#define NEXTPEDESTAL 2584
#define NEXTFACTOR 2592

// CALL asks for what the next row needs of a bank, while this one is computed: four lines at P, or two.
#define CALL4(P) \
	PREFETCHT0 (P) \
	PREFETCHT0 64(P) \
	PREFETCHT0 128(P) \
	PREFETCHT0 192(P) \
	ADDQ R9, P

#define CALL2(P) \
	PREFETCHT0 (P) \
	PREFETCHT0 64(P) \
	ADDQ $128, P

DATA magnitude<>+0(SB)/4, $0x7FFFFFFF
GLOBL magnitude<>(SB), RODATA|NOPTR, $4
DATA three<>+0(SB)/8, $3.0
GLOBL three<>(SB), RODATA|NOPTR, $8
DATA half<>+0(SB)/4, $0x3F000000
GLOBL half<>(SB), RODATA|NOPTR, $4
DATA huge<>+0(SB)/4, $0x4E6E6B28 // 1e9
GLOBL huge<>(SB), RODATA|NOPTR, $4
DATA infinite<>+0(SB)/4, $0x7F800000
GLOBL infinite<>(SB), RODATA|NOPTR, $4

// LOAD reads the pixels of a bank of 48 or 64 to Y0 to Y7, NaN where there is none. R9 is its size in bytes.
#define LOAD \
	VMOVUPS (SI), Y0 \
	VMOVUPS 32(SI), Y1 \
	VMOVUPS 64(SI), Y2 \
	VMOVUPS 96(SI), Y3 \
	VMOVUPS 128(SI), Y4 \
	VMOVUPS 160(SI), Y5 \
	VPCMPEQD Y6, Y6, Y6 \
	VPCMPEQD Y7, Y7, Y7 \
	CMPQ R9, $256 \
	JNE 3(PC) \
	VMOVUPS 192(SI), Y6 \
	VMOVUPS 224(SI), Y7

// NEAR adds the pixels in X up to the limit away from zero to sum S, squares Q and number Y12.
#define NEAR(X, S, Q) \
	VANDPS Y14, X, Y13 \
	VCMPPS $2, Y15, Y13, Y13 \
	VPSUBD Y13, Y12, Y12 \
	VANDPS Y13, X, Y13 \
	VADDPS Y13, S, S \
	VMULPS Y13, Y13, Y13 \
	VADDPS Y13, Q, Q

// WITHIN adds the pixels in X from Y10 to Y11 to sum S and number Y12.
#define WITHIN(X, S) \
	VCMPPS $13, Y10, X, Y13 \
	VCMPPS $2, Y11, X, Y14 \
	VANDPS Y14, Y13, Y13 \
	VPSUBD Y13, Y12, Y12 \
	VANDPS X, Y13, Y13 \
	VADDPS Y13, S, S

// func nearAVX2(b *banks)
// For each bank of a row: the number, sum and sum of squares of the pixels up to LIMIT away from zero; NaN is not. The
// order of additions is that of addFloats and together.
TEXT ·nearAVX2(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	MOVQ PIXELS(AX), SI
	LEAQ MOMENTS(AX), DI
	MOVQ BANKS(AX), R8
	MOVQ WIDE(AX), R9
	SHLQ $2, R9
	VBROADCASTSS LIMIT(AX), Y15
	VBROADCASTSS magnitude<>(SB), Y14
	MOVQ NEXTPEDESTAL(AX), R10
	MOVQ NEXTRAW(AX), R12

near:
	LOAD
	CALL4(R10)
	CALL2(R12)
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11
	VPXOR Y12, Y12, Y12
	NEAR(Y0, Y8, Y10)
	NEAR(Y1, Y9, Y11)
	NEAR(Y2, Y8, Y10)
	NEAR(Y3, Y9, Y11)
	NEAR(Y4, Y8, Y10)
	NEAR(Y5, Y9, Y11)
	NEAR(Y6, Y8, Y10)
	NEAR(Y7, Y9, Y11)
	VADDPS Y9, Y8, Y8
	VADDPS Y11, Y10, Y10
	VEXTRACTF128 $1, Y8, X9
	VEXTRACTF128 $1, Y10, X11
	VEXTRACTI128 $1, Y12, X13
	VADDPS X9, X8, X8
	VADDPS X11, X10, X10
	VPADDD X13, X12, X12
	VUNPCKLPS X10, X8, X9         // sums and squares of parts 0 and 1
	VUNPCKHPS X10, X8, X11        // of parts 2 and 3
	VPSHUFD $0x4E, X12, X13
	VADDPS X11, X9, X9
	VPADDD X13, X12, X12
	VMOVHLPS X9, X9, X11
	VPSHUFD $0xB1, X12, X13
	VADDPS X11, X9, X9            // sum and squares
	VPADDD X13, X12, X12
	VMOVD X12, (DI)
	VMOVSS X9, 64(DI)
	VEXTRACTPS $1, X9, 128(DI)
	ADDQ $4, DI
	ADDQ R9, SI
	DECQ R8
	JNZ near
	VZEROUPPER
	RET

// func boundsAVX2(b *banks)
// Of four banks at a time: mean and standard deviation, and from these the bounds of what is within.
TEXT ·boundsAVX2(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	LEAQ MOMENTS(AX), DI
	MOVQ BANKS(AX), R8
	VBROADCASTSS LIMIT(AX), X15
	VCVTPS2PD X15, Y15            // limit
	VXORPD Y13, Y13, Y13
	VSUBPD Y15, Y13, Y14          // -limit
	VBROADCASTSD three<>(SB), Y12

bounds:
	VCVTDQ2PD (DI), Y0
	VCVTPS2PD 64(DI), Y1
	VCVTPS2PD 128(DI), Y2
	VDIVPD Y0, Y1, Y1             // mean
	VDIVPD Y0, Y2, Y2
	VMULPD Y1, Y1, Y3
	VSUBPD Y3, Y2, Y2
	VMAXPD Y2, Y13, Y2            // variance
	VSQRTPD Y2, Y2
	VMULPD Y12, Y2, Y2
	VSUBPD Y2, Y1, Y3
	VADDPD Y2, Y1, Y4
	VMAXPD Y3, Y14, Y3
	VMINPD Y4, Y15, Y4
	VCVTPD2PSY Y3, X3
	VCVTPD2PSY Y4, X4
	VMOVUPS X3, 192(DI)
	VMOVUPS X4, 256(DI)
	ADDQ $16, DI
	SUBQ $4, R8
	JG bounds
	VZEROUPPER
	RET

// func withinAVX2(b *banks)
// For each bank of a row: the number and sum of the pixels within its bounds.
TEXT ·withinAVX2(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	MOVQ PIXELS(AX), SI
	LEAQ MOMENTS(AX), DI
	MOVQ BANKS(AX), R8
	MOVQ WIDE(AX), R9
	SHLQ $2, R9
	MOVQ NEXTFACTOR(AX), R10

within:
	LOAD
	CALL4(R10)
	VBROADCASTSS 192(DI), Y10
	VBROADCASTSS 256(DI), Y11
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VPXOR Y12, Y12, Y12
	WITHIN(Y0, Y8)
	WITHIN(Y1, Y9)
	WITHIN(Y2, Y8)
	WITHIN(Y3, Y9)
	WITHIN(Y4, Y8)
	WITHIN(Y5, Y9)
	WITHIN(Y6, Y8)
	WITHIN(Y7, Y9)
	VADDPS Y9, Y8, Y8
	VEXTRACTF128 $1, Y8, X9
	VEXTRACTI128 $1, Y12, X13
	VADDPS X9, X8, X8
	VPADDD X13, X12, X12
	VMOVHLPS X8, X8, X9
	VPSHUFD $0x4E, X12, X13
	VADDPS X9, X8, X8
	VPADDD X13, X12, X12
	VMOVSHDUP X8, X9
	VPSHUFD $0xB1, X12, X13
	VADDSS X9, X8, X8
	VPADDD X13, X12, X12
	VMOVD X12, (DI)
	VMOVSS X8, 64(DI)
	ADDQ $4, DI
	ADDQ R9, SI
	DECQ R8
	JNZ within
	VZEROUPPER
	RET

// COARSE makes sixteen whole numbers of units, rounded down and saturated, of the pixels in X and Y; NaN is the highest.
#define COARSE(X, Y, AT) \
	VCMPPS $7, X, X, Y8 \
	VCMPPS $7, Y, Y, Y9 \
	VPSUBD Y8, Y12, Y12 \
	VPSUBD Y9, Y12, Y12 \
	VMULPS Y13, X, X \
	VMULPS Y13, Y, Y \
	VMINPS Y15, X, X \
	VMINPS Y15, Y, Y \
	VROUNDPS $1, X, X \
	VROUNDPS $1, Y, Y \
	VCVTPS2DQ X, X \
	VCVTPS2DQ Y, Y \
	VPACKSSDW Y, X, X \
	VMOVDQU X, AT(DI)

// func coarseAVX2(b *banks)
// For each bank of a row of 48 or 64 pixels: how many they are, and in which unit, a whole number of them, the lower one
// in the middle is, by halving. First all numbers are made and then all are searched, without a branch that cannot be
// foretold, so that several banks are on their way at the same time.
TEXT ·coarseAVX2(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	MOVQ PIXELS(AX), SI
	MOVQ BANKS(AX), R8
	MOVQ WIDE(AX), R9
	SHLQ $2, R9
	LEAQ WHOLE(AX), DI
	LEAQ NUMBERS(AX), R11
	VBROADCASTSS huge<>(SB), Y15
	VBROADCASTSS SCALE(AX), Y13
	MOVQ NEXTPEDESTAL(AX), R10
	MOVQ NEXTRAW(AX), R12

coarse:
	LOAD
	CALL4(R10)
	CALL2(R12)
	VPXOR Y12, Y12, Y12
	COARSE(Y0, Y1, 0)
	COARSE(Y2, Y3, 32)
	COARSE(Y4, Y5, 64)
	COARSE(Y6, Y7, 96)
	VEXTRACTI128 $1, Y12, X8
	VPADDD X8, X12, X12
	VPSHUFD $0x4E, X12, X8
	VPADDD X8, X12, X12
	VPSHUFD $0xB1, X12, X8
	VPADDD X8, X12, X12
	VMOVD X12, (R11)
	ADDQ $8, R11
	ADDQ $128, DI
	ADDQ R9, SI
	DECQ R8
	JNZ coarse

	LEAQ WHOLE(AX), SI
	LEAQ NUMBERS(AX), R11
	MOVQ BANKS(AX), R8

search:
	MOVQ NEXTFACTOR(AX), R10
	CALL4(R10)
	MOVQ R10, NEXTFACTOR(AX)
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	MOVLQSX (R11), R10
	DECQ R10
	SARQ $1, R10                  // place of the lower one
	MOVQ $64, R13
	SUBQ R10, R13
	MOVQ START(AX), DX
	MOVQ FIRST(AX), BX

halve:
	LEAQ (DX)(BX*1), CX
	VMOVD CX, X4
	VPBROADCASTW X4, Y4
	VPCMPGTW Y4, Y0, Y5
	VPCMPGTW Y4, Y1, Y6
	VPCMPGTW Y4, Y2, Y7
	VPCMPGTW Y4, Y3, Y8
	VPACKSSWB Y6, Y5, Y5
	VPACKSSWB Y8, Y7, Y7
	VPMOVMSKB Y5, R12
	VPMOVMSKB Y7, DI
	POPCNTL R12, R12
	POPCNTL DI, DI
	ADDQ DI, R12
	CMPQ R12, R13                 // so many are above that the one wanted is too
	CMOVQGE CX, DX
	SHRQ $1, BX
	JNZ halve

	INCQ DX
	MOVL DX, 4(R11)
	ADDQ $8, R11
	ADDQ $128, SI
	DECQ R8
	JNZ search
	VZEROUPPER
	RET

// FOLDMIN folds Y9 to its least value, in all lanes of Y8.
#define FOLDMIN \
	VEXTRACTF128 $1, Y9, X8 \
	VMINPS X8, X9, X9 \
	VMOVHLPS X9, X9, X8 \
	VMINPS X8, X9, X9 \
	VMOVSHDUP X9, X8 \
	VMINSS X8, X9, X9 \
	VBROADCASTSS X9, Y8

// FROM takes the pixels in X from Y10 on into the least, Y9.
#define FROM(X) \
	VCMPPS $13, Y10, X, Y11 \
	VBLENDVPS Y11, X, Y14, Y11 \
	VMINPS Y11, Y9, Y9

// ABOVE takes those above Y10, and the number of the others but NaN into Y12.
#define ABOVE(X) \
	VCMPPS $2, Y10, X, Y13 \
	VCMPPS $14, Y10, X, Y11 \
	VPSUBD Y13, Y12, Y12 \
	VBLENDVPS Y11, X, Y14, Y11 \
	VMINPS Y11, Y9, Y9

// func mediansAVX2(b *banks)
// For each bank, after coarseAVX2: the pixels from the unit found on, one after the other, up to the middle. Where it is
// too far away, NaN says that.
TEXT ·mediansAVX2(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	MOVQ PIXELS(AX), SI
	MOVQ MODES(AX), DI
	MOVQ BANKS(AX), R8
	MOVQ WIDE(AX), R9
	SHLQ $2, R9
	LEAQ NUMBERS(AX), R13
	MOVQ FARTHEST(AX), CX
	MOVQ CX, BX
	NEGQ BX
	VBROADCASTSS infinite<>(SB), Y14

median:
	MOVLQSX (R13), R11            // number
	MOVLQSX 4(R13), DX            // unit
	CMPQ R11, LEAST(AX)
	JLE none
	CMPQ DX, CX
	JGE far
	CMPQ DX, BX
	JLT far
	LOAD
	MOVQ R11, R10
	DECQ R10
	SHRQ $1, R10                  // place of the lower one
	SHRQ $1, R11                  // and of the higher one
	VXORPS X10, X10, X10
	VCVTSI2SSQ DX, X10, X10
	VMULSS UNIT(AX), X10, X10
	VBROADCASTSS X10, Y10
	VMOVAPS Y14, Y9
	FROM(Y0)
	FROM(Y1)
	FROM(Y2)
	FROM(Y3)
	FROM(Y4)
	FROM(Y5)
	FROM(Y6)
	FROM(Y7)
	FOLDMIN

along:
	VMOVAPS Y8, Y10
	VMOVAPS Y14, Y9
	VPXOR Y12, Y12, Y12
	ABOVE(Y0)
	ABOVE(Y1)
	ABOVE(Y2)
	ABOVE(Y3)
	ABOVE(Y4)
	ABOVE(Y5)
	ABOVE(Y6)
	ABOVE(Y7)
	VEXTRACTI128 $1, Y12, X13
	VPADDD X13, X12, X12
	VPSHUFD $0x4E, X12, X13
	VPADDD X13, X12, X12
	VPSHUFD $0xB1, X12, X13
	VPADDD X13, X12, X12
	VMOVD X12, R12                // how many are not above
	FOLDMIN
	CMPQ R12, R10
	JLE along
	CMPQ R12, R11
	JLE even
	VMOVAPS X10, X8

even:
	VADDSS X8, X10, X8
	VMULSS half<>(SB), X8, X8
	VBROADCASTSS magnitude<>(SB), X9
	VANDPS X9, X8, X9
	VUCOMISS LIMIT(AX), X9        // below the limit
	JCC none

store:
	VMOVSS X8, (DI)
	ADDQ $4, DI
	ADDQ $8, R13
	ADDQ R9, SI
	DECQ R8
	JNZ median
	VZEROUPPER
	RET

none:
	VXORPS X8, X8, X8
	JMP store

far:
	VPCMPEQD X8, X8, X8           // NaN
	JMP store
