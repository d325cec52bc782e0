/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each call of the system of `vxhci manage` fails once while it gives the
 * devices that umockdev plays to a VM, which is this test: it refuses to start,
 * or says what went wrong. After SIGHUP, at the latest, the VM has them all.
 */
#include "tests/unit/fail_serve.h"

#include <ftw.h>
#include <jansson.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "vmm/cmd.h"
#include "vmm/manage_host.h"

#define DEVICES 2u /* of those that umockdev plays: a keyboard, a disk */

struct scene {
	struct fs f;
	int listen, vm; /* vm: the manager's connection, or -1 */
	char in[16384];
	size_t len;
	unsigned given; /* devices that the VM has */
	bool again;     /* a second VM follows; it takes a moment */
	unsigned refused, late;
};

static int run(void *arg)
{
	char *argv[] = {"manage",     "--config", "config",
			"--ready-fd", "9",        NULL};

	(void)arg;
	return cmd_manage(5, argv);
}

static void say(struct scene *s, json_t *msg)
{
	char *text = json_dumps(msg, JSON_COMPACT);

	/* where the manager is gone poll() says so */
	send(s->vm, text, strlen(text), MSG_NOSIGNAL);
	send(s->vm, "\n", 1, MSG_NOSIGNAL);
	free(text);
	json_decref(msg);
}

/* What `vxhci serve` answers, as far as the manager looks at it */
static void answer(struct scene *s, json_t *req)
{
	const char *what = json_string_value(json_object_get(req, "execute"));
	json_t *id = json_incref(json_object_get(req, "id")), *ret;

	assert_non_null(what);
	if (strcmp(what, "status") == 0) {
		ret = json_pack("{s:[{s:s, s:[]}]}", "controllers", "slot",
				"30", "devices");
		s->given = 0;
	} else {
		assert_string_equal(what, "attach");
		ret = json_pack("{s:i}", "id", (int)++s->given);
	}
	say(s, json_pack("{s:o, s:o}", "return", ret, "id", id));
}

/* Its descriptors, of devices, are closed: they are not used. */
static bool receive(struct scene *s)
{
	char room[CMSG_SPACE(8 * sizeof(int))];
	struct iovec iov = {s->in + s->len, sizeof(s->in) - s->len};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = room,
			   .msg_controllen = sizeof(room)};
	ssize_t n = recvmsg(s->vm, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *h;
	char *end;

	if (n <= 0)
		return false;
	for (h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		int fd;

		memcpy(&fd, CMSG_DATA(h), sizeof(fd));
		close(fd);
	}
	s->len += (size_t)n;
	while ((end = memchr(s->in, '\n', s->len))) {
		size_t line = (size_t)(end - s->in) + 1;
		json_t *req = json_loadb(s->in, line, 0, NULL);

		if (!json_is_object(req))
			fail_msg("%s failed: it asked: %.*s", fs_what(),
				 (int)line, s->in);
		answer(s, req);
		json_decref(req);
		s->len -= line;
		memmove(s->in, s->in + line, s->len);
	}
	return true;
}

static void hang_up(struct scene *s)
{
	if (s->vm >= 0)
		close(s->vm);
	s->vm = -1;
	s->len = 0;
	s->given = 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Be a VM for @ms, or until it has all devices. Has it? */
static bool be_vm(struct scene *s, int ms)
{
	uint64_t end = now_ms() + (uint64_t)ms, now;

	while (s->given < DEVICES && (now = now_ms()) < end) {
		struct pollfd p = {.fd = s->vm >= 0 ? s->vm : s->listen,
				   .events = POLLIN};

		if (poll(&p, 1, (int)(end - now)) != 1)
			break;
		if (s->vm < 0)
			s->vm = accept4(s->listen, NULL, NULL, SOCK_CLOEXEC);
		else if (!receive(s))
			hang_up(s);
	}
	return s->given == DEVICES;
}

/* The same, but not for long once something failed. */
static bool wait_for_all(struct scene *s)
{
	for (unsigned ms = 0; ms < FS_PATIENCE_MS; ms += 20) {
		if (be_vm(s, 20))
			return true;
		if (fail_happened() && ms >= 20)
			break;
	}
	return false;
}

static void one_manager(void *arg)
{
	static const char *const files[] = {NULL};
	struct scene *s = arg;

	if (!fs_up(&s->f, run, s, files, &s->refused)) {
		hang_up(s);
		return;
	}
	if (!wait_for_all(s)) {
		/* what failed keeps a device from it until it is told */
		s->late++;
		kill(s->f.pid, SIGHUP);
		if (!be_vm(s, FS_PATIENCE_MS))
			fail_msg("%s failed: the VM has %u devices: %s",
				 fs_what(), s->given, s->f.text);
	}
	if (s->again) {
		/* another VM, which is given all of them again */
		hang_up(s);
		if (!be_vm(s, FS_PATIENCE_MS))
			fail_msg("the next VM has %u devices", s->given);
	}
	fs_down(&s->f, UINT_MAX, files);
	hang_up(s);
}

static void put_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void each_call_fails_once(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct scene s = {.vm = -1};
	char config[256];
	unsigned n;

	(void)state;
	fs_setup(&s.f);
	setenv("RUNTIME_DIRECTORY", s.f.dir, 1);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/vm", s.f.dir);
	s.listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s.listen, (void *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(s.listen, 8), 0);
	snprintf(config, sizeof(config),
		 "{\"vms\": {\"a\": {\"control\": \"%s/vm\"}}, \"rules\": "
		 "[{\"match\": {}, \"give\": \"a\"}]}",
		 s.f.dir);
	put_file("config", config);
	fail_arm(0);
	s.again = true;
	one_manager(&s);
	s.again = false;
	n = fail_each(one_manager, &s);
	printf("%u calls failed: %u did not start, %u had to be told\n", n,
	       s.refused, s.late);
	assert_true(n > 40 && s.refused > 5);
	close(s.listen);
	unlink("vm");
	unlink("config");
	fs_teardown(&s.f);
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	return ftw->level ? remove(path) : 0;
}

static void put(const char *path, const char *text)
{
	char dir[128];

	for (const char *at = path; (at = strchr(at, '/')); at++) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(at - path), path);
		mkdir(dir, 0700);
	}
	put_file(path, text);
}

/* What cannot be read about a disk or network card does not set it free. */
static void a_scene_of_needed_devices(void *arg)
{
	struct policy_dev disk = {.info = {.bus = 1, .path = {1}, .npath = 1}};
	struct policy_dev net = {.info = {.bus = 1, .path = {2}, .npath = 1}};

	(void)arg;
	host_facts(&disk, "sys", "proc");
	host_facts(&net, "sys", "proc");
	if (!(disk.used & POLICY_ROOT_DISK) ||
	    !(net.used & (POLICY_NETWORK | POLICY_ROOT_DISK)))
		fail_msg("%s failed: disk %#x, network %#x", fs_what(),
			 disk.used, net.used);
}

static void what_cannot_be_read_is_needed(void **state)
{
	struct fs f;
	unsigned n;

	(void)state;
	fs_setup(&f);
	put("sys/usb1/1-1/block/sda/size", "1");
	put("sys/usb1/1-2/net/eth9/flags", "0x1003");
	put("sys/bus/usb/devices/x", "");
	put("sys/dev/block/x", "");
	put("sys/class/net/x/x", "");
	put("sys/block/dm-0/slaves/x", "");
	put("proc/self/mountinfo", "1 1 253:0 / / rw - ext4 /dev/dm-0 rw\n");
	put("proc/swaps", "Filename\n");
	assert_int_equal(
		symlink("../../../usb1/1-1", "sys/bus/usb/devices/1-1"), 0);
	assert_int_equal(
		symlink("../../../usb1/1-2", "sys/bus/usb/devices/1-2"), 0);
	assert_int_equal(symlink("../../block/dm-0", "sys/dev/block/253:0"), 0);
	assert_int_equal(symlink("../../../usb1/1-1/block/sda",
				 "sys/block/dm-0/slaves/sda"),
			 0);
	assert_int_equal(
		symlink("../../usb1/1-2/net/eth9", "sys/class/net/eth9"), 0);
	n = fail_each(a_scene_of_needed_devices, NULL);
	printf("%u calls failed\n", n);
	assert_true(n > 15);
	assert_int_equal(nftw(".", remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	fs_teardown(&f);
}

/* Devices are umockdev's: the test runs in it. */
static void run_in_umockdev(char *self)
{
#define FIXTURES "fixtures/umockdev/"
	char *argv[] = {"umockdev-run",
			"-d",
			FIXTURES "root-hubs.umockdev",
			"-d",
			FIXTURES "keyboard.umockdev",
			"-d",
			FIXTURES "disk.umockdev",
			"--",
			self,
			NULL};

	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
	execvp(argv[0], argv);
	perror(argv[0]);
	exit(1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_read_is_needed),
		cmocka_unit_test(each_call_fails_once),
	};

	(void)argc;
	if (!getenv("UMOCKDEV_DIR"))
		run_in_umockdev(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
