/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each wall of `vxhci serve`, and a process behind it that tries to get
 * through: it does not, in the thread that put them up, in one that was there
 * before, and in one that came later.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/serve_walls.h"

static char folder[] = "/tmp/vxhci-walls-XXXXXX";
static char files[] = "/tmp/vxhci-files-XXXXXX";

static bool sanitized(void)
{
	return WALLS_DEFAULT == WALLS_OFF;
}

/* Attempts: 0 is what must not be; what it fails with otherwise. */
static int got(long r)
{
	return r >= 0 ? 0 : errno;
}

static int try_open(void)
{
	return got(open("/etc/passwd", O_RDONLY));
}

static int try_create(void)
{
	return got(open("/tmp/vxhci-walls-test", O_WRONLY | O_CREAT, 0600));
}

static int try_unlink(void)
{
	return got(unlink("/tmp/vxhci-walls-test"));
}

static int try_node(void)
{
	return got(open("/dev/null", O_RDWR));
}

/* A USB device's node, or the folder of them: the watcher opens them */
static int try_usb_node(void)
{
	int fd = open("/dev/bus/usb/001/001", O_RDWR);

	if (fd >= 0)
		return 0;
	if (errno == ENOENT) /* no USB here: its place will do */
		fd = open("/dev", O_RDONLY | O_DIRECTORY);
	return got(fd);
}

static int try_socket(void)
{
	return got(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int try_inet(void)
{
	return got(socket(AF_INET, SOCK_STREAM, 0));
}

static int try_code(void)
{
	return got((long)(intptr_t)mmap(NULL, 4096, PROT_READ | PROT_EXEC,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static int try_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return got(pid);
}

static int try_kill(void)
{
	return got(kill(getppid(), 0));
}

static int try_user(void)
{
	return got(syscall(SYS_setresuid, 1, 1, 1));
}

/* No request for a terminal, none that usbfs has for other programs */
static int try_ioctl(void)
{
	int fd = eventfd(0, 0);

	return got(ioctl(fd, 0x5413 /* TIOCGWINSZ */, NULL));
}

static int try_usbfs(void)
{
	int fd = eventfd(0, 0);

	return got(ioctl(fd, USBDEVFS_RELEASE_PORT, NULL));
}

static int try_wanted_usbfs(void)
{
	int fd = eventfd(0, 0);

	return got(ioctl(fd, USBDEVFS_RESET, NULL));
}

static int try_privs(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? EPERM : errno;
}

static int try_exec(void)
{
	char *argv[] = {(char *)"true", NULL};

	return got(execve("/bin/true", argv, argv));
}

static int try_ptrace(void)
{
	return got(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

/* What serving takes, all the same */
static int try_serving(void)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return fd >= 0 && p != MAP_FAILED && munmap(p, 4096) == 0 ? EPERM : 99;
}

/* A socket, where sockets may be made, and where not */
static int bind_at(const char *dir)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/walls-test-socket", dir);
	if (fd < 0)
		return 95;
	if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0)
		return errno;
	return unlink(sa.sun_path) == 0 ? 0 : errno;
}

static int try_bind(void)
{
	return bind_at("/tmp");
}

static int try_bind_inside(void)
{
	return bind_at(folder) == 0 ? EPERM : 99;
}

static int try_bind_beside(void)
{
	return bind_at(files);
}

static int open_in(const char *dir, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/file", dir);
	return got(open(path, flags, 0600));
}

static int try_open_inside(void)
{
	return open_in(files, O_RDWR) == 0 ? EPERM : 99;
}

static int try_create_inside(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/new", files);
	return got(open(path, O_RDWR | O_CREAT, 0600));
}

/* Where sockets are made no file can be opened */
static int try_open_beside_sockets(void)
{
	return open_in(folder, O_RDONLY);
}

enum with { BARE, DEVICES, CONTROL };

struct attempt {
	const char *what;
	int (*fn)(void);
	enum with with; /* DEVICES: physical ones; CONTROL: and a socket */
	int want;       /* errno; or -signal */
	int or_want;    /* or this, 0: no other */
};

static const struct attempt attempts[] = {
	{"what serving takes", try_serving, BARE, EPERM, 0},
	{"open a file", try_open, BARE, EPERM, EACCES},
	{"open a file, with devices", try_open, DEVICES, EACCES, 0},
	{"make a file", try_create, BARE, EPERM, EACCES},
	{"make a file, with devices", try_create, DEVICES, EACCES, 0},
	{"remove a file, with devices", try_unlink, DEVICES, EACCES, ENOENT},
	{"open a node that is not USB's", try_node, DEVICES, EACCES, 0},
	{"open a USB device's node", try_usb_node, DEVICES, EACCES, 0},
	{"make a socket", try_socket, BARE, EPERM, 0},
	{"speak to the network", try_inet, DEVICES, EPERM, 0},
	{"make memory code", try_code, BARE, EPERM, 0},
	{"make a process", try_process, BARE, EPERM, 0},
	{"signal another process", try_kill, BARE, EPERM, 0},
	{"become another user", try_user, BARE, EPERM, 0},
	{"any ioctl", try_ioctl, BARE, EPERM, 0},
	{"an ioctl that is not usbfs's", try_ioctl, DEVICES, EPERM, 0},
	{"an ioctl of usbfs nobody needs", try_usbfs, DEVICES, EPERM, 0},
	{"one that is needed", try_wanted_usbfs, DEVICES, ENOTTY, EINVAL},
	{"get privileges", try_privs, BARE, EPERM, 0},
	{"run a program", try_exec, BARE, -SIGSYS, 0},
	{"trace", try_ptrace, DEVICES, -SIGSYS, 0},
	{"open a file, with control", try_open, CONTROL, EACCES, 0},
	{"make a file, with control", try_create, CONTROL, EACCES, 0},
	{"a USB node, with control", try_usb_node, CONTROL, EACCES, 0},
	{"the network, with control", try_inet, CONTROL, EPERM, 0},
	{"a process, with control", try_process, CONTROL, EPERM, 0},
	{"a program, with control", try_exec, CONTROL, -SIGSYS, 0},
	{"a socket anywhere", try_bind, CONTROL, EACCES, 0},
	{"a socket among sockets", try_bind_inside, CONTROL, EPERM, 0},
	{"a file among sockets", try_open_beside_sockets, CONTROL, EACCES, 0},
	{"a socket among files", try_bind_beside, CONTROL, 0, 0},
	{"a file among files", try_open_inside, CONTROL, EPERM, 0},
	{"a new file among files", try_create_inside, CONTROL, EACCES, 0},
};

enum who { MAIN_THREAD, OLD_THREAD, NEW_THREAD, WHO_COUNT };

struct thread_arg {
	const struct attempt *a;
	int go; /* an eventfd: the walls are up */
	int result;
};

static void *old_thread(void *p)
{
	struct thread_arg *t = p;
	uint64_t n;

	while (read(t->go, &n, sizeof(n)) < 0 && errno == EINTR)
		;
	t->result = t->a->fn();
	return NULL;
}

static void behind(const struct attempt *a, enum who who)
{
	const struct wall_folder folders[] = {{folder, FOLDER_SOCKETS},
					      {files, FOLDER_FILES}};
	const struct walls_opts o = {.mode = WALLS_REQUIRE,
				     .devices = a->with != BARE,
				     .control = a->with == CONTROL,
				     .folders = folders,
				     .nfolders = a->with == CONTROL ? 2 : 0};
	struct thread_arg t = {.a = a, .go = eventfd(0, 0)};
	uint64_t one = 1;
	char err[256] = "";
	struct walls w;
	pthread_t th;

	if (who == OLD_THREAD)
		pthread_create(&th, NULL, old_thread, &t);
	if (walls_raise(&o, &w, err, sizeof(err)) != 0) {
		fprintf(stderr, "%s\n", err);
		_exit(98);
	}
	if (who == NEW_THREAD && pthread_create(&th, NULL, old_thread, &t) != 0)
		_exit(97);
	if (write(t.go, &one, sizeof(one)) < 0)
		_exit(96);
	if (who == MAIN_THREAD)
		t.result = a->fn();
	else
		pthread_join(th, NULL);
	_exit(t.result);
}

static void nobody_gets_through(void **state)
{
	(void)state;
	if (sanitized())
		skip();
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		for (enum who w = 0; w < WHO_COUNT; w++) {
			const struct attempt *a = &attempts[i];
			pid_t pid = fork();
			int st, r;

			if (pid == 0)
				behind(a, w);
			assert_int_equal(waitpid(pid, &st, 0), pid);
			r = WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st);
			if (r != a->want && (!a->or_want || r != a->or_want))
				fail_msg("%s (thread %d): %d, not %d", a->what,
					 w, r, a->want);
		}
}

/* Every one of the attempts succeeds without walls, but for these rights. */
static void without_walls_they_would(void **state)
{
	static int (*const open_to_all[])(void) = {
		try_open, try_node, try_socket, try_code, try_process};

	(void)state;
	for (size_t i = 0; i < sizeof(open_to_all) / sizeof(open_to_all[0]);
	     i++)
		assert_int_equal(open_to_all[i](), 0);
}

static void who_they_are_is_said(void **state)
{
	struct walls w = {.stands = {[WALL_SECCOMP] = true}};
	char buf[512], small[8];

	(void)state;
	for (unsigned i = 0; i < WALL_COUNT; i++)
		strcpy(w.why[i], "why");
	assert_string_equal(walls_text(&w, buf, sizeof(buf)),
			    "seccomp; not: no_new_privs (why), user (why), "
			    "capabilities (why), namespaces (why), landlock "
			    "(why)");
	assert_true(strlen(walls_text(&w, small, sizeof(small))) < 8);
}

static void a_user_that_is_not_there(void **state)
{
	const struct walls_opts o = {.mode = WALLS_OFF, .user = "no such user"};
	struct walls w;
	char err[256] = "";

	(void)state;
	assert_int_equal(walls_raise(&o, &w, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "--user no such user"));
}

static void a_user_is_taken_on(void **state)
{
	const struct walls_opts o = {.mode = WALLS_REQUIRE, .user = "nobody"};
	int st;
	pid_t pid;

	(void)state;
	if (sanitized() || geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0) {
		struct walls w;
		char err[256];

		_exit(walls_raise(&o, &w, err, sizeof(err)) != 0 ||
		      !w.stands[WALL_USER] || geteuid() == 0);
	}
	waitpid(pid, &st, 0);
	assert_int_equal(st, 0);
}

static void leave_a_mark(void *arg)
{
	*(volatile int *)arg = 1;
}

/* In the end the cleaner does its work, and not after a kill. */
static void the_cleaner_comes_in_the_end(void **state)
{
	int *mark = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	for (int killed = 1; killed >= 0; killed--) {
		pid_t pid = fork();

		if (pid == 0) {
			struct walls_cleaner c;

			walls_cleaner_start(leave_a_mark, mark, &c);
			if (killed)
				raise(SIGKILL);
			walls_cleaner_finish(&c);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		if (killed)
			usleep(50000);
		assert_int_equal(*(volatile int *)mark, !killed);
	}
	munmap(mark, 4096);
}

static int make_folders(void **state)
{
	char path[128];

	(void)state;
	if (!mkdtemp(folder) || !mkdtemp(files))
		return -1;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/file", i ? files : folder);
		close(open(path, O_WRONLY | O_CREAT, 0600));
	}
	return 0;
}

static int remove_folders(void **state)
{
	char path[128];

	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/file", i ? files : folder);
		unlink(path);
		rmdir(i ? files : folder);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_gets_through),
		cmocka_unit_test(without_walls_they_would),
		cmocka_unit_test(who_they_are_is_said),
		cmocka_unit_test(a_user_that_is_not_there),
		cmocka_unit_test(a_user_is_taken_on),
		cmocka_unit_test(the_cleaner_comes_in_the_end),
	};

	return cmocka_run_group_tests_name("walls", tests, make_folders,
					   remove_folders);
}
