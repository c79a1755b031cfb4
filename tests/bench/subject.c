// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/subject.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET_SECONDS	30
#define COMMAND_SECONDS 300

void subject_kill(struct subject *s)
{
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
}

_Noreturn void subject_fail(struct subject *s, const char *why)
{
	fprintf(stderr, "%s: %s; the guest's last line: %s\n", program_invocation_short_name,
		why, s->line);
	subject_kill(s);
	_exit(1); /* half a result is none: what stdout holds is dropped */
}

static void connect_qmp(struct subject *s, const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	double deadline = now_ms() + SOCKET_SECONDS * 1e3;

	if (strlen(path) >= sizeof(addr.sun_path))
		subject_fail(s, "the socket's path is too long");
	strcpy(addr.sun_path, path);
	s->control.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	while (connect(s->control.fd, (struct sockaddr *)&addr, sizeof(addr))) {
		if (now_ms() > deadline || waitpid(s->pid, NULL, WNOHANG))
			subject_fail(s, "no QMP socket");
		nap_ms(20);
	}
	subject_ask(s, "{\"execute\": \"qmp_capabilities\"}");
	if (!subject_answered(s, SOCKET_SECONDS * 1e3))
		subject_fail(s, "no answer on the QMP socket");
}

void subject_start(struct subject *s, char **argv, const char *path)
{
	signal(SIGPIPE, SIG_IGN);
	unlink(path);
	s->pid = child_start(argv, false, &s->to, &s->serial.fd);
	if (s->pid < 0)
		subject_fail(s, "cannot start the monitor");
	connect_qmp(s, path);
}

static bool next_line(struct subject *s, struct lines *l, char *line, size_t size, double ms)
{
	int rc = lines_next(l, line, size, ms);

	if (rc < 0)
		subject_fail(s, "the monitor ended early");
	return rc > 0;
}

void subject_expect(struct subject *s, const char *text, double seconds)
{
	double deadline = now_ms() + seconds * 1e3;

	do {
		if (!next_line(s, &s->serial, s->line, sizeof(s->line), deadline - now_ms()))
			subject_fail(s, "the guest is silent");
	} while (!strstr(s->line, text));
}

double subject_command(struct subject *s, const char *command)
{
	double start = now_ms();

	if (dprintf(s->to, "%s\n", command) < 0)
		subject_fail(s, "the guest doesn't listen");
	do {
		subject_expect(s, "guest: ", COMMAND_SECONDS);
		if (strstr(s->line, "guest: fail"))
			subject_fail(s, command);
	} while (!strstr(s->line, "guest: ok"));
	return now_ms() - start;
}

double subject_touch(struct subject *s, unsigned mib)
{
	char text[32];
	double ms;

	snprintf(text, sizeof(text), "touch %u", mib);
	ms = subject_command(s, text);
	subject_command(s, "free");
	return ms;
}

void subject_ask(struct subject *s, const char *json)
{
	if (dprintf(s->control.fd, "%s\n", json) < 0)
		subject_fail(s, "the monitor doesn't take commands");
}

bool subject_answered(struct subject *s, double ms)
{
	double deadline = now_ms() + ms;

	do { /* greetings and events are not what we wait for */
		if (!next_line(s, &s->control, s->reply, sizeof(s->reply), deadline - now_ms()))
			return false;
	} while (!strstr(s->reply, "\"return\"") && !strstr(s->reply, "\"error\""));
	return true;
}

double number_after(const char *text, const char *key)
{
	char quoted[80];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	at = strstr(text, quoted);
	if (!at) {
		snprintf(quoted, sizeof(quoted), "%s=", key);
		at = strstr(text, quoted);
	}
	return at ? strtod(at + strlen(quoted), NULL) : -1;
}
