// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/arch/x86_64/cpuid.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/io/pm_regs.h"

#define CR0_PE	   (1ull << 0)
#define CR0_MP	   (1ull << 1)
#define CR0_ET	   (1ull << 4)
#define CR0_NE	   (1ull << 5)
#define CR0_PG	   (1ull << 31)
#define CR4_PAE	   (1ull << 5)
#define EFER_LME   (1ull << 8)
#define EFER_LMA   (1ull << 10)
#define RFLAGS_SET 0x2ull /* bit 1 is always set; interrupts are off */

/* Selectors; the TSS descriptor of long mode takes two GDT entries. */
#define SEL_CODE    0x10
#define SEL_DATA    0x18
#define SEL_TSS	    0x20
#define GDT_ENTRIES 6

#define SEG_CODE 0x0b /* execute, read, accessed */
#define SEG_DATA 0x03 /* read, write, accessed */
#define SEG_TSS	 0x0b /* busy TSS, of the mode that the CPU is in */

#define PTE_PRESENT  (1ull << 0)
#define PTE_WRITE    (1ull << 1)
#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY    (1ull << 6)
#define PTE_LARGE    (1ull << 7)
#define PT_ENTRIES   512
#define LARGE_PAGE   0x200000ull

/* MSRs (Intel SDM volume 4). */
#define MSR_TSC		   0x10
#define MSR_SYSENTER_CS	   0x174
#define MSR_SYSENTER_ESP   0x175
#define MSR_SYSENTER_EIP   0x176
#define MSR_MISC_ENABLE	   0x1a0
#define MSR_MTRR_DEF_TYPE  0x2ff
#define MSR_STAR	   0xc0000081
#define MSR_LSTAR	   0xc0000082
#define MSR_CSTAR	   0xc0000083
#define MSR_SYSCALL_MASK   0xc0000084
#define MSR_KERNEL_GS_BASE 0xc0000102

#define MISC_ENABLE_FAST_STRINGS 1ull
#define MTRR_ENABLE_WRITE_BACK	 0x806ull

/* Local APIC registers, by offset, and delivery modes of the local vector table. */
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LVT_EXTINT	0x700u
#define LVT_NMI		0x400u

struct kvm_regs x86_entry_regs(const struct arch_entry *entry)
{
	struct kvm_regs r = {.rip = entry->pc, .rflags = RFLAGS_SET};

	if (entry->pvh)
		r.rbx = entry->arg;
	else
		r.rsi = entry->arg;
	return r;
}

void x86_entry_sregs(struct kvm_sregs *s, const struct arch_entry *entry)
{
	const struct kvm_segment flat = {.limit = UINT32_MAX, .present = 1, .s = 1, .g = 1};

	s->cs = flat;
	s->cs.selector = SEL_CODE;
	s->cs.type = SEG_CODE;
	s->cs.l = !entry->pvh;
	s->cs.db = entry->pvh;
	s->ds = flat;
	s->ds.selector = SEL_DATA;
	s->ds.type = SEG_DATA;
	s->ds.db = 1;
	s->es = s->fs = s->gs = s->ss = s->ds;
	s->tr = (struct kvm_segment){
		.limit = 0x67, .selector = SEL_TSS, .type = SEG_TSS, .present = 1};
	s->gdt = (struct kvm_dtable){.base = X86_GDT_GPA, .limit = GDT_ENTRIES * 8 - 1};
	s->idt = (struct kvm_dtable){0}; /* until the kernel has its own, a fault ends the VM */
	s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE;
	s->cr3 = 0;
	s->cr4 = 0;
	s->efer = 0;
	if (!entry->pvh) {
		s->cr0 |= CR0_PG;
		s->cr3 = X86_PAGE_TABLES_GPA;
		s->cr4 = CR4_PAE;
		s->efer = EFER_LME | EFER_LMA;
	}
}

/* A segment as a descriptor; none of ours has a base above 4 GiB. */
static uint64_t descriptor(const struct kvm_segment *seg)
{
	uint64_t limit = seg->g ? seg->limit >> 12 : seg->limit;
	uint64_t d;

	d = limit & 0xffff;
	d |= (seg->base & 0xffffff) << 16;
	d |= (uint64_t)(seg->type | seg->s << 4 | seg->dpl << 5 | seg->present << 7) << 40;
	d |= (limit >> 16 & 0xf) << 48;
	d |= (uint64_t)(seg->avl | seg->l << 1 | seg->db << 2 | seg->g << 3) << 52;
	d |= (seg->base >> 24 & 0xff) << 56;
	return d;
}

static int write_gdt(const struct gmem *mem, const struct kvm_sregs *s)
{
	uint64_t gdt[GDT_ENTRIES] = {
		[SEL_CODE / 8] = descriptor(&s->cs),
		[SEL_DATA / 8] = descriptor(&s->ds),
		[SEL_TSS / 8] = descriptor(&s->tr),
	};
	void *at = gmem_ptr(mem, X86_GDT_GPA, sizeof(gdt));

	if (!at)
		return -EFAULT;
	memcpy(at, gdt, sizeof(gdt));
	return 0;
}

/* PML4, PDPT, then one page directory per GiB, each a page. */
static int write_page_tables(const struct gmem *mem)
{
	const uint64_t table = PTE_PRESENT | PTE_WRITE | PTE_ACCESSED;
	const uint64_t page = table | PTE_DIRTY | PTE_LARGE;
	const uint64_t pdpt_gpa = X86_PAGE_TABLES_GPA + GMEM_PAGE_SIZE;
	uint64_t *pml4 = gmem_ptr(mem, X86_PAGE_TABLES_GPA, 6 * GMEM_PAGE_SIZE);
	uint64_t *pdpt, *pd;

	if (!pml4)
		return -EFAULT;
	pdpt = pml4 + PT_ENTRIES;
	pd = pdpt + PT_ENTRIES;
	memset(pml4, 0, 2 * GMEM_PAGE_SIZE);
	pml4[0] = pdpt_gpa | table;
	for (unsigned i = 0; i < 4; i++)
		pdpt[i] = (pdpt_gpa + (i + 1) * GMEM_PAGE_SIZE) | table;
	for (unsigned i = 0; i < 4 * PT_ENTRIES; i++)
		pd[i] = i * LARGE_PAGE | page;
	return 0;
}

int x86_entry_tables(const struct gmem *mem, const struct kvm_sregs *s)
{
	int rc = write_gdt(mem, s);

	if (!rc && s->cr0 & CR0_PG)
		rc = write_page_tables(mem);
	return rc;
}

int x86_reset_vector(const struct gmem *mem)
{
	const uint16_t port = X86_PM_PORT + PM_REG_RESET;
	const uint8_t code[] = {
		0xba, (uint8_t)port,  port >> 8, /* mov dx, port */
		0xb0, PM_RESET_VALUE,		 /* mov al, value */
		0xee,				 /* out dx, al */
		0xf4,				 /* halt: hlt */
		0xeb, 0xfd,			 /* jmp halt */
	};
	void *at = gmem_ptr(mem, X86_RESET_VECTOR_GPA, sizeof(code));

	_Static_assert(sizeof(code) <= X86_RESET_VECTOR_LEN, "up to 1 MiB");
	if (!at)
		return -EFAULT;
	memcpy(at, code, sizeof(code));
	return 0;
}

static int vcpu_ioctl(const struct kvm_vcpu *vcpu, unsigned long req, const char *name,
		      void *arg, struct err *err)
{
	int rc = kvm_ioctl(vcpu->fd, req, arg);

	return rc < 0 ? err_sys(err, rc, "vCPU %u: %s", vcpu->id, name) : rc;
}

#define VCPU_IOCTL(vcpu, req, arg, err) vcpu_ioctl(vcpu, req, #req, arg, err)

static int set_cpuid(struct kvm_vcpu *vcpu, unsigned ncpus, struct err *err)
{
	const struct kvm_host *host = vcpu->set->vm->host;
	struct kvm_cpuid2 *c;
	int rc;

	rc = x86_cpuid_supported(host, &c, err);
	if (rc)
		return rc;
	x86_cpuid_tailor(c, vcpu->id, ncpus,
			 kvm_host_cap(host, KVM_CAP_TSC_DEADLINE_TIMER) > 0);
	rc = VCPU_IOCTL(vcpu, KVM_SET_CPUID2, c, err);
	free(c);
	return rc;
}

/* KVM has its own bits in MISC_ENABLE (no PEBS, no BTS), so ours is added to what it has. */
static int set_msrs(struct kvm_vcpu *vcpu, struct err *err)
{
	static const uint32_t zero[] = {MSR_TSC,	  MSR_SYSENTER_CS,  MSR_SYSENTER_ESP,
					MSR_SYSENTER_EIP, MSR_STAR,	    MSR_LSTAR,
					MSR_CSTAR,	  MSR_SYSCALL_MASK, MSR_KERNEL_GS_BASE};
	const unsigned n = 2 + sizeof(zero) / sizeof(zero[0]);
	union {
		struct kvm_msrs list;
		uint8_t room[sizeof(struct kvm_msrs) + 16 * sizeof(struct kvm_msr_entry)];
	} m = {.list.nmsrs = 1};
	struct kvm_msr_entry *e = m.list.entries;
	int rc;

	_Static_assert(2 + sizeof(zero) / sizeof(zero[0]) <= 16, "room for all MSRs");
	e[0].index = MSR_MISC_ENABLE;
	rc = VCPU_IOCTL(vcpu, KVM_GET_MSRS, &m, err);
	if (rc < 0)
		return rc;
	if (rc != 1)
		return err_set(err, -EIO, "vCPU %u: KVM can't read MSR %#x", vcpu->id,
			       MSR_MISC_ENABLE);
	e[0].data |= MISC_ENABLE_FAST_STRINGS;
	e[1] = (struct kvm_msr_entry){.index = MSR_MTRR_DEF_TYPE,
				      .data = MTRR_ENABLE_WRITE_BACK};
	for (unsigned i = 2; i < n; i++)
		e[i] = (struct kvm_msr_entry){.index = zero[i - 2]};
	m.list.nmsrs = n;
	rc = VCPU_IOCTL(vcpu, KVM_SET_MSRS, &m, err);
	if (rc < 0)
		return rc;
	if ((unsigned)rc < n)
		return err_set(err, -EIO, "vCPU %u: KVM refuses MSR %#x", vcpu->id,
			       e[rc].index);
	return 0;
}

/* What FNINIT gives. MXCSR isn't part of the call, and KVM resets it to its default. */
static int set_fpu(struct kvm_vcpu *vcpu, struct err *err)
{
	struct kvm_fpu fpu = {.fcw = 0x37f};

	return VCPU_IOCTL(vcpu, KVM_SET_FPU, &fpu, err);
}

/*
 * Virtual wire mode, as firmware leaves it: the PIC's output, which arch_vm_init() silenced,
 * comes in on LINT0 of the first vCPU, NMIs on LINT1 of all, as the MADT says.
 */
static int set_lapic(struct kvm_vcpu *vcpu, struct err *err)
{
	const uint32_t extint = LVT_EXTINT, nmi = LVT_NMI;
	struct kvm_lapic_state lapic;
	int rc;

	rc = VCPU_IOCTL(vcpu, KVM_GET_LAPIC, &lapic, err);
	if (rc)
		return rc;
	if (vcpu->id == 0)
		memcpy(lapic.regs + LAPIC_LVT_LINT0, &extint, sizeof(extint));
	memcpy(lapic.regs + LAPIC_LVT_LINT1, &nmi, sizeof(nmi));
	return VCPU_IOCTL(vcpu, KVM_SET_LAPIC, &lapic, err);
}

static int set_entry(struct kvm_vcpu *vcpu, const struct gmem *mem,
		     const struct arch_entry *entry, struct err *err)
{
	struct kvm_regs regs = x86_entry_regs(entry);
	struct kvm_sregs sregs;
	int rc;

	rc = VCPU_IOCTL(vcpu, KVM_GET_SREGS, &sregs, err);
	if (rc)
		return rc;
	x86_entry_sregs(&sregs, entry);
	rc = x86_entry_tables(mem, &sregs);
	if (!rc)
		rc = x86_reset_vector(mem);
	if (rc)
		return err_sys(err, rc, "no guest memory for the first vCPU's tables");
	rc = VCPU_IOCTL(vcpu, KVM_SET_SREGS, &sregs, err);
	if (rc)
		return rc;
	return VCPU_IOCTL(vcpu, KVM_SET_REGS, &regs, err);
}

int arch_vcpu_init(struct kvm_vcpu *vcpu, const struct gmem *mem, unsigned ncpus,
		   const struct arch_entry *entry, struct err *err)
{
	struct kvm_mp_state mp = {.mp_state = vcpu->id == 0 ? KVM_MP_STATE_RUNNABLE
							    : KVM_MP_STATE_UNINITIALIZED};
	int rc;

	rc = set_cpuid(vcpu, ncpus, err);
	if (!rc)
		rc = set_msrs(vcpu, err);
	if (!rc)
		rc = set_fpu(vcpu, err);
	if (!rc)
		rc = set_lapic(vcpu, err);
	if (!rc && vcpu->id == 0)
		rc = set_entry(vcpu, mem, entry, err);
	if (!rc)
		rc = VCPU_IOCTL(vcpu, KVM_SET_MP_STATE, &mp, err);
	return rc;
}
