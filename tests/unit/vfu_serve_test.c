/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vxhci serve` from start to end, with the real controller: readiness,
 * sockets, signals, and both clients.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/lib/vfu_client.h"
#include "tests/unit/vfu_run.h"

#define OK(vc, call)                                          \
	do {                                                  \
		if (call)                                     \
			fail_msg("%s: %s", #call, (vc)->why); \
	} while (0)

static int setup(void **state)
{
	static char dir[32];

	strcpy(dir, "/tmp/vfu_serve.XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(chdir("/"), 0);
	return rmdir(*state); /* nothing is left there */
}

/* It ends as asked, and has @said nothing else all the time */
static void stop_saying(struct run *r, int sig, const char *said)
{
	int code;

	kill(r->pid, sig);
	code = run_end(r);
	if (code || strcmp(r->text, said))
		fail_msg("exit code %d: %s", code, r->text);
}

static void stop(struct run *r, int sig)
{
	stop_saying(r, sig, "");
}

/* All that a client does at start, and a look at the controller */
static void use(const char *path, enum vc_kind kind)
{
	int ram = memfd_create("ram", MFD_CLOEXEC);
	struct vc_mem mem = {ram, 0, 1 << 20, 0, false};
	struct vc_dev dev;
	uint32_t val;
	struct vc vc;

	assert_int_equal(ftruncate(ram, 1 << 20), 0);
	OK(&vc, vc_connect(&vc, kind, path));
	OK(&vc, vc_realize(&vc, &mem, 1, &dev));
	assert_int_equal(vc.async_errors, 0);
	assert_int_equal(dev.cfg[0x0b] << 16 | dev.cfg[0x0a] << 8 |
				 dev.cfg[0x09],
			 0x0c0330);
	assert_int_equal(dev.cfg[0x60], 0x30);
	/* HCIVERSION 1.1 or newer, USBSTS.HCH set */
	OK(&vc, vc_read32(&vc, VFU_REGION_BAR0, 0, &val));
	assert_in_range(val >> 16, 0x100, 0x120);
	OK(&vc, vc_read32(&vc, VFU_REGION_BAR0, (val & 0xff) + 4, &val));
	assert_int_equal(val & 1, 1);
	OK(&vc, vc_machine_reset(&vc, &dev));
	OK(&vc, vc_silent(&vc, 10));
	vc_close(&vc);
	close(ram);
}

static void serves_both_clients_and_ends_when_told(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct stat st;
		struct run r;

		run_start(&r, "serve --socket a -s 30,xhci --ready-fd 9", NULL,
			  NULL);
		assert_true(run_is_ready(&r));
		assert_int_equal(stat("a", &st), 0);
		assert_int_equal(st.st_mode, S_IFSOCK | 0600);
		use("a", VC_QEMU);
		use("a", VC_CLH);
		use("a", VC_QEMU);
		stop(&r, signals[i]);
		assert_int_equal(access("a", F_OK), -1);
	}
}

static void ends_while_a_client_is_connected(void **state)
{
	struct run r;
	struct vc vc;
	char c;

	(void)state;
	run_start(&r, "serve --socket a -s 30,xhci --ready-fd=9", NULL, NULL);
	assert_true(run_is_ready(&r));
	OK(&vc, vc_connect(&vc, VC_QEMU, "a"));
	OK(&vc, vc_version(&vc));
	stop(&r, SIGTERM);
	assert_int_equal(recv(vc.fd, &c, 1, 0), 0);
	vc_close(&vc);
}

static void several_controllers_in_one_process(void **state)
{
	struct run r;
	struct vc vc;

	(void)state;
	run_start(&r,
		  "serve --socket a -s 30,xhci --socket b -s 31,xhci,usb3=0 "
		  "-s 29:1,xhci --socket=c --ready-fd 9",
		  NULL, NULL);
	assert_true(run_is_ready(&r));
	/* one client that stays does not keep the others waiting */
	OK(&vc, vc_connect(&vc, VC_CLH, "a"));
	OK(&vc, vc_version(&vc));
	use("b", VC_QEMU);
	use("c", VC_CLH);
	vc_close(&vc);
	use("a", VC_QEMU);
	stop(&r, SIGTERM);
}

static void dead_socket_is_replaced_and_live_one_is_not(void **state)
{
	struct run first, second;

	(void)state;
	run_start(&first, "serve --socket a -s 30,xhci --ready-fd 9", NULL,
		  NULL);
	assert_true(run_is_ready(&first));
	run_start(&second, "serve --socket a -s 30,xhci", NULL, NULL);
	assert_int_equal(run_end(&second), 2);
	assert_non_null(strstr(second.text, "another process listens"));
	use("a", VC_QEMU);
	kill(first.pid, SIGKILL);
	assert_int_equal(run_end(&first), -SIGKILL);
	assert_int_equal(access("a", F_OK), 0);
	run_start(&second, "serve --socket a -s 30,xhci --ready-fd 9", NULL,
		  NULL);
	assert_true(run_is_ready(&second));
	use("a", VC_CLH);
	stop(&second, SIGTERM);
}

/* A mistake in the second controller takes the first one's socket along */
static void failed_start_leaves_nothing(void **state)
{
	struct run r;

	(void)state;
	run_start(&r, "serve --socket a -s 30,xhci --socket b -s 31,xhci,x=1",
		  NULL, NULL);
	assert_int_equal(run_end(&r), 2);
	assert_int_equal(access("a", F_OK), -1);
	assert_int_equal(access("b", F_OK), -1);
}

static int listener(const char *path, int type)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* The child of a service manager: @arg is the two sockets */
static void activated(void *arg)
{
	const int *fds = arg;
	int a = fcntl(fds[0], F_DUPFD, 20), b = fcntl(fds[1], F_DUPFD, 20);
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("NOTIFY_SOCKET", "notify", 1);
	dup2(a, 3);
	dup2(b, 4);
}

static void expect_notice(int fd, const char *want)
{
	char text[64];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, want);
}

static void systemd_socket_activation_and_readiness(void **state)
{
	int fds[2] = {listener("a", SOCK_STREAM), listener("b", SOCK_STREAM)};
	struct timeval tv = {.tv_sec = 10};
	int notify = listener("notify", SOCK_DGRAM);
	char path[64];
	struct run r;

	(void)state;
	setsockopt(notify, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	snprintf(path, sizeof(path), "%s/notify", (char *)*state);
	run_start(&r, "serve -s 30,xhci -s 31,xhci", activated, fds);
	/* a relative path is none that systemd gives: it is left alone */
	use("a", VC_QEMU);
	use("b", VC_CLH);
	stop(&r, SIGTERM);
	assert_int_equal(recv(notify, path, 1, MSG_DONTWAIT), -1);
	/* the manager's sockets stay */
	assert_int_equal(access("a", F_OK), 0);

	snprintf(path, sizeof(path), "%s/notify", (char *)*state);
	setenv("NOTIFY_SOCKET", path, 1);
	run_start(&r, "serve --socket c -s 30,xhci", NULL, NULL);
	expect_notice(notify, "READY=1");
	use("c", VC_QEMU);
	stop(&r, SIGTERM);
	expect_notice(notify, "STOPPING=1");
	unsetenv("NOTIFY_SOCKET");
	close(fds[0]);
	close(fds[1]);
	close(notify);
	unlink("a");
	unlink("b");
	unlink("notify");
}

/*
 * The client truncates its memory under us: Host System Error for its guest,
 * and nothing for another controller of the process.
 */
static void truncated_memory_is_a_host_system_error(void **state)
{
	int ram = memfd_create("ram", MFD_CLOEXEC);
	struct vc_mem mem = {ram, 0, 1 << 20, 0, false};
	uint64_t ring = 0x1000 | 1;
	uint32_t caps, val = 0, rtsoff, dboff;
	struct vc_dev dev;
	struct run r;
	struct vc vc;

	(void)state;
	assert_int_equal(ftruncate(ram, 1 << 20), 0);
	run_start(&r,
		  "serve --socket a -s 30,xhci --socket b -s 31,xhci "
		  "--ready-fd 9",
		  NULL, NULL);
	assert_true(run_is_ready(&r));
	OK(&vc, vc_connect(&vc, VC_CLH, "a"));
	OK(&vc, vc_realize(&vc, &mem, 1, &dev));
	assert_int_equal(ftruncate(ram, 0), 0);
	/* bus master; command ring; run; doorbell 0: a TRB is read */
	OK(&vc, vc_write32(&vc, VFU_REGION_CONFIG, 4, 0x406));
	OK(&vc, vc_read32(&vc, VFU_REGION_BAR0, 0, &caps));
	caps &= 0xff;
	OK(&vc, vc_read32(&vc, VFU_REGION_BAR0, 0x14, &dboff));
	OK(&vc, vc_read32(&vc, VFU_REGION_BAR0, 0x18, &rtsoff));
	OK(&vc, vc_write(&vc, VFU_REGION_BAR0, caps + 0x18, &ring, 8));
	OK(&vc, vc_write32(&vc, VFU_REGION_BAR0, rtsoff + 0x28, 1));
	ring = 0x2000;
	OK(&vc, vc_write(&vc, VFU_REGION_BAR0, rtsoff + 0x30, &ring, 8));
	OK(&vc, vc_write32(&vc, VFU_REGION_BAR0, caps, 1));
	OK(&vc, vc_write32(&vc, VFU_REGION_BAR0, dboff, 0));
	for (unsigned i = 0; i < 10000 && !(val & 4); i++) /* USBSTS.HSE */
		OK(&vc, vc_read32(&vc, VFU_REGION_BAR0, caps + 4, &val));
	assert_true(val & 4);
	use("b", VC_QEMU);
	vc_close(&vc);
	close(ram);
	use("a", VC_QEMU);
	kill(r.pid, SIGTERM);
	assert_int_equal(run_end(&r), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(serves_both_clients_and_ends_when_told),
		T(ends_while_a_client_is_connected),
		T(several_controllers_in_one_process),
		T(dead_socket_is_replaced_and_live_one_is_not),
		T(failed_start_leaves_nothing),
		T(systemd_socket_activation_and_readiness),
		T(truncated_memory_is_a_host_system_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
