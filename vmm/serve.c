/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "hostusb/hostusb.h"
#include "vmm/cmd.h"
#include "vmm/serve_impl.h"

/*
 * A client may truncate the memory it shares while we use it: a host system
 * error of its controller, and of no other. What is no guest memory is a fault
 * of ours, and ends us when the instruction is tried again.
 */
static void on_sigbus(int sig, siginfo_t *si, void *context)
{
	(void)context;
	if (si->si_code != BUS_ADRERR || !vxhci_mem_fault(si->si_addr))
		signal(sig, SIG_DFL);
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
	err = loop_create(serve_control_work, s, &s->loop);
	return err ? err : loop_add(s->loop, &s->signal);
}

/* Exit code of a failure that is no one's configuration */
int serve_failed(const char *what, int err)
{
	fprintf(stderr, "vxhci: %s: %s: free some resources and try again\n",
		what, strerror(-err));
	return CMD_FAILED;
}

int serve_refused(char *line)
{
	/* one line, whatever names are in it */
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = '?';
	fprintf(stderr, "vxhci: %s\n", line);
	return CMD_USAGE;
}

static int same_slot(const struct serve *s, const struct serve_ctl *c,
		     char *line, size_t len)
{
	for (const struct serve_ctl *o = s->ctls; o != c; o = o->next) {
		if (strcmp(o->name, c->name) != 0)
			continue;
		snprintf(line, len,
			 "-s %s: slot %s is taken by -s %s: give each "
			 "controller its own",
			 c->slot, c->name, o->slot);
		return -EEXIST;
	}
	return 0;
}

/* Make the controller. Returns 0 or the exit code, with the line said. */
static int ctl_start(struct serve *s, struct serve_ctl *c)
{
	char line[512];
	int err = serve_ctl_make(c);

	if (err && c->line[0])
		return serve_refused(c->line);
	if (err)
		return serve_failed(c->slot, err);
	if (same_slot(s, c, line, sizeof(line)))
		return serve_refused(line);
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
		return serve_refused(line);
	for (struct serve_ctl *c = s->ctls; !err && c; c = c->next)
		err = vxhci_pcap_add(s->pcap, c->v);
	return err ? serve_failed("--pcap", err) : CMD_OK;
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
	return err ? serve_refused(line) : CMD_OK;
}

/* Every socket before any device is touched: most mistakes show here */
static int sockets_open(struct serve *s)
{
	char line[512];
	int next = SERVE_FIRST_FD;

	for (unsigned i = 0; i < s->o->npairs; i++) {
		const struct serve_pair *p = &s->o->pairs[i];
		struct serve_ctl *c = serve_ctl_add(s, p->slot, p->socket);
		int err;

		if (!c)
			return serve_failed("serve", -ENOMEM);
		err = c->path ? serve_socket_listen(&c->sock, c->path, line,
						    sizeof(line))
			      : serve_socket_adopt(&c->sock, next++, line,
						   sizeof(line));
		if (err)
			return serve_refused(line);
	}
	return serve_control_open(s);
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
	struct serve_ctl *c;
	int code, err;

	err = signals_init(s);
	if (err)
		return serve_failed("signals", err);
	code = serve_share_start(s);
	if (!code)
		code = sockets_open(s);
	if (!code)
		code = record_start(s);
	for (c = s->ctls; !code && c; c = c->next)
		code = ctl_start(s, c);
	if (!code)
		code = pcap_start(s);
	if (!code)
		code = serve_walls_start(s);
	if (!code)
		code = serve_control_start(s);
	for (c = s->ctls; !code && c; c = c->next) {
		err = serve_ctl_run(c);
		if (err)
			code = serve_failed("thread", err);
	}
	return code;
}

/* All at once, then one after the other. Returns what a thread failed with. */
static int ctls_end(struct serve *s)
{
	int err = 0;

	for (struct serve_ctl *c = s->ctls; c; c = c->next)
		serve_ctl_stop(c);
	while (s->ctls) {
		struct serve_ctl *c = s->ctls;

		/* one that is being made has a loop to stop later */
		while (c->late && !atomic_load(&c->ended) &&
		       atomic_load(&c->made) != SERVE_MADE)
			usleep(1000);
		serve_ctl_stop(c);
		control_finish(s->control, c->later, NULL, CONTROL_FAILED,
			       "the process ends");
		c->later = NULL;
		serve_ctl_join(c);
		err = err || c->late ? err : c->err;
		serve_ctl_free(c);
	}
	return err;
}

int serve_run(const struct serve_opts *o)
{
	struct serve s = {.o = o,
			  .signal.fd = -1,
			  .control_sock.fd = -1,
			  .lock = PTHREAD_MUTEX_INITIALIZER};
	int code, err = 0, end;

	serve_log_init(&s.pcap_log, STDERR_FILENO, o->level, o->log_json,
		       "pcap");
	serve_log_init(&s.record_log, STDERR_FILENO, o->level, o->log_json,
		       "record");
	serve_log_init(&s.log, STDERR_FILENO, o->level, o->log_json, "serve");
	code = serve_start(&s);
	if (!code) {
		say_ready(&s);
		err = loop_run(s.loop);
		serve_notify("STOPPING=1");
	}
	end = ctls_end(&s);
	err = err ? err : end;
	serve_control_end(&s);
	vxhci_pcap_close(s.pcap);
	serve_log_fini(&s.pcap_log);
	vxhci_record_close(s.record);
	serve_log_fini(&s.record_log);
	serve_log_fini(&s.log);
	hostusb_share_destroy(s.share);
	walls_cleaner_finish(&s.cleaner);
	if (err)
		code = serve_failed("event loop", err);
	if (s.signal.fd >= 0)
		close(s.signal.fd);
	loop_destroy(s.loop);
	pthread_mutex_destroy(&s.lock);
	return code;
}
