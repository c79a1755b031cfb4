// SPDX-License-Identifier: Apache-2.0
/* pause and resume: one word to the VM each. */
#include "vmm/cli/vms.h"

static const struct opt rows[] = {CLI_SELECT_ROWS(struct vms_tell_args)};
static const struct opt_table table = OPT_TABLE(rows);

static int pause_main(int argc, char **argv)
{
	return vms_tell(&cmd_pause, argc, argv, "stop");
}

static int resume_main(int argc, char **argv)
{
	return vms_tell(&cmd_resume, argc, argv, "cont");
}

const struct command cmd_pause = {
	.name = "pause",
	.summary = "halt the vCPUs of a VM",
	.notes = "A VM that is paused already stays so.",
	.table = &table,
	.main = pause_main,
};

const struct command cmd_resume = {
	.name = "resume",
	.summary = "let the vCPUs of a paused VM run again",
	.notes = "",
	.table = &table,
	.main = resume_main,
};
