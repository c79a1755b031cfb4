// SPDX-License-Identifier: Apache-2.0
/*
 * From the PVH entry (32-bit protected mode without paging, EBX the start info; Xen's
 * docs/misc/pvh.pandoc) to flat_main() in 64-bit mode at CPL 3.
 *
 * The guest runs at CPL 3 because a KVM without hardware support emulates guest kernel mode
 * instruction by instruction, and runs guest user mode at full speed. For the same reason all
 * tables are built by the assembler and the code at CPL 0 is short. The way down is SYSEXIT,
 * which such a KVM knows; I/O ports are opened by the TSS's bitmap, since IOPL isn't honoured.
 */
#define NOTE_PHYS32_ENTRY 18

#define CR0_PG	    0x80000000
#define CR4_PAE	    0x20
#define MSR_EFER    0xc0000080
#define EFER_SCE    0x1
#define EFER_LME    0x100
#define MSR_SYSENTER_CS 0x174

/* The order from SEL_KERNEL on is SYSEXIT's: 64-bit user code is 32 above, its stack 40. */
#define SEL_KERNEL 0x08
#define SEL_TSS	   0x38
#define TSS_LEN	   0x68
#define IO_BITMAP  0x2000

#define TABLE 0x67		/* present, writable, user, accessed, dirty */
#define LARGE 0xe7		/* the same, a 2 MiB page */

	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 8, NOTE_PHYS32_ENTRY
	.asciz "Xen"
	.quad entry

	.section .text.entry, "ax"
	.code32
	.globl entry
entry:
	cli
	cld
	movl $tss, %eax
	movw %ax, gdt + SEL_TSS + 2
	shrl $16, %eax
	movb %al, gdt + SEL_TSS + 4
	movb %ah, gdt + SEL_TSS + 7
	lgdt gdt_pointer
	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $flat_pml4, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $(EFER_LME | EFER_SCE), %eax
	wrmsr
	movl %cr0, %eax
	orl $CR0_PG, %eax
	movl %eax, %cr0
	ljmp $SEL_KERNEL, $long_mode

	.code64
long_mode:
	movw $SEL_TSS, %ax
	ltr %ax
	movl $MSR_SYSENTER_CS, %ecx
	movl $SEL_KERNEL, %eax
	xorl %edx, %edx
	wrmsr
	movl %ebx, %ebx
	movq %rbx, %rdi
	movq $user_mode, %rdx
	movq $stack_top, %rcx
	sysexitq

user_mode:
	xorl %ebp, %ebp
	call flat_main
	ud2

	.data
	.balign 16
gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* kernel code, 64 bits */
	.quad 0x00cf93000000ffff	/* kernel data */
	.quad 0, 0			/* SYSEXIT's 32-bit pair */
	.quad 0x00affb000000ffff	/* user code, 64 bits */
	.quad 0x00cff3000000ffff	/* user data */
	.quad 0x0000890000000000 + TSS_LEN + IO_BITMAP
	.quad 0
gdt_end:
	.balign 4
	.word 0
gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt

	/* The bitmap starts right behind the TSS; all ones end it. */
	.balign 16
tss:
	.fill TSS_LEN - 2, 1, 0
	.word TSS_LEN
	.fill IO_BITMAP, 1, 0
	.byte 0xff

	/* The first 4 GiB, devices included; flat_map() adds what lies above. */
	.balign 4096
	.globl flat_pml4, flat_pdpt
flat_pml4:
	.quad flat_pdpt + TABLE
	.fill 511, 8, 0
flat_pdpt:
	.quad flat_pd + TABLE, flat_pd + 0x1000 + TABLE
	.quad flat_pd + 0x2000 + TABLE, flat_pd + 0x3000 + TABLE
	.fill 508, 8, 0
flat_pd:
	.set at, 0
	.rept 4 * 512
	.quad at + LARGE
	.set at, at + 0x200000
	.endr

	.bss
	.balign 16
	.skip 16384
stack_top:

	.section .note.GNU-stack, "", @progbits
