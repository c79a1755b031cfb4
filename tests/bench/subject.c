// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_SECONDS	30
#define COMMAND_SECONDS 300

double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

void subject_kill(struct subject *s)
{
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
}

_Noreturn void subject_fail(struct subject *s, const char *why)
{
	fprintf(stderr, "inflate: %s; the guest's last line: %s\n", why, s->line);
	subject_kill(s);
	_exit(1); /* half a result is none: what stdout holds is dropped */
}

static void spawn(struct subject *s, char **argv)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		subject_fail(s, "cannot make pipes");
	s->pid = fork();
	if (!s->pid) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	s->to = in[1];
	s->from = out[0];
}

static void connect_qmp(struct subject *s, const char *path)
{
	const struct timespec nap = {.tv_nsec = 20000000};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	double deadline = now_ms() + SOCKET_SECONDS * 1e3;

	if (strlen(path) >= sizeof(addr.sun_path))
		subject_fail(s, "the socket's path is too long");
	strcpy(addr.sun_path, path);
	s->qmp = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	while (connect(s->qmp, (struct sockaddr *)&addr, sizeof(addr))) {
		if (now_ms() > deadline || waitpid(s->pid, NULL, WNOHANG))
			subject_fail(s, "no QMP socket");
		nanosleep(&nap, NULL);
	}
	subject_ask(s, "{\"execute\": \"qmp_capabilities\"}");
	if (!subject_answered(s, SOCKET_SECONDS * 1e3))
		subject_fail(s, "no answer on the QMP socket");
}

void subject_start(struct subject *s, char **argv, const char *path)
{
	signal(SIGPIPE, SIG_IGN);
	unlink(path);
	spawn(s, argv);
	connect_qmp(s, path);
}

/* A line out of what was read, without its end. */
static bool take_line(char *text, size_t *have, char *line, size_t size)
{
	char *end = memchr(text, '\n', *have);
	size_t len;

	if (!end)
		return false;
	len = (size_t)(end - text);
	if (len >= size)
		len = size - 1;
	memcpy(line, text, len);
	line[len] = '\0';
	line[strcspn(line, "\r")] = '\0';
	*have -= (size_t)(end + 1 - text);
	memmove(text, end + 1, *have);
	return true;
}

static bool next_line(struct subject *s, int fd, char *text, size_t *have, char *line,
		      size_t size, double ms)
{
	double deadline = now_ms() + ms;

	while (!take_line(text, have, line, size)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		double left = deadline - now_ms();
		struct timespec ts;
		ssize_t n;

		left = left < 0 ? 0 : left;
		ts = (struct timespec){.tv_sec = (time_t)(left / 1e3)};
		ts.tv_nsec = (long)((left - (double)ts.tv_sec * 1e3) * 1e6);
		if (ppoll(&p, 1, &ts, NULL) <= 0)
			return false;
		if (*have == sizeof(s->serial.text))
			subject_fail(s, "a line without an end");
		n = read(fd, text + *have, sizeof(s->serial.text) - *have);
		if (n <= 0)
			subject_fail(s, "the monitor ended early");
		*have += (size_t)n;
	}
	return true;
}

void subject_expect(struct subject *s, const char *text, double seconds)
{
	double deadline = now_ms() + seconds * 1e3;

	do {
		if (!next_line(s, s->from, s->serial.text, &s->serial.have, s->line,
			       sizeof(s->line), deadline - now_ms()))
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

void subject_ask(struct subject *s, const char *json)
{
	if (dprintf(s->qmp, "%s\n", json) < 0)
		subject_fail(s, "the monitor doesn't take commands");
}

bool subject_answered(struct subject *s, double ms)
{
	double deadline = now_ms() + ms;

	do { /* greetings and events are not what we wait for */
		if (!next_line(s, s->qmp, s->control.text, &s->control.have, s->reply,
			       sizeof(s->reply), deadline - now_ms()))
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
