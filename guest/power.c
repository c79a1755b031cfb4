// SPDX-License-Identifier: Apache-2.0
#include "guest/power.h"

#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "guest/commands.h"
#include "guest/sys.h"

#define DEVICES_MAX 16

static bool power_pressed(int fd)
{
	struct input_event event;

	return read(fd, &event, sizeof(event)) == sizeof(event) && event.type == EV_KEY &&
	       event.code == KEY_POWER && event.value == 1;
}

static void watch_main(struct pollfd *fds, unsigned int count)
{
	while (poll(fds, count, -1) >= 0) {
		for (unsigned int i = 0; i < count; i++) {
			if (!(fds[i].revents & POLLIN) || !power_pressed(fds[i].fd))
				continue;
			/* Not "guest:", which would be taken for the answer to a command. */
			say("event: power button");
			command_poweroff();
		}
	}
	_exit(1);
}

void power_watch(void)
{
	struct pollfd fds[DEVICES_MAX];
	unsigned int count = 0;
	char path[64];

	for (unsigned int i = 0; i < DEVICES_MAX; i++) {
		snprintf(path, sizeof(path), "/dev/input/event%u", i);
		fds[count].fd = open(path, O_RDONLY | O_CLOEXEC);
		fds[count].events = POLLIN;
		if (fds[count].fd >= 0)
			count++;
	}
	if (count && fork() == 0)
		watch_main(fds, count);
	for (unsigned int i = 0; i < count; i++)
		close(fds[i].fd);
}
