#include "textflag.h"

// func pairsAVX2(to, upper, lower *float32, n int)
// N places, a multiple of 8, of 2 x 2 pixels: ((upper0 + upper1) + lower0 + lower1) / 4, as in Go.
TEXT ·pairsAVX2(SB), NOSPLIT, $0-32
	MOVQ to+0(FP), DI
	MOVQ upper+8(FP), SI
	MOVQ lower+16(FP), DX
	MOVQ n+24(FP), CX
	MOVL $0x3E800000, AX // 1/4
	VMOVD AX, X15
	VPBROADCASTD X15, Y15

eight:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS (DX), Y2
	VMOVUPS 32(DX), Y3
	VSHUFPS $0x88, Y1, Y0, Y4
	VSHUFPS $0xDD, Y1, Y0, Y5
	VSHUFPS $0x88, Y3, Y2, Y6
	VSHUFPS $0xDD, Y3, Y2, Y7
	VADDPS Y5, Y4, Y4
	VADDPS Y6, Y4, Y4
	VADDPS Y7, Y4, Y4
	VMULPS Y15, Y4, Y4
	VPERMPD $0xD8, Y4, Y4
	VMOVUPS Y4, (DI)
	ADDQ $64, SI
	ADDQ $64, DX
	ADDQ $32, DI
	SUBQ $8, CX
	JNE eight
	VZEROUPPER
	RET

// func boundsAVX2(values *float32, n int) (low, high float32)
// The lowest and the highest of N values, a multiple of 16. What is no number is passed over: of two operands, one of which is
// none, the minimum and the maximum are what is named first here.
TEXT ·boundsAVX2(SB), NOSPLIT, $0-24
	MOVQ values+0(FP), SI
	MOVQ n+8(FP), CX
	MOVL $0x7F800000, AX
	VMOVD AX, X0
	VPBROADCASTD X0, Y0
	VMOVAPS Y0, Y1
	MOVL $0xFF800000, AX
	VMOVD AX, X2
	VPBROADCASTD X2, Y2
	VMOVAPS Y2, Y3

sixteen:
	VMOVUPS (SI), Y4
	VMOVUPS 32(SI), Y5
	VMINPS Y0, Y4, Y0
	VMINPS Y1, Y5, Y1
	VMAXPS Y2, Y4, Y2
	VMAXPS Y3, Y5, Y3
	ADDQ $64, SI
	SUBQ $16, CX
	JNE sixteen
	VMINPS Y1, Y0, Y0
	VMAXPS Y3, Y2, Y2
	VEXTRACTF128 $1, Y0, X1
	VEXTRACTF128 $1, Y2, X3
	VMINPS X1, X0, X0
	VMAXPS X3, X2, X2
	VPERMILPS $0x4E, X0, X1
	VPERMILPS $0x4E, X2, X3
	VMINPS X1, X0, X0
	VMAXPS X3, X2, X2
	VPERMILPS $0xB1, X0, X1
	VPERMILPS $0xB1, X2, X3
	VMINPS X1, X0, X0
	VMAXPS X3, X2, X2
	VMOVSS X0, low+16(FP)
	VMOVSS X2, high+20(FP)
	VZEROUPPER
	RET

// func levelsAVX2(to *byte, values *float32, n int, low, per float32)
// The levels of N values, a multiple of 16, as levelOf gives them.
TEXT ·levelsAVX2(SB), NOSPLIT, $0-32
	MOVQ to+0(FP), DI
	MOVQ values+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSS low+24(FP), Y15
	VBROADCASTSS per+28(FP), Y14
	VXORPS Y13, Y13, Y13
	MOVL $0x477FFE00, AX // 65534
	VMOVD AX, X12
	VPBROADCASTD X12, Y12
	MOVL $0x3F000000, AX // 1/2
	VMOVD AX, X11
	VPBROADCASTD X11, Y11
	VPCMPEQD Y10, Y10, Y10
	VPSRLD $16, Y10, Y10 // no pixel

sixteen:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VCMPPS $3, Y0, Y0, Y2 // no number
	VCMPPS $3, Y1, Y1, Y3
	VSUBPS Y15, Y0, Y0
	VSUBPS Y15, Y1, Y1
	VMULPS Y14, Y0, Y0
	VMULPS Y14, Y1, Y1
	VMAXPS Y13, Y0, Y0
	VMAXPS Y13, Y1, Y1
	VMINPS Y12, Y0, Y0
	VMINPS Y12, Y1, Y1
	VADDPS Y11, Y0, Y0
	VADDPS Y11, Y1, Y1
	VCVTTPS2DQ Y0, Y0
	VCVTTPS2DQ Y1, Y1
	VPAND Y10, Y2, Y2
	VPAND Y10, Y3, Y3
	VPOR Y2, Y0, Y0
	VPOR Y3, Y1, Y1
	VPACKUSDW Y1, Y0, Y0
	VPERMQ $0xD8, Y0, Y0
	VMOVDQU Y0, (DI)
	ADDQ $64, SI
	ADDQ $32, DI
	SUBQ $16, CX
	JNE sixteen
	VZEROUPPER
	RET
