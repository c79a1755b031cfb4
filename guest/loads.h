/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that use memory, see commands.h. Each answers its line. */
#ifndef AEROSTAT_GUEST_LOADS_H
#define AEROSTAT_GUEST_LOADS_H

void load_meminfo(char *arg);
void load_touch(char *arg);
void load_verify(char *arg);
void load_free(char *arg);
void load_fill(char *arg);
void load_oom(char *arg);
void load_busy(char *arg);
void load_churn(char *arg);
void load_sweep(char *arg);

#endif
