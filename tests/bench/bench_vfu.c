/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_vfu VXHCI - what an access costs over the vfio-user socket: `vxhci
 * serve` beside a server that only echoes, in the same run. Times are medians
 * of interleaved rounds; system calls of the server are counted by strace,
 * N against 2N.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/vfu_rig.h"

#define ROUNDS 9u
#define N 2000u
#define BURST 32u

struct bench {
	struct vfu_rig g;
	int echo; /* socket to a process that sends back what it gets */
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* 36 bytes there and back: a message of the size of a 4-byte access */
static void do_echo(struct bench *b, unsigned n)
{
	char buf[36] = {0};

	while (n--) {
		if (send(b->echo, buf, sizeof(buf), MSG_NOSIGNAL) < 0 ||
		    recv(b->echo, buf, sizeof(buf), MSG_WAITALL) < 0)
			exit(1);
	}
}

/* B1 a 4-byte register read */
static void do_read(struct bench *b, unsigned n)
{
	while (n--)
		gdrv_r32(&b->g.d, b->g.d.op + OP_USBSTS);
}

/* B2 a posted write; one read at the end sees them all done */
static void do_write(struct bench *b, unsigned n)
{
	while (n--)
		gdrv_w32(&b->g.d, b->g.d.op + OP_DNCTRL, 2);
	gdrv_r32(&b->g.d, b->g.d.op + OP_USBSTS);
}

/* B3 a doorbell as Linux rings it: write, read back */
static void do_doorbell(struct bench *b, unsigned n)
{
	while (n--) {
		gdrv_doorbell(&b->g.d, b->g.v->slot, 1, 0);
		gdrv_r32(&b->g.d, b->g.d.db + b->g.v->slot * 4u);
	}
}

/*
 * B4 a whole TD as Linux does it with MSI: doorbell and read back, interrupt,
 * USBSTS read and written, ERDP read and written in halves.
 */
static void do_td(struct bench *b, unsigned n)
{
	static const uint8_t setup[8] = {0x80, 6, 0, 1, 0, 0, 18, 0};
	struct gdrv *d = &b->g.d;
	uint32_t erdp = d->rt + RT_IR(0) + IR_ERDP, id;

	while (n--) {
		if (gdrv_control_post(b->g.v->ring[1], OS_LINUX, setup,
				      b->g.buf, &id))
			exit(1);
		gdrv_doorbell(d, b->g.v->slot, 1, 0);
		gdrv_r32(d, d->db + b->g.v->slot * 4u);
		if (vfu_rig_wait_irq(&b->g, 0, 5000)) {
			fprintf(stderr, "bench_vfu: no interrupt\n");
			exit(1);
		}
		gdrv_w32(d, d->op + OP_USBSTS,
			 gdrv_r32(d, d->op + OP_USBSTS) & STS_EINT);
		gdrv_r32(d, erdp);
		gdrv_r32(d, erdp + 4);
		gdrv_poll(d, 0, 16); /* writes ERDP, both halves */
		if (!gdrv_td_ended(gdrv_td(b->g.v->ring[1], id)))
			n++;
	}
}

/* B8 32 posted writes that arrive together */
static void do_burst(struct bench *b, unsigned n)
{
	struct {
		struct vfu_region_access m;
		uint32_t data;
	} __attribute__((packed)) msg[BURST];

	for (unsigned i = 0; i < BURST; i++) {
		msg[i].m = (struct vfu_region_access){
			.hdr = {.id = (uint16_t)i,
				.cmd = VFU_REGION_WRITE,
				.size = sizeof(msg[i]),
				.flags = VFU_F_NO_REPLY},
			.offset = b->g.d.op + OP_DNCTRL,
			.region = VFU_REGION_BAR0,
			.count = 4,
		};
		msg[i].data = 2;
	}
	while (n--)
		if (vc_send(&b->g.vc, msg, sizeof(msg), NULL, 0))
			exit(1);
	gdrv_r32(&b->g.d, b->g.d.op + OP_USBSTS);
}

struct pattern {
	const char *id, *what;
	void (*run)(struct bench *b, unsigned n);
	unsigned msgs; /* messages each */
	double limit;  /* system calls a message, 0: none */
};

static const struct pattern patterns[] = {
	{"-", "bare socket echo, round trip", do_echo, 1, 0},
	{"B1", "register read, 4 bytes", do_read, 1, 3},
	{"B2", "register write, posted", do_write, 1, 2},
	{"B3", "doorbell and read back", do_doorbell, 2, 0},
	{"B4", "a TD as Linux does it, QD 1", do_td, 8, 0},
	{"B8", "32 posted writes at once", do_burst, BURST, 1},
};
#define NPATTERNS (sizeof(patterns) / sizeof(patterns[0]))

/* All threads of @pid (0: of this process) to @cpu. */
static void pin(pid_t pid, unsigned cpu)
{
	char path[64];
	struct dirent *e;
	cpu_set_t set;
	DIR *dir;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	snprintf(path, sizeof(path), "/proc/%d/task",
		 pid ? (int)pid : (int)getpid());
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			sched_setaffinity(atoi(e->d_name), sizeof(set), &set);
	if (dir)
		closedir(dir);
}

static pid_t echo_start(int *ret_fd)
{
	int sv[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		exit(1);
	pid = fork();
	if (pid == 0) {
		char buf[64];

		close(sv[0]);
		for (;;) {
			ssize_t n = recv(sv[1], buf, sizeof(buf), 0);

			if (n <= 0 ||
			    send(sv[1], buf, (size_t)n, MSG_NOSIGNAL) < 0)
				_exit(0);
		}
	}
	close(sv[1]);
	*ret_fd = sv[0];
	return pid;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void time_all(struct bench *b, double us[NPATTERNS][ROUNDS])
{
	for (unsigned r = 0; r < ROUNDS; r++)
		for (unsigned i = 0; i < NPATTERNS; i++) {
			unsigned n = i == NPATTERNS - 1 ? N / BURST : N / 2;
			double t0 = now_us();

			patterns[i].run(b, n);
			us[i][r] = (now_us() - t0) / n;
		}
	for (unsigned i = 0; i < NPATTERNS; i++)
		qsort(us[i], ROUNDS, sizeof(double), by_value);
}

/* System calls the server made while @p ran @n times; -1: cannot tell. */
static long count_calls(struct bench *b, const struct pattern *p, unsigned n)
{
	char pid[16], path[] = "/tmp/vxhci-strace-XXXXXX", line[256];
	int fd = mkstemp(path);
	long total = -1;
	pid_t tracer;
	FILE *f;

	if (fd < 0)
		return -1;
	close(fd);
	snprintf(pid, sizeof(pid), "%d", (int)b->g.pid);
	tracer = fork();
	if (tracer == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 2);
		execlp("strace", "strace", "-f", "-c", "-o", path, "-p", pid,
		       (char *)NULL);
		_exit(127);
	}
	usleep(300000);
	p->run(b, n);
	usleep(20000);
	kill(tracer, SIGINT);
	waitpid(tracer, NULL, 0);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		double pct, sec;
		long per, calls;

		if (strstr(line, " total") &&
		    (sscanf(line, "%lf %lf %ld %ld", &pct, &sec, &per,
			    &calls) == 4))
			total = calls;
	}
	if (f)
		fclose(f);
	unlink(path);
	return total;
}

static bool print_calls(struct bench *b)
{
	bool ok = true;

	printf("B7 system calls of the server, N against 2N:\n");
	for (unsigned i = 1; i < NPATTERNS; i++) {
		const struct pattern *p = &patterns[i];
		unsigned n = p->msgs >= BURST ? 50 : 200;
		long one = count_calls(b, p, n);
		long two = count_calls(b, p, 2 * n);
		double each = (double)(two - one) / n;

		if (one < 0 || two < 0) {
			printf("   cannot count: strace may not trace here\n");
			return true;
		}
		printf("%-3s %-30s %7.2f each %7.2f a message%s\n", p->id,
		       p->what, each, each / p->msgs,
		       p->limit > 0 && each / p->msgs > p->limit + 0.05
			       ? "  GATE"
			       : "");
		ok = ok && !(p->limit > 0 && each / p->msgs > p->limit + 0.05);
	}
	return ok;
}

static void print_times(double one[NPATTERNS][ROUNDS],
			double two[NPATTERNS][ROUNDS])
{
	printf("%-3s %-30s %10s %10s   %10s %10s\n", "", "microseconds each",
	       "1 cpu min", "median", "2 cpus min", "median");
	for (unsigned i = 0; i < NPATTERNS; i++)
		printf("%-3s %-30s %10.2f %10.2f   %10.2f %10.2f\n",
		       patterns[i].id, patterns[i].what, one[i][0],
		       one[i][ROUNDS / 2], two[i][0], two[i][ROUNDS / 2]);
	printf("    register read by echo: %.2f on one cpu\n",
	       one[1][ROUNDS / 2] / one[0][ROUNDS / 2]);
}

int main(int argc, char **argv)
{
	static double one[NPATTERNS][ROUNDS], two[NPATTERNS][ROUNDS];
	struct bench b;
	pid_t echo;
	bool ok;

	if (argc != 2) {
		fprintf(stderr, "usage: bench_vfu VXHCI\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (vfu_rig_up(&b.g, argv[1]))
		return 1;
	echo = echo_start(&b.echo);
	pin(0, 0);
	pin(b.g.pid, 0);
	pin(echo, 0);
	time_all(&b, one);
	pin(b.g.pid, 1);
	pin(echo, 1);
	time_all(&b, two);
	print_times(one, two);
	ok = print_calls(&b);
	ok = gdrv_ok(&b.g.d) && ok;
	kill(echo, SIGTERM);
	waitpid(echo, NULL, 0);
	vfu_rig_down(&b.g);
	return ok ? 0 : 1;
}
