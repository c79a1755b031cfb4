/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the kernel's entry (supervisor mode, no paging, a1 the device tree; Linux,
 * Documentation/arch/riscv/boot-image-header.rst) to flat_main(). It needs no paging: which
 * addresses are memory and which are devices is the host's page tables' to say.
 */
#define HEADER_VERSION 2	/* 0.2 */

	.section .text.header, "ax"
	.option	norvc
	.globl	flat_header
flat_header:
	j	entry
	.long	0
	.quad	0		/* offset from a multiple of 2 MiB */
	.quad	flat_size
	.quad	0		/* little endian */
	.long	HEADER_VERSION, 0
	.quad	0
	.ascii	"RISCV\0\0\0"
	.ascii	"RSC\x05"
	.long	0

	.text
entry:
	csrw	sie, zero
	csrw	satp, zero
	la	t0, fault
	csrw	stvec, t0
	la	t0, flat_bss
	la	t1, flat_end
1:	bgeu	t0, t1, 2f
	sd	zero, 0(t0)
	addi	t0, t0, 8
	j	1b
2:	la	sp, stack_top
	mv	a0, a1
	li	ra, 0
	call	flat_main
	unimp

	.balign	4
fault:
	csrr	a0, scause
	csrr	a1, sepc
	csrr	a2, stval
	la	sp, stack_top
	call	kimage_fault

	.bss
	.balign	16
	.skip	16384
stack_top:

	.section .note.GNU-stack, "", @progbits
