/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that can go on at once in one `vxhci serve`, over its real sockets: two
 * machines whose guests transfer, connect and leave; several at the control
 * socket, who plug devices, add controllers, type, ask; a capture and a
 * recording. Of use above all under TSan.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/unit/vfu_guest.h"
#include "vmm/serve.h"

#define LIVES 3u
#define TRANSFERS 60u
#define ROUNDS 20u /* of requests, at the least */
#define PATIENCE_S 60

static atomic_bool machines_done;
static atomic_uint failures, transfers, requests, events;

/* In any thread: a failure that the test tells of at its end */
#define CHECK(ok, what)                                                    \
	do {                                                               \
		if (!(ok)) {                                               \
			failures++;                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
				what);                                     \
		}                                                          \
	} while (0)

/* The server */

struct server {
	struct serve_opts o;
	int code;
};

static void *serve(void *arg)
{
	struct server *s = arg;

	s->code = serve_run(&s->o);
	return NULL;
}

/* Machines */

static bool work(struct vg *g)
{
	struct gdrv_sg sg = {.len = 16384};
	struct gdrv_dev *v;
	bool ok = vg_zero(g, 1);

	v = ok ? g->d.dev[1] : NULL;
	if (!v)
		return false;
	sg.gpa = guestmem_alloc(&g->gm, sg.len);
	for (unsigned i = 0; ok && i < TRANSFERS; i++) {
		ok = gdrv_bulk(v, i % 2 ? VG_IN : VG_OUT, OS_LINUX, &sg, 1,
			       NULL) == CC_SUCCESS;
		transfers += ok;
	}
	return ok;
}

static void *machine(void *arg)
{
	const char *path = arg;

	for (unsigned i = 0; i < LIVES; i++) {
		enum vc_kind kind = i % 2 ? VC_CLH : VC_QEMU;
		struct vg g;

		vg_init(&g);
		CHECK(vg_up(&g, kind, path) && work(&g), g.vc.why);
		CHECK(!g.up || gdrv_ok(&g.d), g.d.err);
		if (i % 2) /* others just end */
			CHECK(vg_down(&g), g.vc.why);
		vg_fini(&g);
	}
	return NULL;
}

/* The control socket */

static int dial(void)
{
	struct timeval tv = {.tv_sec = PATIENCE_S};
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "control"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (connect(fd, (void *)&sa, sizeof(sa)) != 0)
		CHECK(false, strerror(errno));
	return fd;
}

/* Ask, take what is told meanwhile, and the answer: was it done? */
static void ask(FILE *f, int fd, const char *request, bool must)
{
	static const char event[] = "{\"event\"";
	char *line = NULL;
	size_t size = 0;
	bool done = false, answered = false;

	CHECK(send(fd, request, strlen(request), MSG_NOSIGNAL) > 0, request);
	while (!answered && getline(&line, &size, f) > 0) {
		answered = strncmp(line, event, strlen(event)) != 0;
		done = answered && strncmp(line, "{\"return\"", 9) == 0;
		events += !answered;
	}
	CHECK(answered, request);
	CHECK(done || !must || !answered, line);
	requests++;
	free(line);
}

#define REQUEST(name, args) \
	"{\"execute\":\"" name "\",\"arguments\":{" args "}}\n"

struct asker {
	const char *request[4];
	bool all; /* are done: nobody is in the way */
};

/* No device comes while many leave; the keyboard's driver is slow. */
static struct asker askers[] = {
	{{REQUEST("attach", "\"slot\":\"30\",\"device\":\"tablet,at=2\""),
	  REQUEST("detach", "\"slot\":\"30\",\"port\":2")},
	 false},
	{{REQUEST("attach", "\"slot\":\"31\",\"device\":\"zero,at=4\""),
	  REQUEST("status", "\"slot\":\"31\""),
	  REQUEST("detach", "\"slot\":\"31\",\"port\":4")},
	 false},
	{{REQUEST("controller-add",
		  "\"slot\":\"29,xhci,keyboard\",\"socket\":\"c\""),
	  REQUEST("status", ""),
	  REQUEST("controller-remove", "\"slot\":\"29\"")},
	 true},
	{{REQUEST("status", ""),
	  REQUEST("input", "\"slot\":\"30\",\"events\":[{\"type\":\"key\","
			   "\"key\":\"a\",\"down\":true}]"),
	  REQUEST("input", "\"slot\":\"30\",\"events\":[{\"type\":\"key\","
			   "\"key\":\"a\",\"down\":false}]"),
	  REQUEST("query-commands", "")},
	 true},
};

static void *asker(void *arg)
{
	const struct asker *a = arg;
	int fd = dial();
	FILE *f = fdopen(fd, "r");

	CHECK(f, "fdopen");
	for (unsigned i = 0; i < ROUNDS || !machines_done; i++)
		for (unsigned k = 0; k < 4 && a->request[k]; k++)
			ask(f, fd, a->request[k], a->all);
	fclose(f);
	return NULL;
}

/* Comes and goes, and does not listen */
static void *passer_by(void *arg)
{
	static const char request[] = REQUEST("status", "");

	(void)arg;
	for (unsigned i = 0; i < ROUNDS || !machines_done; i++) {
		int fd = dial();

		CHECK(send(fd, request, strlen(request), MSG_NOSIGNAL) > 0,
		      "send");
		close(fd);
	}
	return NULL;
}

static void wait_ready(int fd)
{
	char c;

	assert_int_equal(read(fd, &c, 1), 1);
	close(fd);
}

static void all_at_once(void **state)
{
	struct serve_pair pairs[2] = {
		{"30,xhci,zero,speed=high,at=1,keyboard,at=3", "a"},
		{"31,xhci,zero,speed=high,at=1,keyboard,at=3", "b"}};
	struct server s = {.o = {.pairs = pairs,
				 .npairs = 2,
				 .control = "control",
				 .control_fd = -1,
				 .pcap = "pcap",
				 .record = "record",
				 .sandbox = WALLS_OFF,
				 .level = VXHCI_LOG_WARN}};
	pthread_t server, m[2], c[5];
	char dir[] = "/tmp/vfu_race.XXXXXX", a[] = "a", b[] = "b";
	sigset_t set;
	int ready[2];

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	/* it is the server's, and is for no thread */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	assert_int_equal(pipe(ready), 0);
	s.o.ready_fd = ready[1];
	assert_int_equal(pthread_create(&server, NULL, serve, &s), 0);
	wait_ready(ready[0]);

	pthread_create(&m[0], NULL, machine, a);
	pthread_create(&m[1], NULL, machine, b);
	for (unsigned i = 0; i < 4; i++)
		pthread_create(&c[i], NULL, asker, &askers[i]);
	pthread_create(&c[4], NULL, passer_by, NULL);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(m[i], NULL);
	machines_done = true;
	for (unsigned i = 0; i < 5; i++)
		pthread_join(c[i], NULL);

	kill(getpid(), SIGTERM);
	pthread_join(server, NULL);
	sigwait(&set, &(int){0});
	printf("%u transfers, %u requests, %u events\n", transfers, requests,
	       events);
	assert_int_equal(s.code, 0);
	assert_int_equal(failures, 0);
	assert_int_equal(transfers, 2 * LIVES * TRANSFERS);
	assert_true(requests >= 4 * ROUNDS && events > 0);
	unlink("pcap");
	unlink("record");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
