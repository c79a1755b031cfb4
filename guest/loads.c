// SPDX-License-Identifier: Apache-2.0
#include "guest/loads.h"

#include <errno.h>
#include <string.h>

#include "guest/memory.h"
#include "guest/reply.h"
#include "guest/sweep.h"
#include "guest/sys.h"
#include "guest/workload.h"

#define FILL_MARGIN  48 /* MiB left by `fill` */
#define SWEEP_MARGIN 8

void load_meminfo(char *arg)
{
	(void)arg;
	say("guest: ok MemTotal=%llu MemFree=%llu MemAvailable=%llu CmaFree=%llu",
	    (unsigned long long)sys_meminfo_kib("MemTotal"),
	    (unsigned long long)sys_meminfo_kib("MemFree"),
	    (unsigned long long)sys_meminfo_kib("MemAvailable"),
	    (unsigned long long)sys_meminfo_kib("CmaFree"));
}

void load_touch(char *arg)
{
	size_t len;
	int err = parse_mib(arg, &len);

	if (!err)
		err = held_touch(len);
	if (err)
		fail("touch", err);
	else
		say("guest: ok touched_mib=%zu", len / MIB);
}

void load_verify(char *arg)
{
	struct wrong_word wrong;
	uint64_t bytes;

	(void)arg;
	if (held_verify(&bytes, &wrong))
		fail_wrong("verify", &wrong);
	else
		say("guest: ok verified_mib=%llu", (unsigned long long)(bytes / MIB));
}

void load_free(char *arg)
{
	uint64_t bytes;

	(void)arg;
	held_release(&bytes);
	say("guest: ok freed_mib=%llu", (unsigned long long)(bytes / MIB));
}

void load_fill(char *arg)
{
	unsigned long margin = FILL_MARGIN;
	struct wrong_word wrong;
	uint64_t bytes = 0;
	int err = *arg ? parse_number(arg, &margin) : 0;
	size_t len;

	if (!err) {
		len = memory_fillable(margin * MIB) / MIB * MIB;
		err = len ? held_touch(len) : -ENOMEM;
	}
	if (err)
		fail("fill", err);
	else if (held_verify(&bytes, &wrong))
		fail_wrong("fill", &wrong);
	else
		say("guest: ok filled_mib=%zu verified_mib=%llu", len / MIB,
		    (unsigned long long)(bytes / MIB));
}

void load_oom(char *arg)
{
	struct oom_report report;
	size_t len;
	int err = parse_mib(arg, &len);

	if (!err)
		err = oom_run(len, &report);
	if (err)
		fail("oom", err);
	else if (report.wrong.addr)
		fail_wrong("oom", &report.wrong);
	else
		say("guest: ok touched_mib=%llu killed=%d",
		    (unsigned long long)(report.touched / MIB), report.killed);
}

static void stop_busy(void)
{
	struct busy_report r;
	int err = busy_stop(&r);

	if (err)
		fail("busy", err);
	else if (r.wrong.addr)
		fail_wrong("busy", &r.wrong);
	else if (r.died)
		say("guest: fail busy: killed rounds=%llu", (unsigned long long)r.rounds);
	else
		say("guest: ok rounds=%llu verified_mib=%llu", (unsigned long long)r.rounds,
		    (unsigned long long)(r.bytes / MIB));
}

void load_busy(char *arg)
{
	if (!strcmp(arg, "on"))
		reply("busy", busy_start());
	else if (!strcmp(arg, "off"))
		stop_busy();
	else
		fail("busy", -EINVAL);
}

void load_churn(char *arg)
{
	char *text = strsep(&arg, " ");
	struct churn_report r;
	unsigned long ms;
	size_t len;
	int err = arg ? parse_mib(text, &len) : -EINVAL;

	if (!err)
		err = parse_number(arg, &ms);
	if (!err)
		err = churn_run(len, ms, &r);
	if (err)
		fail("churn", err);
	else
		say("guest: ok churned_mib=%llu ms=%llu", (unsigned long long)(r.bytes / MIB),
		    (unsigned long long)r.ms);
}

static void stop_sweep(void)
{
	struct sweep_report r;
	int err = sweep_stop(&r);

	if (err)
		fail("sweep", err);
	else if (r.wrong.addr)
		fail_wrong("sweep", &r.wrong);
	else if (r.died)
		say("guest: fail sweep: killed sweeps=%llu", (unsigned long long)r.sweeps);
	else
		say("guest: ok sweeps=%llu verified_mib=%llu", (unsigned long long)r.sweeps,
		    (unsigned long long)(r.bytes / MIB));
}

void load_sweep(char *arg)
{
	if (!strcmp(arg, "on"))
		reply("sweep", sweep_start(SWEEP_MARGIN * MIB));
	else if (!strcmp(arg, "off"))
		stop_sweep();
	else
		fail("sweep", -EINVAL);
}
