/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the kernel's entry (EL1, MMU off, X0 the device tree; Linux,
 * Documentation/arch/arm64/booting.rst) to flat_main() with an identity map: without one all
 * memory would be like a device's, slow, and without unaligned or exclusive accesses.
 */
#define HEADER_FLAGS 0x2	/* little endian, pages of 4 KiB */

#define MAIR	0xff00		/* 0: device nGnRnE; 1: normal, write-back */
#define BLOCK	0x401		/* a GiB, accessed, for EL1 only */
#define DEVICE	(BLOCK | 3 << 53)	/* never executed */
#define NORMAL	(BLOCK | 1 << 2 | 3 << 8)	/* inner shareable */

/* 39 bits of addresses in TTBR0 and none in TTBR1; walks write-back, inner shareable. */
#define TCR	(64 - 39 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23)
#define TCR_IPS	32
#define IPS_MAX	5		/* 48 bits: more is for other sizes of pages */

/* MMU, caches, a checked stack; and the bits that are always 1. */
#define SCTLR	(0x30d00800 | 1 << 12 | 1 << 3 | 1 << 2 | 1)

	.section .text.header, "ax"
	.globl flat_header
flat_header:
	b	entry
	.long	0
	.quad	0		/* offset from a multiple of 2 MiB */
	.quad	flat_size
	.quad	HEADER_FLAGS
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

	.text
entry:
	adrp	x1, identity
	msr	ttbr0_el1, x1
	mov	x1, #MAIR
	msr	mair_el1, x1
	ldr	x1, =TCR
	mrs	x2, id_aa64mmfr0_el1
	and	x2, x2, #0xf
	cmp	x2, #IPS_MAX
	mov	x3, #IPS_MAX
	csel	x2, x2, x3, lo
	bfi	x1, x2, #TCR_IPS, #3
	msr	tcr_el1, x1
	adr	x1, vectors
	msr	vbar_el1, x1
	tlbi	vmalle1
	dsb	nsh
	isb
	ldr	x1, =SCTLR
	msr	sctlr_el1, x1
	isb
	adrp	x1, flat_bss
	add	x1, x1, :lo12:flat_bss
	adrp	x2, flat_end
	add	x2, x2, :lo12:flat_end
1:	cmp	x1, x2
	b.hs	2f
	stp	xzr, xzr, [x1], #16
	b	1b
2:	adrp	x1, stack_top
	add	sp, x1, :lo12:stack_top
	mov	x29, #0
	mov	x30, #0
	bl	flat_main
	brk	#0

fault:
	mrs	x0, esr_el1
	mrs	x1, elr_el1
	mrs	x2, far_el1
	msr	spsel, #1
	adrp	x3, stack_top
	add	sp, x3, :lo12:stack_top
	bl	kimage_fault

	.balign	2048
vectors:
	.rept	16
	b	fault
	.balign	128
	.endr

	/* Devices are in the first GiB, RAM is above. */
	.data
	.balign	4096
identity:
	.quad	DEVICE
	.set	at, 1
	.rept	511
	.quad	(at << 30) | NORMAL
	.set	at, at + 1
	.endr

	.bss
	.balign	16
	.skip	16384
stack_top:

	.section .note.GNU-stack, "", @progbits
