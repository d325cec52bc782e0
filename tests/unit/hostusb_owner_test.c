/* SPDX-License-Identifier: BSD-2-Clause */
/* One owner a device: in a process, between processes, after SIGKILL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostusb/owner.h"

/* No machine has this bus: other owners on it are not met */
static const struct usb_info disk = {
	.bus = 254, .addr = 3, .path = {1, 2}, .npath = 2};
static const struct usb_info mouse = {
	.bus = 254, .addr = 4, .path = {1, 3}, .npath = 2};

static char run_dir[64];

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int setup(void **state)
{
	(void)state;
	snprintf(run_dir, sizeof(run_dir), "/tmp/vxhci-owner-XXXXXX");
	if (!mkdtemp(run_dir))
		return -1;
	setenv("RUNTIME_DIRECTORY", run_dir, 1);
	unsetenv("XDG_RUNTIME_DIR");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(run_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static unsigned files_in(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void second_claim_in_a_process_is_refused(void **state)
{
	struct owner_claim *a, *b = NULL, *c;
	char who[64] = "";

	(void)state;
	assert_int_equal(owner_claim(&disk, "xhci 30", who, 64, &a), 0);
	assert_string_equal(who, "");
	assert_int_equal(owner_claim(&disk, "xhci 31", who, 64, &b), -EBUSY);
	assert_string_equal(who, "xhci 30");
	assert_null(b);
	/* another device is free */
	assert_int_equal(owner_claim(&mouse, "xhci 31", who, 64, &c), 0);
	owner_release(c);
	/* after the failed claim the first still holds it */
	assert_int_equal(owner_claim(&disk, "xhci 31", who, 64, &b), -EBUSY);
	owner_release(a);
	assert_int_equal(owner_claim(&disk, "xhci 31", who, 64, &b), 0);
	owner_release(b);
	assert_int_equal(files_in(run_dir), 0);
}

static void asking_takes_nothing(void **state)
{
	struct owner_claim *a;
	char who[64] = "x";

	(void)state;
	assert_false(owner_find(&disk, who, sizeof(who)));
	assert_string_equal(who, "x");
	assert_int_equal(files_in(run_dir), 0);
	assert_int_equal(owner_claim(&disk, "xhci 30", who, 64, &a), 0);
	assert_true(owner_find(&disk, who, sizeof(who)));
	assert_string_equal(who, "xhci 30");
	assert_false(owner_find(&mouse, who, sizeof(who)));
	owner_release(a);
	assert_false(owner_find(&disk, who, sizeof(who)));
}

/* A process that claims @disk, says so, and waits to be killed */
static pid_t start_owner(const char *name)
{
	struct owner_claim *a;
	char who[64], c = 'n';
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		if (owner_claim(&disk, name, who, sizeof(who), &a) == 0)
			c = 'y';
		if (write(fds[1], &c, 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	assert_true(pid > 0);
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	close(fds[0]);
	close(fds[1]);
	return pid;
}

static void kill_owner(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void second_process_is_refused_until_the_first_is_dead(void **state)
{
	pid_t pid = start_owner("xhci 30 of pid 1234");
	struct owner_claim *a;
	char who[64] = "";

	(void)state;
	assert_true(owner_find(&disk, who, sizeof(who)));
	assert_int_equal(owner_claim(&disk, "me", who, 64, &a), -EBUSY);
	assert_string_equal(who, "xhci 30 of pid 1234");
	kill_owner(pid);
	/* its file is there still, and claims nothing */
	assert_int_equal(files_in(run_dir), 1);
	assert_false(owner_find(&disk, who, sizeof(who)));
	assert_int_equal(owner_claim(&disk, "me", who, 64, &a), 0);
	assert_true(owner_find(&disk, who, sizeof(who)));
	assert_string_equal(who, "me");
	owner_release(a);
}

static void owner_in_another_folder_is_found(void **state)
{
	char other[80], who[64] = "";
	struct owner_claim *a;
	pid_t pid;

	(void)state;
	/* one owner is a service, the other somebody's program */
	setenv("XDG_RUNTIME_DIR", run_dir, 1);
	snprintf(other, sizeof(other), "%s/vxhci", run_dir);
	setenv("RUNTIME_DIRECTORY", other, 1);
	pid = start_owner("a user's");
	snprintf(other, sizeof(other), "%s/service", run_dir);
	setenv("RUNTIME_DIRECTORY", other, 1);
	assert_int_equal(owner_claim(&disk, "me", who, 64, &a), -EBUSY);
	assert_string_equal(who, "a user's");
	kill_owner(pid);
	assert_int_equal(owner_claim(&disk, "me", who, 64, &a), 0);
	owner_release(a);
}

static void folder_that_all_may_write_is_not_used(void **state)
{
	char open_dir[80], who[64] = "";
	struct owner_claim *a;

	(void)state;
	snprintf(open_dir, sizeof(open_dir), "%s/open", run_dir);
	assert_int_equal(mkdir(open_dir, 0777), 0);
	assert_int_equal(chmod(open_dir, 0777), 0);
	setenv("RUNTIME_DIRECTORY", open_dir, 1);
	assert_int_equal(owner_claim(&disk, "me", who, 64, &a), 0);
	assert_int_equal(files_in(open_dir), 0);
	assert_true(owner_find(&disk, who, sizeof(who)));
	owner_release(a);
}

static void names_of_owners_are_made_safe(void **state)
{
	struct owner_claim *a, *b;
	char who[64] = "", tiny[5], path[128];
	int fd;

	(void)state;
	assert_int_equal(owner_claim(&disk, "a\x1b[2J", who, 64, &a), 0);
	assert_int_equal(owner_claim(&disk, "b", who, 64, &b), -EBUSY);
	assert_string_equal(who, "a\\x1b[2J");
	assert_int_equal(owner_claim(&disk, "b", tiny, 5, &b), -EBUSY);
	assert_string_equal(tiny, "a");
	/* one that wrote none yet */
	snprintf(path, sizeof(path), "%s/usb-254-1.2.lock", run_dir);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	close(fd);
	assert_true(owner_find(&disk, who, sizeof(who)));
	assert_string_equal(who, "another program");
	owner_release(a);
	owner_release(NULL);
}

/* Links planted in the folder lead nowhere */
static void links_are_not_followed(void **state)
{
	char path[128], target[128], who[64];
	struct owner_claim *a;
	struct stat st;

	(void)state;
	snprintf(target, sizeof(target), "%s/target", run_dir);
	snprintf(path, sizeof(path), "%s/usb-254-1.2.lock", run_dir);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(owner_claim(&disk, "me", who, 64, &a), 0);
	assert_int_equal(stat(target, &st), -1);
	owner_release(a);
}

/* Of many who claim it at once one has it, and never two. */
static void only_one_of_many_at_once(void **state)
{
	enum { N = 4, ROUNDS = 200 };
	struct {
		atomic_uint ready, have, most, got, done;
	} *sh = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[N];

	(void)state;
	assert_ptr_not_equal(sh, MAP_FAILED);
	for (unsigned k = 0; k < N; k++) {
		pid[k] = fork();
		assert_true(pid[k] >= 0);
		if (pid[k] > 0)
			continue;
		for (unsigned r = 1; r <= ROUNDS; r++) {
			struct owner_claim *a;
			char who[64];

			sh->ready++;
			while (sh->ready < r * N)
				sched_yield();
			if (owner_claim(&disk, "me", who, 64, &a) == 0) {
				if (++sh->have > 1)
					sh->most = 2;
				sh->got++;
				sched_yield();
				sh->have--;
				owner_release(a);
			}
			/* all have tried */
			sh->done++;
			while (sh->done < r * N)
				sched_yield();
		}
		_exit(0);
	}
	for (unsigned k = 0; k < N; k++)
		assert_int_equal(waitpid(pid[k], NULL, 0), pid[k]);
	assert_int_equal(sh->ready, N * ROUNDS);
	assert_int_not_equal(sh->most, 2);
	assert_true(sh->got >= ROUNDS / 2);
	munmap(sh, 4096);
}

/* A process of another user that claims, or tries to: what came of it */
static pid_t start_user(uid_t uid, const char *name, int *ret_fd)
{
	struct owner_claim *a;
	char who[64] = "";
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setresuid(uid, uid, uid) == 0 &&
		    owner_claim(&disk, name, who, sizeof(who), &a) == 0)
			strcpy(who, "mine");
		if (write(fds[1], who, sizeof(who)) > 0)
			for (;;)
				pause();
		_exit(1);
	}
	close(fds[1]);
	*ret_fd = fds[0];
	return pid;
}

static void expect_user(uid_t uid, const char *name, const char *want)
{
	char who[64];
	int fd;
	pid_t pid = start_user(uid, name, &fd);

	assert_int_equal(read(fd, who, sizeof(who)), sizeof(who));
	assert_string_equal(who, want);
	close(fd);
	kill_owner(pid);
}

/* `vxhci serve --user`: who it is does not matter. */
static void other_users_claims_are_seen(void **state)
{
	static const uid_t users[] = {65533, 65534, 0};
	struct stat st;
	char dir[96];

	(void)state;
	if (geteuid() != 0 || chown(run_dir, 0, 0) != 0)
		skip();
	assert_int_equal(chmod(run_dir, 0755), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(owner_user_folder(users[i], users[i]), 0);
		snprintf(dir, sizeof(dir), "%s/%u", run_dir, users[i]);
		assert_int_equal(stat(dir, &st), 0);
		assert_int_equal(st.st_uid, users[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		char who[64], name[32];
		int fd;
		pid_t pid;

		snprintf(name, sizeof(name), "a serve of user %u", users[i]);
		pid = start_user(users[i], name, &fd);
		assert_int_equal(read(fd, who, sizeof(who)), sizeof(who));
		assert_string_equal(who, "mine");
		close(fd);
		for (unsigned k = 0; k < 3; k++)
			expect_user(users[k], "another", name);
		kill_owner(pid);
	}
}

/* What a user puts into another's folder, or one of its own, claims nothing. */
static void made_up_folders_are_not_looked_into(void **state)
{
	char dir[96], own[96], who[64];
	struct owner_claim *a, *b;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/%u", run_dir, geteuid());
	assert_int_equal(mkdir(dir, 0755), 0);
	setenv("RUNTIME_DIRECTORY", dir, 1);
	assert_int_equal(owner_claim(&disk, "x", who, 64, &a), 0);
	setenv("RUNTIME_DIRECTORY", run_dir, 1);
	assert_true(owner_find(&disk, who, sizeof(who)));
	assert_string_equal(who, "x");
	/* all may write there */
	assert_int_equal(chmod(dir, 0777), 0);
	assert_false(owner_find(&disk, who, sizeof(who)));
	assert_int_equal(chmod(dir, 0755), 0);
	/* it is not a user's */
	snprintf(own, sizeof(own), "%s/12x", run_dir);
	assert_int_equal(rename(dir, own), 0);
	assert_false(owner_find(&disk, who, sizeof(who)));
	assert_int_equal(owner_claim(&disk, "y", who, 64, &b), 0);
	owner_release(b);
	assert_int_equal(rename(own, dir), 0);
	owner_release(a);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(second_claim_in_a_process_is_refused),
		TEST(asking_takes_nothing),
		TEST(second_process_is_refused_until_the_first_is_dead),
		TEST(owner_in_another_folder_is_found),
		TEST(folder_that_all_may_write_is_not_used),
		TEST(names_of_owners_are_made_safe),
		TEST(links_are_not_followed),
		TEST(only_one_of_many_at_once),
		TEST(other_users_claims_are_seen),
		TEST(made_up_folders_are_not_looked_into),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
