/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each call of the system of `vxhci serve` fails once while somebody works at
 * its control socket: the request gets an error, or the connection ends. Who
 * comes next has all his requests carried out.
 */
#include "tests/unit/fail_serve.h"

#include <jansson.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "vmm/serve.h"

struct scene {
	struct fs f;
	struct serve_opts o;
	struct serve_pair pair;
	unsigned refused, errors, closed; /* scenes; requests; connections */
	char said[512];                   /* the last error */
};

static int run(void *arg)
{
	struct scene *s = arg;

	return serve_run(&s->o);
}

static int dial(const char *path)
{
	struct timeval tv = {.tv_sec = FS_PATIENCE_MS / 1000};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (connect(fd, (void *)&sa, sizeof(sa)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The next line, or NULL: the connection has ended. */
static json_t *line_of(int fd)
{
	static char buf[1u << 16];
	size_t n = 0;
	json_t *j;

	do {
		ssize_t got = recv(fd, buf + n, 1, 0);

		if (got < 0 && errno == EAGAIN)
			fail_msg("%s failed: no answer", fs_what());
		if (got <= 0)
			return NULL;
	} while (buf[n++] != '\n' && n < sizeof(buf) - 1);
	buf[n] = '\0';
	j = json_loads(buf, 0, NULL);
	if (!j)
		fail_msg("%s failed: it wrote: %s", fs_what(), buf);
	return j;
}

enum outcome { DONE, REFUSED, GONE };

/* Ask, and wait for the answer. */
static enum outcome ask(struct scene *s, int fd, const char *request)
{
	enum outcome o = GONE;
	json_t *j;

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		return GONE;
	while ((j = line_of(fd))) {
		bool event = json_object_get(j, "event");

		snprintf(s->said, sizeof(s->said), "%s",
			 json_string_value(json_object_get(
				 json_object_get(j, "error"), "desc")));
		o = json_object_get(j, "return") ? DONE : REFUSED;
		json_decref(j);
		if (!event)
			break;
		o = GONE;
	}
	s->errors += o == REFUSED;
	s->closed += o == GONE;
	return o;
}

#define ADD                                                        \
	"{\"execute\":\"controller-add\",\"arguments\":{\"slot\":" \
	"\"31,xhci,zero\",\"socket\":\"late\"}}\n"
#define REMOVE                                                        \
	"{\"execute\":\"controller-remove\",\"arguments\":{\"slot\":" \
	"\"31\"}}\n"
#define ATTACH                                                               \
	"{\"execute\":\"attach\",\"arguments\":{\"device\":\"tablet,at=2\"," \
	"\"slot\":\"30\"}}\n"
#define DETACH                                                        \
	"{\"execute\":\"detach\",\"arguments\":{\"port\":2,\"slot\":" \
	"\"30\"}}\n"

#define MEDIA                                                    \
	"{\"execute\":\"media\",\"arguments\":{\"slot\":\"30\"," \
	"\"port\":1"

/* All that can be asked for, in pairs that undo each other. */
static unsigned use(struct scene *s, bool again)
{
	static const char *const requests[] = {
		"{\"execute\":\"query-commands\"}\n",
		ATTACH,
		"{\"execute\":\"status\",\"id\":[1]}\n",
		"{\"execute\":\"input\",\"arguments\":{\"slot\":\"30\","
		"\"events\":[{\"type\":\"key\",\"key\":\"a\",\"down\":true}]}}"
		"\n",
		DETACH,
		ADD,
		"{\"execute\":\"status\"}\n",
		REMOVE,
		MEDIA "}}\n",
		MEDIA ",\"file\":\"disk\"}}\n",
	};
	unsigned bad = 0;
	int fd = dial("control");

	if (fd < 0)
		return 1;
	if (again) { /* what is left of the ones before */
		ask(s, fd, DETACH);
		ask(s, fd, REMOVE);
	}
	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		enum outcome o = ask(s, fd, requests[i]);

		if (o != DONE && again)
			fail_msg("%s failed: afterwards this does: %s%s",
				 fs_what(), requests[i], s->said);
		bad += o != DONE;
		if (o == GONE) {
			close(fd);
			fd = dial("control");
			if (fd < 0)
				return bad + 1;
		}
	}
	close(fd);
	return bad;
}

static void one_server(void *arg)
{
	static const char *const files[] = {"sock", "control", "late", NULL};
	struct scene *s = arg;
	unsigned bad;

	if (!fs_up(&s->f, run, s, files, &s->refused))
		return;
	bad = use(s, false);
	if (bad && !fail_happened())
		fail_msg("nothing failed, but %u requests: %s", bad, s->said);
	if (fail_happened())
		use(s, true);
	fs_down(&s->f, 1, files);
}

static void each_call_fails_once(void **state)
{
	struct scene s = {0};
	FILE *f;
	unsigned n;

	(void)state;
	fs_setup(&s.f);
	f = fopen("disk", "w");
	assert_non_null(f);
	assert_int_equal(ftruncate(fileno(f), 1 << 20), 0);
	fclose(f);
	s.pair = (struct serve_pair){
		"30,xhci,storage=disk,removable,at=1,keyboard,at=3", "sock"};
	s.o = (struct serve_opts){.pairs = &s.pair,
				  .npairs = 1,
				  .control = "control",
				  .control_fd = -1,
				  .ready_fd = FS_READY_FD,
				  .sandbox = WALLS_OFF,
				  .level = VXHCI_LOG_ERROR};
	fail_arm(0);
	one_server(&s); /* as it is when nothing fails */
	n = fail_each(one_server, &s);
	printf("%u calls failed: %u did not start, %u errors, %u connections "
	       "ended\n",
	       n, s.refused, s.errors, s.closed);
	assert_true(s.refused > 10 && s.errors > 10 && s.closed > 10);
	assert_int_equal(unlink("disk"), 0);
	fs_teardown(&s.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_fails_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
