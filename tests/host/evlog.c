/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog.c - the events of an input device as lines `TYPE CODE VALUE`, without
 * EV_SYN and EV_MSC and without the kernel's key repeat, until none came for
 * some seconds.
 *
 *   evlog /dev/input/eventN SECONDS
 */
#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int is_device_s(const struct input_event *e)
{
	return e->type != EV_SYN && e->type != EV_MSC && e->type != EV_REP &&
	       (e->type != EV_KEY || e->value != 2);
}

int main(int argc, char **argv)
{
	struct pollfd p = {.events = POLLIN};
	struct input_event e[64];
	int ms;

	if (argc != 3 || (p.fd = open(argv[1], O_RDONLY)) < 0) {
		fprintf(stderr, "usage: evlog /dev/input/eventN SECONDS\n");
		return 2;
	}
	ms = atoi(argv[2]) * 1000;
	ioctl(p.fd, EVIOCSREP, (unsigned[2]){0, 0});
	while (poll(&p, 1, ms) == 1) {
		ssize_t n = read(p.fd, e, sizeof(e));

		if (n <= 0)
			return 1;
		for (size_t i = 0; i < (size_t)n / sizeof(e[0]); i++)
			if (is_device_s(&e[i]))
				printf("%u %u %d\n", e[i].type, e[i].code,
				       e[i].value);
		fflush(stdout);
	}
	return 0;
}
