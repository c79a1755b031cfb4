// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/arch/arch.h"
#include "vmm/base/fd.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/pidfile.h"
#include "vmm/config/vm_options.h"
#include "vmm/ctl/server.h"
#include "vmm/machine/machine.h"

/* In the order of creation; torn down in reverse. */
struct run {
	struct vm_config cfg;
	char params[VM_CMDLINE_MAX + 1];
	struct loop *loop;
	int signal_fd;
	int signal; /* the one that ended us, 0: none */
	struct ctl_server *server;
	struct machine *machine;
	struct pidfile pidfile;
};

/* Wrong names are the user's error: found before anything is made, whatever comes first later.
 */
static int check_file(const char *option, const char *path, struct err *err)
{
	struct stat st;

	if (access(path, R_OK) || stat(path, &st))
		return err_sys(err, -errno, "%s '%s'", option, path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "%s '%s' is not a regular file", option, path);
	return 0;
}

static int check(struct run *r, struct err *err)
{
	int rc = vm_config_check(&r->cfg, err);

	if (!rc)
		rc = vm_cmdline(r->cfg.params, r->cfg.console, r->params, err);
	if (!rc)
		rc = check_file("-k/--kernel", r->cfg.kernel, err);
	if (!rc && r->cfg.initrd)
		rc = check_file("-i/--initrd", r->cfg.initrd, err);
	if (!rc && r->cfg.dump_dtb && !arch_has_dtb())
		rc = err_set(err, -EINVAL,
			     "--dump-dtb: guests of this architecture have no device tree; "
			     "leave it out");
	r->cfg.params = r->params;
	return rc;
}

static void on_signal(void *opaque, uint32_t events)
{
	struct run *r = opaque;
	struct signalfd_siginfo info;

	(void)events;
	if (read(r->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	r->signal = (int)info.ssi_signo;
	machine_quit(r->machine);
}

/* Before any thread is made: all of them inherit the mask, and the loop gets the signals. */
static int take_signals(struct run *r, struct err *err)
{
	static const int ours[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t set;
	int rc;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigaddset(&set, ours[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* A console or a client that is gone is an error of a write, no reason to die. */
	signal(SIGPIPE, SIG_IGN);
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->signal_fd < 0)
		return err_sys(err, -errno, "cannot create a signal descriptor");
	rc = loop_add(r->loop, r->signal_fd, EPOLLIN, on_signal, r);
	return rc ? err_sys(err, rc, "cannot watch for signals") : 0;
}

static int start(struct run *r, struct err *err)
{
	struct rundir dir;
	int rc;

	r->loop = loop_create();
	if (!r->loop)
		return err_sys(err, -errno, "cannot create the event loop");
	rc = take_signals(r, err);
	if (!rc)
		rc = rundir_open(&dir, true, err);
	if (rc)
		return rc;
	r->server = ctl_server_create(r->loop, &dir, r->cfg.name, err);
	if (!r->server)
		return -EIO;
	r->machine = machine_create(&r->cfg, r->loop, err);
	if (!r->machine)
		return -EIO;
	if (r->cfg.pidfile)
		rc = pidfile_create(&r->pidfile, r->cfg.pidfile, err);
	if (!rc)
		rc = machine_start(r->machine, err);
	if (!rc)
		ctl_server_attach(r->server, r->machine);
	return rc;
}

static void end(struct run *r)
{
	if (r->server)
		ctl_server_attach(r->server, NULL);
	pidfile_remove(&r->pidfile);
	machine_destroy(r->machine);
	ctl_server_destroy(r->server);
	if (r->signal_fd >= 0)
		loop_del(r->loop, r->signal_fd);
	fd_close(&r->signal_fd);
	loop_destroy(r->loop);
}

static int run(struct run *r)
{
	struct err err;
	char *report = NULL;
	int status = MACHINE_EXIT_HOST;
	int rc = start(r, &err);

	if (!rc) {
		loop_run(r->loop);
		status = r->signal ? 128 + r->signal : (int)machine_exit_status(r->machine);
		report = strdup(machine_report(r->machine));
	}
	end(r);
	/* Only now the terminal is as it was, and lines start at their beginning. */
	if (rc)
		cli_error(&cmd_run, "%s", err.msg);
	else if (report && *report)
		fprintf(stderr, "aerostat: %s: the VM has ended\n%s", r->cfg.name, report);
	free(report);
	return status;
}

static int run_main(int argc, char **argv)
{
	struct run r = {.signal_fd = -1};
	struct options_found found;
	struct err err;
	int status;

	vm_config_init(&r.cfg);
	status = cli_parse(&cmd_run, argc, argv, &r.cfg, &found);
	if (status != CLI_GO)
		return status;
	r.cfg.balloon.enabled = options_given(&vm_options, &found, "balloon");
	if (check(&r, &err)) {
		cli_error(&cmd_run, "%s", err.msg);
		return CLI_USAGE;
	}
	log_set_level(r.cfg.loglevel);
	return run(&r);
}

const struct command cmd_run = {
	.name = "run",
	.summary = "boot a guest and run it until it powers off",
	.notes = "Sizes may have a suffix K, M, G or T. When the console is stdio and the "
		 "params\n"
		 "name no console, they start with console=ttyS0.\n"
		 "SIGINT, SIGTERM, SIGHUP and SIGQUIT end the VM at once.\n"
		 "Exit status: 0 the guest powered off or was stopped, 1 the host failed, 2 "
		 "usage\n"
		 "error, 3 the guest crashed, 4 KVM error, 128 and more: ended by a signal.",
	.table = &vm_options,
	.main = run_main,
};
