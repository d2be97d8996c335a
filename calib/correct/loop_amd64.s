#include "textflag.h"
#include "loop_amd64.h"

// func subtractAVX2(l *loop)
// Sixteen pixels at a time: the data less the pedestal with saturation. Where one has its range bits set, all sixteen
// get their marks.
TEXT ·subtractAVX2(SB), NOSPLIT, $0-8
	MOVQ l+0(FP), AX
	MOVQ DST(AX), DI
	MOVQ RAW(AX), SI
	MOVQ CODES(AX), R8
	MOVQ STEP(AX), R9
	MOVQ N(AX), CX
	MOVQ PEDESTAL(AX), DX
	VPBROADCASTW DATAMASK(AX), Y8
	VPBROADCASTW BIAS(AX), Y9
	VPBROADCASTW SPECIAL(AX), Y10
	VPCMPEQW Y13, Y13, Y13        // FFFF
	VPSRLW $1, Y13, Y15           // 7FFF: badPedestal, Switched16
	VPSLLW $15, Y13, Y14          // 8000: Bad16, code 10
	VPSRLW $1, Y14, Y12           // 4000: G1 saturated
	VPSRLW $15, Y13, Y11
	VPOR Y14, Y11, Y11            // 8001: the lowest value

	CMPL SPECIAL(AX), $0
	JEQ subtract
	CMPL STREAM(AX), $0
	JEQ subtract

	// JUNGFRAU, without a branch: raw pixels come from memory, and to guess wrong every now and then costs more than to
	// make the marks always. The pixels go past the caches.
	VPXOR Y7, Y7, Y7
	VMOVDQU (R8), Y11             // C000, its codes
	XORQ R10, R10

quick:
	PREFETCHT0 4096(SI)(R10*2)
	PREFETCHT0 4096(DX)(R10*2)
	VMOVDQU (SI)(R10*2), Y0
	VMOVDQU (DX)(R10*2), Y1
	VPAND Y8, Y0, Y2
	VPSUBSW Y1, Y2, Y2
	VPCMPEQW Y12, Y0, Y3          // G1 saturated
	VPCMPEQW Y13, Y0, Y4          // error
	VPCMPGTW Y0, Y11, Y5          // code 10
	VPAND Y11, Y0, Y0
	VPOR Y4, Y3, Y3
	VPCMPEQW Y7, Y0, Y0           // not switched
	VPOR Y5, Y3, Y3
	VPXOR Y15, Y3, Y3             // Bad16 there, Switched16 elsewhere
	VPCMPEQW Y15, Y1, Y1
	VPBLENDVB Y0, Y2, Y3, Y2
	VPBLENDVB Y1, Y14, Y2, Y2
	VMOVNTDQ Y2, (DI)(R10*2)
	ADDQ $16, R10
	CMPQ R10, CX
	JLT quick
	VZEROUPPER
	RET

subtract:
	PREFETCHT0 1024(SI)           // the branch below waits for raw pixels, and what follows it for the branch
	VMOVDQU (SI), Y0
	VMOVDQU (DX), Y1
	VPAND Y8, Y0, Y3
	VPXOR Y9, Y3, Y3
	VPSUBSW Y1, Y3, Y3
	VPMAXSW Y11, Y3, Y3
	VPTEST (R8), Y0
	JNZ switched

bad:
	VPCMPEQW Y15, Y1, Y4
	VPBLENDVB Y4, Y14, Y3, Y3
	VMOVDQU Y3, (DI)
	ADDQ $32, SI
	ADDQ $32, DX
	ADDQ $32, DI
	ADDQ R9, R8
	SUBQ $16, CX
	JNZ subtract
	VZEROUPPER
	RET

switched:
	VPAND (R8), Y0, Y2
	VPCMPEQW Y14, Y2, Y5          // code 10
	VPCMPEQW Y12, Y0, Y6
	VPOR Y6, Y5, Y5
	VPCMPEQW Y13, Y0, Y6          // error
	VPOR Y6, Y5, Y5
	VPAND Y10, Y5, Y5             // of JUNGFRAU only
	VPXOR Y15, Y5, Y5             // Bad16 there, Switched16 elsewhere
	VPXOR Y6, Y6, Y6
	VPCMPEQW Y6, Y2, Y6           // not switched
	VPBLENDVB Y6, Y3, Y5, Y3
	JMP bad

// func convertAVX2(l *loop)
// Sixteen pixels at a time, of the first range; where one has its range bits set, all sixteen as CHOOSE does. These are
// found AHEAD of time and noted in R13, whose lowest bit is the sixteen at CX: what other ranges need comes from memory,
// and would be waited for. With STREAM the pixels go past the caches, which needs dst to be a multiple of 32.
TEXT ·convertAVX2(SB), NOSPLIT, $0-8
	MOVQ l+0(FP), AX
	MOVQ DST(AX), DI
	MOVQ RAW(AX), SI
	MOVQ CODES(AX), R8
	MOVQ STEP(AX), R9
	MOVQ N(AX), R10
	MOVQ PEDESTAL(AX), DX
	MOVQ FACTOR(AX), BX
	CONSTANTS
	MOVQ R8, R15
	XORQ R12, R12
	XORQ R13, R13

first:
	CMPQ R12, R10
	JGE begin
	CMPQ R12, $(16*AHEAD)
	JGE begin
	VMOVDQU (SI)(R12*2), Y0
	VPTEST (R15), Y0
	JEQ unset
	MOVQ R12, CX
	SHRQ $4, CX
	BTSQ CX, R13
	CALLOTHERS

unset:
	ADDQ $16, R12
	ADDQ R9, R15
	JMP first

begin:
	XORQ CX, CX

convert:
	CMPQ R12, R10
	JGE looked
	PREFETCHT0 4096(SI)(R12*2)    // the machine reads ahead up to the end of a page only
	PREFETCHT0 4096(DX)(CX*4)
	PREFETCHT0 4096(BX)(CX*4)
	VMOVDQU (SI)(R12*2), Y0
	VPTEST (R15), Y0
	JNZ found

looked:
	ADDQ $16, R12
	ADDQ R9, R15
	VPMOVZXWD (SI)(CX*2), Y1
	VPMOVZXWD 16(SI)(CX*2), Y2
	SHRQ $1, R13
	JCS choose
	VPAND Y9, Y1, Y1
	VPAND Y9, Y2, Y2
	VCVTDQ2PS Y1, Y1
	VCVTDQ2PS Y2, Y2
	VSUBPS (DX)(CX*4), Y1, Y1
	VSUBPS 32(DX)(CX*4), Y2, Y2
	VMULPS (BX)(CX*4), Y1, Y1
	VMULPS 32(BX)(CX*4), Y2, Y2

converted:
	CMPL STREAM(AX), $0
	JEQ keep
	VMOVNTPS Y1, (DI)(CX*4)
	VMOVNTPS Y2, 32(DI)(CX*4)
	ADDQ $16, CX
	ADDQ R9, R8
	CMPQ CX, R10
	JLT convert
	VZEROUPPER
	RET

keep:
	VMOVUPS Y1, (DI)(CX*4)
	VMOVUPS Y2, 32(DI)(CX*4)
	ADDQ $16, CX
	ADDQ R9, R8
	CMPQ CX, R10
	JLT convert
	VZEROUPPER
	RET

found:
	BTSQ $AHEAD, R13
	CALLOTHERS
	JMP looked

choose:
	CHOOSE((R8))
	VMOVAPS Y2, Y8
	ADDQ $8, CX
	CHOOSE(16(R8))
	SUBQ $8, CX
	VMOVAPS Y8, Y1
	JMP converted

// func offsetAVX2(l *loop)
// As convertAVX2 without the factor, with NaN where range bits are set or the pedestal, that of the common mode, says
// that a pixel is apart.
TEXT ·offsetAVX2(SB), NOSPLIT, $0-8
	MOVQ l+0(FP), AX
	MOVQ DST(AX), DI
	MOVQ RAW(AX), SI
	MOVQ CODES(AX), R8
	MOVQ STEP(AX), R9
	MOVQ N(AX), R10
	MOVQ PEDESTAL(AX), DX
	VPBROADCASTD DATAMASK(AX), Y9
	VPXOR Y15, Y15, Y15
	VPCMPEQD Y14, Y14, Y14
	VBROADCASTSS apart<>(SB), Y13
	XORQ CX, CX

offset:
	VMOVDQU (SI)(CX*2), Y0
	VPMOVZXWD (SI)(CX*2), Y1
	VPMOVZXWD 16(SI)(CX*2), Y2
	VPAND Y9, Y1, Y3
	VPAND Y9, Y2, Y4
	VCVTDQ2PS Y3, Y3
	VCVTDQ2PS Y4, Y4
	VSUBPS (DX)(CX*4), Y3, Y3
	VSUBPS 32(DX)(CX*4), Y4, Y4
	VCMPPS $0, (DX)(CX*4), Y13, Y5
	VCMPPS $0, 32(DX)(CX*4), Y13, Y6
	VPOR Y5, Y3, Y3
	VPOR Y6, Y4, Y4
	VPTEST (R8), Y0
	JNZ mark

marked:
	VMOVUPS Y3, (DI)(CX*4)
	VMOVUPS Y4, 32(DI)(CX*4)
	ADDQ $16, CX
	ADDQ R9, R8
	CMPQ CX, R10
	JLT offset
	VZEROUPPER
	RET

mark:
	VPMOVZXWD (R8), Y5
	VPMOVZXWD 16(R8), Y6
	VPAND Y5, Y1, Y1
	VPAND Y6, Y2, Y2
	VPCMPEQD Y15, Y1, Y1
	VPCMPEQD Y15, Y2, Y2
	VPXOR Y14, Y1, Y1
	VPXOR Y14, Y2, Y2
	VPOR Y1, Y3, Y3
	VPOR Y2, Y4, Y4
	JMP marked

// func scaleAVX2(l *loop)
// Sixteen pixels of SRC at a time: less the common mode of their bank, WIDE pixels long, and times the factor. NaN is 0 where the
// pixel is bad; elsewhere, and everywhere where CAREFUL is set, it stands for a pixel of another range.
TEXT ·scaleAVX2(SB), NOSPLIT, $0-8
	MOVQ l+0(FP), AX
	MOVQ DST(AX), DI
	MOVQ RAW(AX), SI
	MOVQ CODES(AX), R8
	MOVQ STEP(AX), R9
	MOVQ N(AX), R10
	MOVQ PEDESTAL(AX), DX
	MOVQ FACTOR(AX), BX
	MOVQ MODES(AX), R12
	CONSTANTS
	XORQ CX, CX
	XORQ R13, R13                 // end of the bank
	MOVQ SRC(AX), R15

bank:
	VBROADCASTSS (R12), Y8
	ADDQ $4, R12
	ADDQ WIDE(AX), R13

scale:
	VMOVUPS (R15)(CX*4), Y0
	VMOVUPS 32(R15)(CX*4), Y6
	VMOVUPS (BX)(CX*4), Y1
	VMOVUPS 32(BX)(CX*4), Y7
	VCMPPS $3, Y0, Y0, Y3         // NaN
	VCMPPS $3, Y6, Y6, Y4
	VSUBPS Y8, Y0, Y2
	VSUBPS Y8, Y6, Y5
	VMULPS Y1, Y2, Y2
	VMULPS Y7, Y5, Y5
	VANDNPS Y2, Y3, Y2
	VANDNPS Y5, Y4, Y5
	VCMPPS $4, Y15, Y1, Y1        // good
	VCMPPS $4, Y15, Y7, Y7
	VPOR CAREFUL(AX), Y1, Y1
	VPOR CAREFUL(AX), Y7, Y7
	VPAND Y1, Y3, Y1
	VPAND Y7, Y4, Y7
	VPOR Y7, Y1, Y7
	VPTEST Y7, Y7
	JNZ others
	CMPL STREAM(AX), $0
	JEQ keep2
	VMOVNTPS Y2, (DI)(CX*4)
	VMOVNTPS Y5, 32(DI)(CX*4)
	ADDQ $16, CX

scaled:
	ADDQ R9, R8
	CMPQ CX, R13
	JLT scale
	CMPQ CX, R10
	JLT bank
	VZEROUPPER
	RET

keep2:
	VMOVUPS Y2, (DI)(CX*4)
	VMOVUPS Y5, 32(DI)(CX*4)
	ADDQ $16, CX
	JMP scaled

others:
	VMOVUPS Y2, (R15)(CX*4)
	VMOVUPS Y5, 32(R15)(CX*4)
	VMOVUPS Y4, MARKS(AX)
	VMOVUPS Y3, Y8                // the common mode is broadcast again
	CHOOSE((R8))
	VMOVUPS (R15)(CX*4), Y3
	VBLENDVPS Y8, Y2, Y3, Y2
	VMOVUPS Y2, (DI)(CX*4)
	ADDQ $8, CX
	VMOVUPS MARKS(AX), Y8
	CHOOSE(16(R8))
	VMOVUPS (R15)(CX*4), Y3
	VBLENDVPS Y8, Y2, Y3, Y2
	VMOVUPS Y2, (DI)(CX*4)
	ADDQ $8, CX
	VBROADCASTSS -4(R12), Y8
	JMP scaled

// func fence()
// Makes streamed pixels visible to others before whatever is written next.
TEXT ·fence(SB), NOSPLIT, $0-0
	SFENCE
	RET
