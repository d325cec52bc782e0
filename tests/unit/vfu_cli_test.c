/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each bad start: exit code 2 and exactly one line on stderr, which begins
 * with the program's name and names what was wrong.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/vfu_run.h"

#define A "--socket a.sock"
#define LONG                                                               \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *args;
	const char *names; /* what the line must have in it */
} bad[] = {
	{"", "command"},
	{"''", "''"},
	{"srve", "did you mean serve?"},
	{"sreve --socket a -s 30,xhci", "sreve: unknown command"},
	{"hepl", "did you mean help?"},
	{"frobnicate", "frobnicate: unknown command: see vxhci help"},
	{"help frobnicate", "frobnicate"},
	{"--frobnicate", "--frobnicate"},
	{"list frobnicate", "frobnicate"},
	{"replay", "replay: no file"},
	{"replay missing", "missing"},
	{"replay dir", "dir"},
	{"replay file", "file: no recording"},
	{"replay --explian file", "did you mean --explain?"},
	{"replay --explain --stats file", "--stats"},
	{"serve", "-s SLOT,xhci"},
	{"serve " A, "a.sock"},
	{"serve -s 30,xhci", "30,xhci"},
	{"serve " A " -s 30,xhci -s 31,xhci", "31,xhci"},
	{"serve " A " --socket b.sock -s 30,xhci", "b.sock"},
	{"serve " A " -s 30,xhci " A " -s 31,xhci", "a.sock: given twice"},
	{"serve " A " -s 30,xhci --socket b.sock -s 30,xhci", "slot 30"},
	{"serve " A " -s 30,xhci --frobnicate", "--frobnicate"},
	{"serve " A " -s 30,xhci --frobnicate=1", "--frobnicate=1"},
	{"serve --sokcet a.sock -s 30,xhci", "did you mean --socket?"},
	{"serve " A " -s 30,xhci --control no/such/dir", "no/such/dir"},
	{"serve --control c.sock --control d.sock", "--control d.sock: given"},
	{"serve " A " -s 30,xhci --pcaps f", "did you mean --pcap?"},
	{"serve " A " -s 30,xhci --recor f", "did you mean --record?"},
	{"serve " A " -s 30,xhci --record f --record g", "--record g: given"},
	{"serve " A " -s 30,xhci --record ''", "--record ''"},
	{"serve " A " -s 30,xhci --record no/such/dir", "no/such/dir"},
	{"serve " A " -s 30,xhci --record dir", "--record dir"},
	{"serve " A " -s 30,xhci --record live", "--record live"},
	{"serve " A " -s 30,xhci -x", "-x"},
	{"serve " A " -s 30,xhci -vx", "-x"},
	{"serve " A " -s 30,xhci extra", "extra"},
	{"serve " A " -s 30,xhci -", "-:"},
	{"serve " A " -s", "-s: the value is missing"},
	{"serve -s 30,xhci --socket", "--socket: the value is missing"},
	{"serve " A " -s 30,xhci --log-json=yes", "--log-json=yes"},
	{"serve " A " -s 30,xhci --ready-fd x", "--ready-fd x"},
	{"serve " A " -s 30,xhci --ready-fd ''", "--ready-fd"},
	{"serve " A " -s 30,xhci --ready-fd -1", "--ready-fd -1"},
	{"serve " A " -s 30,xhci --ready-fd 4294967297", "4294967297"},
	{"serve " A " -s 30,xhci --ready-fd 99999999999999999999", "999"},
	{"serve " A " -s 30,xhci --ready-fd 777", "--ready-fd 777: not open"},
	/* the socket */
	{"serve --socket '' -s 30,xhci", "''"},
	{"serve --socket no/such/dir -s 30,xhci", "no/such/dir"},
	{"serve --socket file -s 30,xhci", "file: exists and is no socket"},
	{"serve --socket dir -s 30,xhci", "dir: exists and is no socket"},
	{"serve --socket live -s 30,xhci", "live: another process listens"},
	{"serve --socket " LONG " -s 30,xhci", "too long"},
	/* the slot option */
	{"serve " A " -s ''", "no slot"},
	{"serve " A " -s 30", "30"},
	{"serve " A " -s 30,nvme", "nvme"},
	{"serve " A " -s x,xhci", "x"},
	{"serve " A " -s 30,xhci,frobnicate=1", "frobnicate"},
	{"serve " A " -s 30,xhci,usb2=0", "usb2=0"},
	{"serve " A " -s 30,xhci,usb2=16", "usb2=16"},
	{"serve " A " -s 30,xhci,usb3=16", "usb3=16"},
	{"serve " A " -s 30,xhci,usb3=-1", "usb3=-1"},
	{"serve " A " -s 30,xhci,storage=missing", "storage=missing"},
	{"serve " A " -s 30,xhci,storage=dir", "storage=dir"},
};

/* A folder with a file, a folder, a dead socket and a live one */
static int setup(void **state)
{
	static char dir[] = "/tmp/vfu_cli.XXXXXX";
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "live"};
	static int live;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	close(open("file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(mkdir("dir", 0700), 0);
	live = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(live, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(live, 64), 0);
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	unlink("live");
	unlink("file");
	rmdir("dir");
	assert_int_equal(chdir("/"), 0);
	return rmdir(*state); /* nothing else is left there */
}

static void check_line(const char *args, const char *names, struct run *r)
{
	int code = run_end(r);
	const char *end = strchr(r->text, '\n');

	if (code != 2)
		fail_msg("vxhci %s: exit code %d: %s", args, code, r->text);
	if (!end || end[1] || strncmp(r->text, "vxhci: ", 7))
		fail_msg("vxhci %s: not one line: %s", args, r->text);
	if (!strstr(r->text, names))
		fail_msg("vxhci %s: no %s in: %s", args, names, r->text);
}

static void bad_start_is_one_line_and_exit_2(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *names = bad[i].names;
		struct run r;

		run_start(&r, bad[i].args, NULL, NULL);
		/* an empty word is itself not visible */
		if (strstr(bad[i].args, "socket ''"))
			names = "path is empty";
		check_line(bad[i].args, names, &r);
		assert_int_equal(access("a.sock", F_OK), -1);
		assert_int_equal(access("b.sock", F_OK), -1);
	}
}

static void listen_fds(void *arg)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", arg, 1);
	dup2(STDOUT_FILENO, 3);
	dup2(STDOUT_FILENO, 4);
}

static void bad_activation_is_one_line_and_exit_2(void **state)
{
	static const struct {
		const char *args;
		char fds[4];
		const char *names;
	} row[] = {
		{"serve -s 30,xhci", "1", "descriptor 3"},
		{"serve -s 30,xhci", "2", "2 sockets for 1"},
		{"serve --socket a.sock -s 30,xhci", "1", "leave --socket out"},
		{"serve -s 30,xhci", "0", "30,xhci"},
		{"serve -s 30,xhci", "-1", "30,xhci"},
		{"serve -s 30,xhci", "x", "30,xhci"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char fds[4];
		struct run r;

		memcpy(fds, row[i].fds, sizeof(fds));
		run_start(&r, row[i].args, listen_fds, fds);
		check_line(row[i].args, row[i].names, &r);
	}
}

static void asked_for_help_is_no_error(void **state)
{
	static const char *const args[] = {
		"help",         "--help",
		"-h",           "help serve",
		"serve --help", "serve --socket x --help --frobnicate",
		"--version",    "serve --version",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		struct run r;

		run_start(&r, args[i], NULL, NULL);
		assert_int_equal(run_end(&r), 0);
		assert_string_equal(r.text, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_start_is_one_line_and_exit_2),
		cmocka_unit_test(bad_activation_is_one_line_and_exit_2),
		cmocka_unit_test(asked_for_help_is_no_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
