/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_filter.c - the system calls that serving takes, and no other: the rest
 * fails with EPERM, and what only an intruder would call ends the process.
 */
#include <errno.h>

#include "vmm/serve_walls.h"

#ifdef HAVE_SECCOMP

#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const int allowed[] = {
	/* descriptors that are open */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(preadv),
	SCMP_SYS(pwritev),
	SCMP_SYS(preadv2),
	SCMP_SYS(pwritev2),
	SCMP_SYS(lseek),
	SCMP_SYS(close),
	SCMP_SYS(dup),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(fcntl),
	SCMP_SYS(fallocate),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(fadvise64),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(eventfd2),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(timerfd_gettime),
	SCMP_SYS(signalfd4),
	SCMP_SYS(pipe2),
	/* clients */
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	/* memory; mmap and mprotect below */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	/* time, threads, the end */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(membarrier),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_getparam),
	SCMP_SYS(sched_getscheduler),
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getrusage),
	SCMP_SYS(times),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(getrandom),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigpending),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(tgkill),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(wait4),
};

/* Landlock says of which files; these need no path to be there */
static const int with_devices[] = {
	SCMP_SYS(open),       SCMP_SYS(openat),     SCMP_SYS(access),
	SCMP_SYS(faccessat),  SCMP_SYS(faccessat2), SCMP_SYS(stat),
	SCMP_SYS(lstat),      SCMP_SYS(readlink),   SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64), SCMP_SYS(unlink),     SCMP_SYS(unlinkat),
	SCMP_SYS(mkdir),      SCMP_SYS(mkdirat),    SCMP_SYS(fstatfs),
	SCMP_SYS(statfs),     SCMP_SYS(getcwd),
};

static const int with_folders[] = {
	SCMP_SYS(open),     SCMP_SYS(openat),    SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink),
	SCMP_SYS(unlinkat), SCMP_SYS(stat),      SCMP_SYS(lstat),
	SCMP_SYS(access),   SCMP_SYS(faccessat),
};

/* Controllers that come later listen. */
static const int with_control[] = {
	SCMP_SYS(bind),  SCMP_SYS(listen), SCMP_SYS(connect),
	SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat),
};

/* Whoever calls these is not us */
static const int deadly[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(mount),
};

/* What libusb asks usbfs for, and no more: no driver is disconnected without */
static const unsigned long usbfs[] = {
	USBDEVFS_CONTROL,
	USBDEVFS_SUBMITURB,
	USBDEVFS_REAPURB,
	USBDEVFS_REAPURBNDELAY,
	USBDEVFS_DISCARDURB,
	USBDEVFS_CLAIMINTERFACE,
	USBDEVFS_RELEASEINTERFACE,
	USBDEVFS_CLEAR_HALT,
	USBDEVFS_GET_CAPABILITIES,
	USBDEVFS_RESET,
	USBDEVFS_SETCONFIGURATION,
	USBDEVFS_SETINTERFACE,
	USBDEVFS_CONNECTINFO,
	USBDEVFS_ALLOC_STREAMS,
	USBDEVFS_FREE_STREAMS,
	USBDEVFS_GETDRIVER,
	USBDEVFS_IOCTL,
	USBDEVFS_DISCONNECT_CLAIM,
	_IO('U', 31) /* USBDEVFS_GET_SPEED */,
};

static int add(scmp_filter_ctx f, uint32_t action, const int *calls, size_t n)
{
	int err = 0;

	for (size_t i = 0; !err && i < n; i++) {
		/* negative: this machine has no such call */
		if (calls[i] < 0)
			continue;
		err = seccomp_rule_add(f, action, calls[i], 0);
	}
	return err;
}

static int add_memory(scmp_filter_ctx f)
{
	/* nothing becomes code */
	int err = seccomp_rule_add(
		f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
		SCMP_A2(SCMP_CMP_MASKED_EQ, (scmp_datum_t)PROT_EXEC, 0));

	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ,
					       (scmp_datum_t)PROT_EXEC, 0));
	return err;
}

static int add_threads(scmp_filter_ctx f)
{
	/* threads, not processes; the flags of clone3 cannot be looked at: a
	 * C library falls back to clone */
	int err = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3),
				   0);

	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				       SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD,
					       CLONE_THREAD));
	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				       SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0));
	if (!err) /* looked at, not set */
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64),
				       1, SCMP_A2(SCMP_CMP_EQ, 0, 0));
	return err;
}

static int add_devices(scmp_filter_ctx f)
{
	int err = add(f, SCMP_ACT_ALLOW, with_devices, N(with_devices));

	/* to hear from the watcher */
	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socketpair),
				       1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	for (size_t i = 0; !err && i < N(usbfs); i++)
		err = seccomp_rule_add(
			f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, usbfs[i]));
	return err;
}

int walls_filter(const struct walls_opts *o)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err;

	if (!f)
		return -ENOMEM;
	/* the threads there are, too */
	err = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err)
		err = add(f, SCMP_ACT_ALLOW, allowed, N(allowed));
	if (!err)
		err = add(f, SCMP_ACT_KILL_PROCESS, deadly, N(deadly));
	if (!err)
		err = add_memory(f);
	if (!err)
		err = add_threads(f);
	if (!err && o->devices)
		err = add_devices(f);
	if (!err && o->nfolders)
		err = add(f, SCMP_ACT_ALLOW, with_folders, N(with_folders));
	if (!err && o->control)
		err = add(f, SCMP_ACT_ALLOW, with_control, N(with_control));
	if (!err && (o->notify || o->control))
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				       SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	if (!err && o->notify && !o->control)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);
	if (!err)
		err = seccomp_load(f);
	seccomp_release(f);
	return err;
}

#else

int walls_filter(const struct walls_opts *o)
{
	(void)o;
	return -ENOSYS;
}

#endif
