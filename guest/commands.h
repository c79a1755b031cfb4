/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands a test sends over the console: a line each, answered by one line that starts
 *with "guest: ok" or "guest: fail". What comes after "ok":
 *
 *	meminfo              MemTotal= MemFree= MemAvailable= (KiB)
 *	touch MIB            touched_mib=; filled with patterns and held
 *	fill [MARGIN_MIB]    filled_mib= verified_mib=; as much as leaves the margin (48), held
 *	verify               verified_mib=; everything held
 *	free                 freed_mib=; everything held
 *	oom MIB              touched_mib= killed=0|1; a child, the OOM killer's first choice
 *	busy on, busy off    rounds= verified_mib= (off); a child that fills, verifies, frees
 *	churn MIB MS         churned_mib= ms=; maps, touches and unmaps so much, for so long
 *	sweep on, sweep off  sweeps= verified_mib= (off); all memory but 8 MiB goes round
 *	insmod NAME, rmmod NAME
 *	uptime               uptime_ms= realtime_ms=
 *	sleep MS
 *	cpus                 online=
 *	cat FILE             its first lines, joined
 *	grep WORD FILE       matches= and the lines
 *	dmesg-grep TEXT      matches= and the lines
 *	write FILE TEXT
 *	poweroff, reboot, panic
 *	kexec load           /kexec/kernel and /kexec/initrd, with this kernel's command line
 *	kexec now            into what was loaded; no answer but "event: kexec"
 */
#ifndef AEROSTAT_GUEST_COMMANDS_H
#define AEROSTAT_GUEST_COMMANDS_H

/* Run and answer a line, given without its newline and changed in place. Ignores an empty one.
 */
void command_run(char *line);

/* Power off at once; the file systems are all in memory. */
void command_poweroff(void);

#endif
