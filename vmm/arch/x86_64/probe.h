/* SPDX-License-Identifier: Apache-2.0 */
/* What hardware virtualization this host's CPUs claim. */
#ifndef AEROSTAT_ARCH_X86_64_PROBE_H
#define AEROSTAT_ARCH_X86_64_PROBE_H

#include <stdio.h>

enum x86_virt { X86_VIRT_NONE, X86_VIRT_SVM, X86_VIRT_VMX };

/* From the "flags" line of the first CPU in an open /proc/cpuinfo. */
enum x86_virt x86_virt_parse(FILE *cpuinfo);

/* The same for this host; none when /proc/cpuinfo can't be read. */
enum x86_virt x86_host_virt(void);

#endif
