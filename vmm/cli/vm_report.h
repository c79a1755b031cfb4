/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer of x-aerostat-stat (vmm/ctl/commands.h) as text for people. Members that are
 * missing or of another type show as 0 or empty: another version of Aerostat may have answered.
 */
#ifndef AEROSTAT_CLI_VM_REPORT_H
#define AEROSTAT_CLI_VM_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Unsigned number of a member, 0 when missing or negative; its text, "" when missing. */
uint64_t report_number(const json_t *j, const char *key);
const char *report_text(const json_t *j, const char *key);

/* The VM's balloon in one line: "reached, holds 64.0 MiB of 64.0 MiB asked for". Returns buf.
 */
#define REPORT_BALLOON 128
const char *report_balloon(const json_t *balloon, char buf[REPORT_BALLOON]);

/*
 * How often and how long a trim halted the guest, as the rest of a line: "; 12 pauses, the
 * longest 4.1 ms", or "" when it never did. Returns buf.
 */
#define REPORT_PAUSES 64
const char *report_pauses(const json_t *trim, char buf[REPORT_PAUSES]);

/* The whole VM as aligned lines. */
void report_vm(const json_t *vm, FILE *out);

/* A guest's memory statistics; json null: "none yet". stale: say that they are old. */
void report_statistics(const json_t *statistics, bool stale, FILE *out);

#endif
