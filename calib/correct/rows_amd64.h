// Offsets in struct banks, after those of its loop.
#define BANKS 208
#define FLAGS 216
#define LOWEST 224
#define HIGHEST 232
#define LIMIT 240
#define UNIT 248
#define LEAST 256
#define START 264
#define FIRST 272
#define WHOLE 280
#define NEXT2 288
#define NEXT4 296
#define SCALE 304
#define NUMBERS 312
#define MOMENTS 376
#define LOW 632
#define SPAN 696
#define FOUND 760
#define TWICE 824
#define MODE 888
#define MODE16 952
#define NEXTFACTOR 1016
#define RING 1024
#define TAKESLOW 1032
#define BANKSTEP 1040

DATA three<>+0(SB)/8, $3.0
GLOBL three<>(SB), RODATA|NOPTR, $8
DATA magnitude<>+0(SB)/8, $0x7FFFFFFFFFFFFFFF
GLOBL magnitude<>(SB), RODATA|NOPTR, $8

// OTHERS makes of eight pixels, some of which may take no part, what they are, in SRC.
#define OTHERS(P) \
	CHOOSE(P) \
	VPCMPEQD Y15, Y1, Y5 \
	MOVQ PART(AX), R11 \
	VBROADCASTSS apart<>(SB), Y6 \
	VCMPPS $4, (R11)(CX*4), Y6, Y3 \
	VPAND Y3, Y5, Y5 \
	VMOVUPS (R15)(CX*4), Y0 \
	VSUBPS Y8, Y0, Y0 \
	VMULPS (BX)(CX*4), Y0, Y0 \
	VBLENDVPS Y5, Y0, Y2, Y2 \
	VMOVUPS Y2, (R15)(CX*4)
