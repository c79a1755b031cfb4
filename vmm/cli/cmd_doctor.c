// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "vmm/arch/arch.h"
#include "vmm/cli/cli.h"
#include "vmm/ctl/rundir.h"
#include "vmm/kvm/kvm.h"

struct doctor_args {
	bool json;
};

static const struct opt rows[] = {
	{.name = "json",
	 .type = OPT_FLAG,
	 .offset = offsetof(struct doctor_args, json),
	 .help = "print JSON"},
};
static const struct opt_table table = OPT_TABLE(rows);

struct doctor {
	json_t *checks;
	bool ok;
};

/* Note the result of one check; returns ok. */
static bool note(struct doctor *d, const char *name, bool ok, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static bool note(struct doctor *d, const char *name, bool ok, const char *fmt, ...)
{
	char detail[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	json_array_append_new(d->checks, json_pack("{s:s, s:b, s:s}", "check", name, "ok", ok,
						   "detail", detail));
	d->ok = d->ok && ok;
	return ok;
}

static bool check_device(struct doctor *d)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		return note(d, "device", true, "/dev/kvm can be opened");
	}
	switch (errno) {
	case ENOENT:
		return note(d, "device", false,
			    "there is no /dev/kvm: load the kvm module of this CPU, enable "
			    "virtualization in the firmware, or use the emulated KVM host of "
			    "tools/kvmhost");
	case EACCES:
	case EPERM:
		return note(d, "device", false,
			    "user %u may not open /dev/kvm: join the group that owns it",
			    geteuid());
	default:
		return note(d, "device", false, "/dev/kvm cannot be opened: %m");
	}
}

static void check_speed(struct doctor *d, const struct kvm_host *host)
{
	struct err err;
	uint64_t ns;

	if (arch_probe_speed(host, &ns, &err))
		note(d, "speed", false, "the speed test failed: %s", err.msg);
	else if (ns >= ARCH_PROBE_SLOW_NS)
		note(d, "speed", false,
		     "this KVM emulates guest kernel mode (%.1f million instructions a "
		     "second), "
		     "so stock kernels do not boot here: use the emulated KVM host of "
		     "tools/kvmhost",
		     1e3 / ((double)ns / 1e6));
	else
		note(d, "speed", true, "a million guest kernel instructions take %.2f ms",
		     (double)ns / 1e6);
}

static void check_kvm(struct doctor *d)
{
	struct kvm_host host;
	struct err err;

	if (!check_device(d))
		return;
	if (kvm_host_open(&host, &err)) {
		note(d, "kvm", false, "%s", err.msg);
		return;
	}
	note(d, "kvm", true, "API version %d, all needed capabilities, up to %u vCPUs",
	     KVM_API_VERSION, host.max_vcpus);
	check_speed(d, &host);
	kvm_host_close(&host);
}

static void check_rundir(struct doctor *d)
{
	struct rundir dir;
	struct err err;

	if (rundir_open(&dir, false, &err))
		note(d, "runtime", false, "%s", err.msg);
	else
		note(d, "runtime", true, "control sockets go to %s", dir.path);
}

static void print_text(const struct doctor *d)
{
	for (size_t i = 0; i < json_array_size(d->checks); i++) {
		const json_t *check = json_array_get(d->checks, i);
		bool ok = json_is_true(json_object_get(check, "ok"));

		printf("%-6s %-9s %s\n", ok ? "ok" : "FAILED",
		       json_string_value(json_object_get(check, "check")),
		       json_string_value(json_object_get(check, "detail")));
	}
	puts(d->ok ? "This host can run VMs." : "This host cannot run VMs.");
}

static int doctor_main(int argc, char **argv)
{
	struct doctor d = {.ok = true};
	struct doctor_args args = {0};
	struct options_found found;
	char virt[128];
	int status = cli_parse(&cmd_doctor, argc, argv, &args, &found);

	if (status != CLI_GO)
		return status;
	d.checks = json_array();
	/* What the CPU offers to us decides nothing: KVM's word and speed do. */
	arch_host_virt(virt, sizeof(virt));
	note(&d, "cpu", true, "hardware virtualization: %s", virt);
	check_kvm(&d);
	check_rundir(&d);
	if (args.json)
		cli_print_json(json_pack("{s:b, s:O}", "ok", d.ok, "checks", d.checks), false);
	else
		print_text(&d);
	json_decref(d.checks);
	return d.ok ? CLI_OK : CLI_FAILED;
}

const struct command cmd_doctor = {
	.name = "doctor",
	.summary = "tell whether this host can run VMs, and why not",
	.notes = "Exit status: 0 it can, 1 it cannot.",
	.table = &table,
	.main = doctor_main,
};
