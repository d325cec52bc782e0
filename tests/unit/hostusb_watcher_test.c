/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The watcher: what it does when the engine dies, in which way whatsoever, what
 * it does not do, and what it opens. Its action is replaced by a line in a file.
 */
#include "tests/unit/hostusb_sys.h"

static const struct usb_info mouse = {
	.bus = 9, .addr = 4, .path = {1, 3}, .npath = 2, .vid = 1, .pid = 2};

static char said[80]; /* what the watcher did, a line each */

static int setup(void **state)
{
	int r = make_dir(state);

	snprintf(said, sizeof(said), "%s/said", dir);
	return r;
}

/* In the watcher's process */
static int fake_rebind(const struct watcher_note *n, const void *arg)
{
	char line[128];

	snprintf(line, sizeof(line), "%u-%u.%u %04x:%04x %x config %u %s\n",
		 n->bus, n->path[0], n->path[1], n->vid, n->pid, n->ifaces,
		 n->config, n->driver[0][0] ? n->driver[0] : "-");
	say(arg, line);
	return 0;
}

/* Claimed still at the first three tries */
static int busy_rebind(const struct watcher_note *n, const void *arg)
{
	struct stat st;

	if (stat(arg, &st) == 0 && st.st_size >= 3)
		return fake_rebind(n, arg);
	say(arg, ".");
	return -EBUSY;
}

/* The watcher is no child of ours: its end is seen when it closes this. */
static const struct watcher_ops ops = {.rebind = fake_rebind, .arg = said};
static const struct watcher_ops busy_ops = {.rebind = busy_rebind, .arg = said};

/* All that was said so far, once that is @want; waits for it. */
static void expect_said(const char *want)
{
	char buf[4096];

	for (unsigned t = 0; t < 1000; t++) {
		int fd = open(said, O_RDONLY);
		ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);

		if (fd >= 0)
			close(fd);
		buf[n > 0 ? n : 0] = '\0';
		if (!strcmp(buf, want) && want[0])
			return;
		if (!want[0] && t == 30)
			break; /* nothing is to come: it had 300 ms */
		poll(NULL, 0, 10);
	}
	assert_string_equal(buf, want);
}

typedef void engine(struct watcher *w);

/* Run @e in a process of its own, wait for its end. */
static void run_engine(const struct watcher_ops *o, engine *e)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct watcher *w;

		if (watcher_start_ops(o, &w) != 0)
			_exit(8);
		e(w);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
}

static void note_and_die(struct watcher *w)
{
	watcher_note(w, &disk, 1);
	watcher_note(w, &disk, 2);
	watcher_note_config(w, &disk, 1);
	kill(getpid(), SIGKILL);
}

static void killed_engine_gives_back(void **state)
{
	(void)state;
	run_engine(&ops, note_and_die);
	expect_said("9-1.2 1234:5678 3 config 1 usb-storage\n");
}

static void note_and_crash(struct watcher *w)
{
	watcher_note(w, &mouse, 1);
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}

static void crashed_engine_gives_back(void **state)
{
	(void)state;
	run_engine(&ops, note_and_crash);
	expect_said("9-1.3 0001:0002 1 config 0 -\n");
}

static void note_and_exit(struct watcher *w)
{
	watcher_note(w, &mouse, 1);
}

static void ended_engine_gives_back(void **state)
{
	(void)state;
	run_engine(&ops, note_and_exit);
	expect_said("9-1.3 0001:0002 1 config 0 -\n");
}

static void forget_one_and_die(struct watcher *w)
{
	struct usb_info other = disk;

	other.pid++; /* at the same place, but not the same device */
	watcher_note(w, &disk, 3);
	watcher_note(w, &mouse, 1);
	watcher_forget(w, &other);
	watcher_forget(w, &disk);
	watcher_forget(w, &disk);
	kill(getpid(), SIGKILL);
}

static void forgotten_device_is_left_alone(void **state)
{
	(void)state;
	run_engine(&ops, forget_one_and_die);
	expect_said("9-1.3 0001:0002 1 config 0 -\n");
}

static void forget_all_and_die(struct watcher *w)
{
	watcher_note(w, &disk, 3);
	watcher_forget(w, &disk);
	watcher_note(w, &mouse, 1);
	watcher_forget(w, &mouse);
	kill(getpid(), SIGKILL);
}

static void nothing_noted_nothing_done(void **state)
{
	(void)state;
	run_engine(&ops, forget_all_and_die);
	expect_said("");
}

static void device_claimed_still_is_tried_again(void **state)
{
	(void)state;
	run_engine(&busy_ops, note_and_exit);
	expect_said("...9-1.3 0001:0002 1 config 0 -\n");
}

/* A terminal's ^C or a service manager's SIGTERM goes to all of a group. */
static void kill_group_and_die(struct watcher *w)
{
	setpgid(0, 0);
	watcher_note(w, &mouse, 1);
	poll(NULL, 0, 50); /* the watcher is listening */
	kill(0, SIGKILL);
}

static void signals_to_the_engines_group_miss_it(void **state)
{
	(void)state;
	run_engine(&ops, kill_group_and_die);
	expect_said("9-1.3 0001:0002 1 config 0 -\n");
}

/* A child of the engine that keeps its descriptors, as forks do, for 5 s */
static void leave_child_and_die(struct watcher *w)
{
	struct stat st;

	watcher_note(w, &mouse, 1);
	if (fork() == 0) {
		for (unsigned t = 0; t < 250 && stat(said, &st) != 0; t++)
			poll(NULL, 0, 20);
		_exit(0);
	}
	kill(getpid(), SIGKILL);
}

static void descriptors_left_in_a_child_do_not_hide_the_death(void **state)
{
	struct stat st;
	unsigned t = 0;

	(void)state;
	run_engine(&ops, leave_child_and_die);
	while (stat(said, &st) != 0 && t++ < 400)
		poll(NULL, 0, 10);
	assert_true(t < 400); /* before the child went */
	expect_said("9-1.3 0001:0002 1 config 0 -\n");
}

/* Its end is seen by what it would hold open if it were there */
static void watcher_holds_nothing_and_is_no_child(void **state)
{
	struct watcher *w;
	struct pollfd p;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(watcher_start_ops(&ops, &w), 0);
	close(fds[1]);
	p = (struct pollfd){.fd = fds[0], .events = POLLIN};
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(p.revents & POLLHUP);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	watcher_note(w, &mouse, 1);
	watcher_stop(w);
	close(fds[0]);
	expect_said("9-1.3 0001:0002 1 config 0 -\n");
}

static void more_devices_than_it_can_note_are_no_harm(void **state)
{
	struct usb_info i = mouse;
	struct watcher *w;

	(void)state;
	assert_int_equal(watcher_start_ops(&ops, &w), 0);
	for (unsigned n = 0; n < 3 * WATCHER_MAX_DEVICES; n++) {
		i.addr = (uint8_t)n;
		i.path[0] = (uint8_t)(1 + n);
		watcher_note(w, &i, 1);
		/* its socket holds some: let it read */
		if (n % 32 == 31)
			poll(NULL, 0, 20);
	}
	for (unsigned n = 0; n < 3 * WATCHER_MAX_DEVICES; n++) {
		i.path[0] = (uint8_t)(1 + n);
		watcher_forget(w, &i);
		if (n % 32 == 31)
			poll(NULL, 0, 20);
	}
	watcher_note(w, &mouse, 1);
	watcher_stop(w);
	expect_said("9-1.3 0001:0002 1 config 0 -\n");
}

static void no_watcher_is_allowed(void **state)
{
	(void)state;
	watcher_note(NULL, &mouse, 1);
	watcher_note_config(NULL, &mouse, 1);
	watcher_forget(NULL, &mouse);
	watcher_stop(NULL);
}

/* --- what it opens --- */

/* In the watcher's process: a node is a file that says who asked */
static int fake_open_node(const struct watcher_note *n,
			  const struct watcher_policy *p)
{
	char path[160];

	if (!p->any && !(p->n == 1 && p->allowed[0].vid == n->vid))
		return -EPERM;
	snprintf(path, sizeof(path), "%s/%04x", dir, n->vid);
	if (n->vid == disk.vid)
		say(path, "node");
	return open(path, O_RDONLY) < 0 ? -errno : open(path, O_RDONLY);
}

static void start_opener(bool any, struct watcher **ret)
{
	static struct watcher_policy p;
	const struct watcher_ops o = {.rebind = fake_rebind,
				      .arg = said,
				      .open = fake_open_node,
				      .policy = &p};

	p = (struct watcher_policy){
		.any = any, .n = 1, .allowed = {{.vid = disk.vid}}};
	assert_int_equal(watcher_start_ops(&o, ret), 0);
	/* it is the watcher's policy, not ours, that counts */
	p = (struct watcher_policy){.any = true};
}

static void watcher_opens_what_it_may(void **state)
{
	struct watcher *w;
	char buf[8] = "";
	int fd;

	(void)state;
	start_opener(false, &w);
	for (unsigned n = 0; n < 40; n++) {
		fd = watcher_open(w, &disk);
		assert_true(fd >= 0);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(read(fd, buf, 4), 4);
		assert_string_equal(buf, "node");
		close(fd);
		assert_int_equal(watcher_open(w, &mouse), -EPERM);
	}
	watcher_note(w, &mouse, 1);
	watcher_stop(w);
	expect_said("9-1.3 0001:0002 1 config 0 -\n");
}

static void opener_says_what_is_wrong(void **state)
{
	struct watcher *w;

	(void)state;
	start_opener(true, &w);
	assert_int_equal(watcher_open(w, &mouse), -ENOENT);
	watcher_stop(w);
	assert_int_equal(watcher_open(NULL, &mouse), -ENOTSUP);
	assert_int_equal(watcher_start_ops(&ops, &w), 0);
	assert_int_equal(watcher_open(w, &mouse), -ENOTSUP);
	watcher_stop(w);
}

/* Several threads, as of several controllers */
static void *open_often(void *w)
{
	for (unsigned n = 0; n < 20; n++) {
		int fd = watcher_open(w, &disk);

		if (fd < 0 && fd != -EAGAIN)
			return w;
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static void threads_get_their_own_answers(void **state)
{
	pthread_t t[4];
	struct watcher *w;
	void *bad;

	(void)state;
	start_opener(true, &w);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(pthread_create(&t[n], NULL, open_often, w), 0);
	for (unsigned n = 0; n < 4; n++) {
		pthread_join(t[n], &bad);
		assert_null(bad);
	}
	watcher_stop(w);
}

static void see_dir(struct watcher_note *n)
{
	watcher_see(n, dir);
}

/*
 * The engine says what it likes, and of other devices. The drivers are away
 * when its call returns, and others come with another configuration.
 */
static void lie_and_die(struct watcher *w)
{
	struct usb_info i = disk;

	snprintf(i.iface[0].driver, sizeof(i.iface[0].driver), "vfio");
	watcher_note(w, &i, 3);
	put_driver(DISK "9-1.2:1.0", "");
	watcher_note(w, &mouse, 1);
	watcher_note_config(w, &i, 7);
	put(DISK "bConfigurationValue", "2\n");
	put_driver(DISK "9-1.2:2.0", "other");
	put_driver(DISK "9-1.2:2.1", "other");
	watcher_note(w, &i, 3);
	watcher_note_config(w, &i, 2);
	kill(getpid(), SIGKILL);
}

static void what_the_engine_says_is_not_believed(void **state)
{
	static const struct watcher_ops o = {
		.rebind = fake_rebind, .arg = said, .see = see_dir};

	(void)state;
	put_disk();
	put_driver(DISK "9-1.2:1.0", "usb-storage");
	run_engine(&o, lie_and_die);
	expect_said("9-1.2 1234:5678 1 config 1 usb-storage\n");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, remove_dir)
	const struct CMUnitTest tests[] = {
		TEST(killed_engine_gives_back),
		TEST(crashed_engine_gives_back),
		TEST(ended_engine_gives_back),
		TEST(forgotten_device_is_left_alone),
		TEST(nothing_noted_nothing_done),
		TEST(device_claimed_still_is_tried_again),
		TEST(signals_to_the_engines_group_miss_it),
		TEST(descriptors_left_in_a_child_do_not_hide_the_death),
		TEST(watcher_holds_nothing_and_is_no_child),
		TEST(more_devices_than_it_can_note_are_no_harm),
		TEST(no_watcher_is_allowed),
		TEST(watcher_opens_what_it_may),
		TEST(opener_says_what_is_wrong),
		TEST(threads_get_their_own_answers),
		TEST(what_the_engine_says_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
