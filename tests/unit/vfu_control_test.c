/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: requests, answers and events as lines, its limits, and
 * clients that do not behave.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/control.h"

struct rig {
	char path[64];
	int listen;
	struct loop *loop;
	struct control *c;
	struct control_later *later;
	int fd; /* that a command took */
	unsigned runs;
};

static json_t *run_echo(void *host, struct control_call *call, json_t *args)
{
	struct rig *g = host;

	(void)call;
	g->runs++;
	return json_incref(args);
}

static json_t *run_fail(void *host, struct control_call *call, json_t *args)
{
	(void)host;
	(void)args;
	return control_fail(call, CONTROL_BUSY, "a \xff\n line");
}

static json_t *run_later(void *host, struct control_call *call, json_t *args)
{
	(void)args;
	return control_defer(call, &((struct rig *)host)->later);
}

static json_t *run_fd(void *host, struct control_call *call, json_t *args)
{
	(void)args;
	((struct rig *)host)->fd = control_take_fd(call);
	return json_object();
}

static const struct control_arg echo_args[] = {
	{"text", JSON_STRING, true},
	{"number", JSON_INTEGER, false},
	{"flag", JSON_TRUE, false},
	{0},
};

static const struct control_command commands[] = {
	{"echo", run_echo, echo_args},
	{"fail", run_fail, NULL},
	{"later", run_later, NULL},
	{"fd", run_fd, NULL},
	{0},
};

static uint64_t work(void *arg)
{
	struct rig *g = arg;

	control_work(g->c);
	loop_stop(g->loop); /* a turn at a time */
	return LOOP_NEVER;
}

static int setup(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	assert_non_null(g);
	g->fd = -1;
	snprintf(g->path, sizeof(g->path), "/tmp/vxhci-control-%ld",
		 (long)getpid());
	unlink(g->path);
	strcpy(sa.sun_path, g->path);
	g->listen = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(g->listen, (void *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(g->listen, 64), 0);
	assert_int_equal(loop_create(work, g, &g->loop), 0);
	assert_int_equal(control_create(g->loop, g->listen, commands, g, &g->c),
			 0);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct rig *g = *state;

	control_destroy(g->c);
	loop_destroy(g->loop);
	close(g->listen);
	unlink(g->path);
	free(g);
	return 0;
}

static void turn(struct rig *g, unsigned n)
{
	while (n--) {
		loop_wake(g->loop);
		loop_run(g->loop);
	}
}

static int client(struct rig *g)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(sa.sun_path, g->path);
	assert_int_equal(connect(fd, (void *)&sa, sizeof(sa)), 0);
	return fd;
}

static void put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* What came by now, or "": nothing, or "gone" */
static const char *got(int fd)
{
	static char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return "";
	if (n <= 0)
		return "gone";
	buf[n] = '\0';
	return buf;
}

static void requests_are_answered_in_order(void **state)
{
	static const struct {
		const char *req, *answer;
	} rows[] = {
		{"{\"execute\":\"echo\",\"arguments\":{\"text\":\"x\"}}\n",
		 "{\"return\":{\"text\":\"x\"}}\n"},
		{"{\"execute\":\"fail\",\"id\":[1]}\n",
		 "{\"error\":{\"class\":\"Busy\",\"desc\":\"a ?? line\"},"
		 "\"id\":[1]}\n"},
		{" \n\r\n\n", ""},
		{"{\"execute\":\"fd\",\"id\":1}\n{\"execute\":\"fd\"}\n",
		 "{\"return\":{},\"id\":1}\n{\"return\":{}}\n"},
		{"{\"execute\":\"nope\"}\n",
		 "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"nope: "
		 "no such command: see query-commands\"}}\n"},
		{"{\"execute\":\"echo\"}\n",
		 "{\"error\":{\"class\":\"InvalidArgument\",\"desc\":\"text: "
		 "is missing: echo needs it\"}}\n"},
		{"{\"execute\":\"echo\",\"arguments\":{\"text\":1}}\n",
		 "{\"error\":{\"class\":\"InvalidArgument\",\"desc\":\"text: "
		 "is not a string: write one\"}}\n"},
		{"{\"execute\":\"echo\",\"arguments\":{\"text\":\"\","
		 "\"flag\":1}}\n",
		 "{\"error\":{\"class\":\"InvalidArgument\",\"desc\":\"flag: "
		 "is not true or false: write one\"}}\n"},
		{"{\"execute\":\"fail\",\"arguments\":{\"x\":1}}\n",
		 "{\"error\":{\"class\":\"InvalidArgument\",\"desc\":\"x: no "
		 "argument of fail: leave it out\"}}\n"},
		{"{\"execute\":\"echo\",\"arguments\":[]}\n",
		 "{\"error\":{\"class\":\"InvalidArgument\",\"desc\":"
		 "\"arguments: is no object: write {...}\"}}\n"},
		{"{\"exec\":\"echo\",\"id\":2}\n",
		 "{\"error\":{\"class\":\"InvalidArgument\",\"desc\":"
		 "\"execute: is missing or no string: name the command\"},"
		 "\"id\":2}\n"},
		{"[]\n", "{\"error\":{\"class\":\"ParseError\",\"desc\":\"a "
			 "request is an object: write {\\\"execute\\\": "
			 "NAME}\"}}\n"},
	};
	struct rig *g = *state;
	int fd = client(g);

	turn(g, 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put(fd, rows[i].req);
		turn(g, 2);
		assert_string_equal(got(fd), rows[i].answer);
	}
	put(fd, "{\"execute\"\n");
	turn(g, 2);
	assert_non_null(strstr(got(fd), "ParseError"));
	close(fd);
}

static void a_request_may_come_in_pieces(void **state)
{
	static const char req[] = "{\"execute\":\"fd\"}\n";
	struct rig *g = *state;
	int fd = client(g);

	for (const char *c = req; *c; c++) {
		assert_string_equal(got(fd), "");
		assert_int_equal(write(fd, c, 1), 1);
		turn(g, 2);
	}
	assert_string_equal(got(fd), "{\"return\":{}}\n");
	close(fd);
}

static void events_go_to_everybody(void **state)
{
	struct rig *g = *state;
	int a = client(g), b = client(g);

	turn(g, 4);
	control_event(g->c, "HAPPENED", json_pack("{s:i}", "x", 1));
	assert_int_equal(strncmp(got(a),
				 "{\"event\":\"HAPPENED\",\"data\":"
				 "{\"x\":1},\"timestamp\":{\"seconds\"",
				 50),
			 0);
	assert_non_null(strstr(got(b), "HAPPENED"));
	close(a);
	close(b);
}

static void a_late_answer_finds_its_client_or_nobody(void **state)
{
	struct rig *g = *state;
	int fd = client(g);

	put(fd, "{\"execute\":\"later\",\"id\":7}\n");
	shutdown(fd, SHUT_WR); /* it still reads */
	turn(g, 3);
	assert_string_equal(got(fd), "");
	control_finish(g->c, g->later, json_object(), NULL, NULL);
	turn(g, 1);
	assert_string_equal(got(fd), "{\"return\":{},\"id\":7}\n");
	assert_string_equal(got(fd), "gone");
	close(fd);
	fd = client(g);
	put(fd, "{\"execute\":\"later\"}\n");
	turn(g, 3);
	close(fd);
	turn(g, 2);
	fd = client(g); /* likely the same descriptor */
	turn(g, 2);
	control_finish(g->c, g->later, NULL, CONTROL_FAILED, "too late");
	turn(g, 1);
	assert_string_equal(got(fd), "");
	close(fd);
}

static void send_fds(int fd, const char *text, unsigned n)
{
	char room[CMSG_SPACE(16 * sizeof(int))] = {0};
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = room,
			   .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	for (unsigned i = 0; i < n; i++)
		((int *)(void *)CMSG_DATA(h))[i] = STDIN_FILENO;
	assert_int_equal(sendmsg(fd, &m, 0), strlen(text));
}

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int i = 0; i < 256; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

static void descriptors_are_taken_or_closed(void **state)
{
	struct rig *g = *state;
	int fd = client(g);
	unsigned n;

	turn(g, 2);
	n = open_fds();
	send_fds(fd, "{\"execute\":\"fd\"}\n", 1);
	turn(g, 2);
	assert_string_equal(got(fd), "{\"return\":{}}\n");
	assert_true(g->fd >= 0);
	close(g->fd);
	send_fds(fd, "{\"execute\":\"fail\"}\n", 2);
	turn(g, 2);
	assert_int_equal(open_fds(), n + 2);
	close(fd);
	turn(g, 2);
	assert_int_equal(open_fds(), n - 2);
	/* more than can wait: it is sent away */
	fd = client(g);
	send_fds(fd, " ", 8);
	send_fds(fd, " ", 1);
	turn(g, 4);
	assert_string_equal(got(fd), "gone");
	close(fd);
	assert_int_equal(open_fds(), n - 2);
}

static void a_line_without_end_is_the_end(void **state)
{
	static char much[65536];
	struct rig *g = *state;
	int fd = client(g);

	memset(much, 'x', sizeof(much));
	for (unsigned i = 0; i < 40; i++) {
		send(fd, much, sizeof(much), MSG_DONTWAIT | MSG_NOSIGNAL);
		turn(g, 4);
	}
	assert_non_null(strstr(got(fd), "a request is longer"));
	close(fd);
}

/* Answers that nobody reads: no more requests are taken, then it is over. */
static void who_does_not_read_is_not_served(void **state)
{
	static char req[20000];
	struct rig *g = *state;
	int fd = client(g), other = client(g);
	unsigned n;

	memset(req, 'x', sizeof(req));
	memcpy(req, "{\"execute\":\"echo\",\"arguments\":{\"text\":\"", 39);
	memcpy(req + sizeof(req) - 5, "\"}}\n", 5);
	for (unsigned i = 0; i < 500; i++) {
		send(fd, req, sizeof(req) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		turn(g, 2);
	}
	n = g->runs;
	assert_in_range(n, 2, 100);
	turn(g, 20);
	assert_int_equal(g->runs, n);
	for (unsigned i = 0; i < 200; i++) /* events come all the same */
		control_event(g->c, "E",
			      json_pack("{s:s%}", "t", req + 1000, 15000));
	turn(g, 2);
	while (strcmp(got(fd), "gone") != 0)
		;
	close(fd);
	close(other);
}

static void only_so_many_clients(void **state)
{
	struct rig *g = *state;
	int fd[CONTROL_MAX_CLIENTS + 1];

	for (unsigned i = 0; i <= CONTROL_MAX_CLIENTS; i++)
		fd[i] = client(g);
	turn(g, 2 * CONTROL_MAX_CLIENTS + 4);
	for (unsigned i = 0; i < CONTROL_MAX_CLIENTS; i++)
		assert_string_equal(got(fd[i]), "");
	assert_string_equal(got(fd[CONTROL_MAX_CLIENTS]), "gone");
	close(fd[0]);
	turn(g, 2);
	fd[0] = client(g);
	put(fd[0], "{\"execute\":\"fd\"}\n");
	turn(g, 4);
	assert_string_equal(got(fd[0]), "{\"return\":{}}\n");
	for (unsigned i = 0; i <= CONTROL_MAX_CLIENTS; i++)
		close(fd[i]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(requests_are_answered_in_order),
		TEST(a_request_may_come_in_pieces),
		TEST(events_go_to_everybody),
		TEST(a_late_answer_finds_its_client_or_nobody),
		TEST(descriptors_are_taken_or_closed),
		TEST(a_line_without_end_is_the_end),
		TEST(who_does_not_read_is_not_served),
		TEST(only_so_many_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
