/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/serve.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vmm/cmd.h"
#include "vmm/loop.h"
#include "vmm/loop_fds.h"
#include "vmm/serve_log.h"
#include "vmm/serve_socket.h"
#include "vmm/vfu_server.h"

#define LINGER_NS 300000u

/* One controller with all that serves it. */
struct serve_ctl {
	struct loop *loop;         /* owned; what follows runs in it */
	struct vxhci *v;           /* owned */
	struct vfu_dev dev;        /* embedded */
	struct vfu_server *server; /* owned */
	struct serve_socket sock;  /* embedded */
	struct serve_log log;      /* embedded */
	struct loop_fds fds;       /* embedded: of the host's devices */
	struct loop *main_loop;    /* borrowed */
	pthread_t thread;
	bool started; /* there is a thread to join */
	int err;      /* of the thread, after it was joined */
};

struct serve {
	const struct serve_opts *o;  /* borrowed */
	struct serve_ctl *ctl;       /* owned, o->npairs of them */
	struct loop *loop;           /* owned: the main thread's */
	struct loop_fd signal;       /* a signalfd, owned */
	struct vxhci_pcap *pcap;     /* owned; NULL: no capture */
	struct serve_log pcap_log;   /* embedded: what its thread says */
	struct vxhci_record *record; /* owned; NULL: no recording */
	struct serve_log record_log; /* embedded: what its thread says */
};

/* struct vxhci_ops, with struct serve_ctl as opaque */
static void ctl_msix(void *opaque, unsigned vector)
{
	struct serve_ctl *c = opaque;

	vfu_irq_raise(&c->dev.irq, vector);
}

static void ctl_wake(void *opaque)
{
	struct serve_ctl *c = opaque;

	loop_wake(c->loop);
}

static void ctl_log(void *opaque, enum vxhci_log level, const char *line)
{
	struct serve_ctl *c = opaque;

	serve_log_line(&c->log, level, line);
}

static void ctl_mem_released(void *opaque, void *cookie)
{
	struct serve_ctl *c = opaque;

	vfu_dma_released(&c->dev.dma, cookie);
}

static void ctl_fd_ready(void *arg)
{
	struct serve_ctl *c = arg;

	vxhci_fd_ready(c->v);
}

static void ctl_fd_watch(void *opaque, int fd, short events)
{
	struct serve_ctl *c = opaque;

	if (!loop_fds_watch(&c->fds, fd, events))
		serve_log_line(&c->log, VXHCI_LOG_ERROR,
			       "too many USB devices: one is not listened to");
}

static const struct vxhci_ops ctl_ops = {
	.msix = ctl_msix,
	.wake = ctl_wake,
	.log = ctl_log,
	.mem_released = ctl_mem_released,
	.fd_watch = ctl_fd_watch,
};

static uint64_t ctl_work(void *arg)
{
	struct serve_ctl *c = arg;

	loop_fds_apply(&c->fds);
	return vfu_server_work(c->server);
}

static void *ctl_thread(void *arg)
{
	struct serve_ctl *c = arg;

	c->err = loop_run(c->loop);
	loop_stop(c->main_loop);
	return NULL;
}

/*
 * A client may truncate the memory it shares while we use it. Zeroes take the
 * place of what is not there any more, as long as the client keeps it mapped:
 * its guest loses data, the other controllers of this process lose nothing.
 */
static void on_sigbus(int sig, siginfo_t *si, void *context)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *at = (void *)((uintptr_t)si->si_addr & ~(page - 1));
	int saved = errno;

	(void)context;
	if (si->si_code != BUS_ADRERR ||
	    mmap(at, page, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		signal(sig, SIG_DFL);
	errno = saved;
}

static void signal_ready(struct loop_fd *f, short revents)
{
	struct serve *s = (void *)((char *)f - offsetof(struct serve, signal));

	(void)revents;
	loop_stop(s->loop);
}

static int signals_init(struct serve *s)
{
	struct sigaction bus = {.sa_sigaction = on_sigbus,
				.sa_flags = SA_SIGINFO};
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* before there is a thread, so that each inherits it */
	err = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (err)
		return -err;
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGBUS, &bus, NULL);
	s->signal.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal.fd < 0)
		return -errno;
	s->signal.events = POLLIN;
	s->signal.ready = signal_ready;
	err = loop_create(NULL, NULL, &s->loop);
	return err ? err : loop_add(s->loop, &s->signal);
}

/* Exit code of a failure that is no one's configuration */
static int failed(const char *what, int err)
{
	fprintf(stderr, "vxhci: %s: %s: free some resources and try again\n",
		what, strerror(-err));
	return CMD_FAILED;
}

static int refused(char *line)
{
	/* one line, whatever names are in it */
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = '?';
	fprintf(stderr, "vxhci: %s\n", line);
	return CMD_USAGE;
}

static int same_slot(const struct serve *s, unsigned i, char *line, size_t len)
{
	for (unsigned j = 0; j < i; j++) {
		if (strcmp(vxhci_slot(s->ctl[j].v), vxhci_slot(s->ctl[i].v)))
			continue;
		snprintf(line, len,
			 "-s %s: slot %s is taken by -s %s: give each "
			 "controller its own",
			 s->o->pairs[i].slot, vxhci_slot(s->ctl[i].v),
			 s->o->pairs[j].slot);
		return -EEXIST;
	}
	return 0;
}

/*
 * After a message, look for the next one, at most this long (loop_linger());
 * with one processor that would only keep the client from sending it.
 */
static uint64_t linger_ns(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) < 2)
		return 0;
	return LINGER_NS;
}

/* Make controller @i. Returns 0 or the exit code, with the line said. */
static int ctl_start(struct serve *s, unsigned i)
{
	struct serve_ctl *c = &s->ctl[i];
	char line[512] = "";
	int err;

	err = loop_create(ctl_work, c, &c->loop);
	if (err)
		return failed("event loop", err);
	loop_linger(c->loop, linger_ns());
	err = loop_fds_init(&c->fds, c->loop, ctl_fd_ready, c);
	if (err) {
		loop_destroy(c->loop);
		c->loop = NULL;
		return failed("mutex", err);
	}
	vfu_dev_init(&c->dev, NULL);
	/* nothing is guest's doing before there is a guest */
	serve_log_init(&c->log, STDERR_FILENO, s->o->level, s->o->log_json,
		       s->o->pairs[i].slot);
	c->main_loop = s->loop;
	err = vxhci_create_recorded(s->o->pairs[i].slot, &ctl_ops, c, s->record,
				    line, sizeof(line), &c->v);
	if (err == -ENOMEM || err == -EAGAIN)
		return failed(s->o->pairs[i].slot, err);
	if (err)
		return refused(line);
	if (same_slot(s, i, line, sizeof(line)))
		return refused(line);
	c->log.name = vxhci_slot(c->v);
	c->dev.v = c->v;
	c->dev.log = serve_log_line;
	c->dev.log_arg = &c->log;
	err = vfu_server_create(c->loop, &c->dev, c->sock.fd, &c->server);
	if (err)
		return failed("vfio-user server", err);
	return 0;
}

/* After all else that may be a mistake: a capture that is there is emptied. */
static int pcap_start(struct serve *s)
{
	char line[512] = "--pcap ";
	size_t n = strlen(line);
	int err = 0;

	if (s->o->pcap == NULL)
		return CMD_OK;
	err = vxhci_pcap_open(s->o->pcap, serve_log_line, &s->pcap_log,
			      line + n, sizeof(line) - n, &s->pcap);
	if (err)
		return refused(line);
	for (unsigned i = 0; !err && i < s->o->npairs; i++)
		err = vxhci_pcap_add(s->pcap, s->ctl[i].v);
	return err ? failed("--pcap", err) : CMD_OK;
}

/* Before the controllers are made, which are in it from their beginning. */
static int record_start(struct serve *s)
{
	char line[512] = "--record ";
	size_t n = strlen(line);
	int err;

	if (s->o->record == NULL)
		return CMD_OK;
	err = vxhci_record_open(s->o->record, serve_log_line, &s->record_log,
				line + n, sizeof(line) - n, &s->record);
	return err ? refused(line) : CMD_OK;
}

static int ctl_run(struct serve_ctl *c)
{
	int err = pthread_create(&c->thread, NULL, ctl_thread, c);

	if (err)
		return failed("thread", -err);
	c->started = true;
	return 0;
}

static void ctl_stop(struct serve_ctl *c)
{
	if (c->started) {
		loop_stop(c->loop);
		pthread_join(c->thread, NULL);
	}
	vfu_server_destroy(c->server);
	serve_socket_close(&c->sock);
	vxhci_destroy(c->v);
	if (c->loop) {
		loop_fds_fini(&c->fds);
		serve_log_fini(&c->log);
	}
	loop_destroy(c->loop);
}

/* Every socket before any device is touched: most mistakes show here */
static int sockets_open(struct serve *s)
{
	char line[512];
	int next = SERVE_FIRST_FD;

	for (unsigned i = 0; i < s->o->npairs; i++) {
		const char *path = s->o->pairs[i].socket;
		struct serve_socket *k = &s->ctl[i].sock;
		int err;

		err = path ? serve_socket_listen(k, path, line, sizeof(line))
			   : serve_socket_adopt(k, next++, line, sizeof(line));
		if (err)
			return refused(line);
	}
	return 0;
}

static void say_ready(const struct serve *s)
{
	if (s->o->ready_fd >= 0) {
		ssize_t n = write(s->o->ready_fd, "\n", 1);

		(void)n; /* who asked for it does not listen */
		if (s->o->ready_fd > STDERR_FILENO)
			close(s->o->ready_fd);
	}
	serve_notify("READY=1");
}

static int serve_start(struct serve *s)
{
	int code, err;

	err = signals_init(s);
	if (err)
		return failed("signals", err);
	code = sockets_open(s);
	if (!code)
		code = record_start(s);
	for (unsigned i = 0; !code && i < s->o->npairs; i++)
		code = ctl_start(s, i);
	if (!code)
		code = pcap_start(s);
	for (unsigned i = 0; !code && i < s->o->npairs; i++)
		code = ctl_run(&s->ctl[i]);
	return code;
}

int serve_run(const struct serve_opts *o)
{
	struct serve s = {.o = o, .signal.fd = -1};
	int code, err = 0;

	s.ctl = calloc(o->npairs, sizeof(*s.ctl));
	if (!s.ctl)
		return failed("serve", -ENOMEM);
	for (unsigned i = 0; i < o->npairs; i++)
		s.ctl[i].sock.fd = -1;
	serve_log_init(&s.pcap_log, STDERR_FILENO, o->level, o->log_json,
		       "pcap");
	serve_log_init(&s.record_log, STDERR_FILENO, o->level, o->log_json,
		       "record");
	code = serve_start(&s);
	if (!code) {
		say_ready(&s);
		err = loop_run(s.loop);
		serve_notify("STOPPING=1");
	}
	for (unsigned i = 0; i < o->npairs; i++) {
		ctl_stop(&s.ctl[i]);
		err = err ? err : s.ctl[i].err;
	}
	vxhci_pcap_close(s.pcap);
	serve_log_fini(&s.pcap_log);
	vxhci_record_close(s.record);
	serve_log_fini(&s.record_log);
	if (err)
		code = failed("event loop", err);
	if (s.signal.fd >= 0)
		close(s.signal.fd);
	loop_destroy(s.loop);
	free(s.ctl);
	return code;
}
