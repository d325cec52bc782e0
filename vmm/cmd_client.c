/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/cmd_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/control.h"
#include "vmm/loop.h"

#define ANSWER_NS 30000000000u /* a controller may be slow to end */

/* With --json a program reads what went wrong where it reads the rest. */
static void print_error(const struct client *c, const char *class,
			const char *desc)
{
	json_t *e;

	if (!c->json)
		return;
	e = json_pack("{s:{s:s, s:s}}", "error", "class", class, "desc", desc);
	if (e)
		client_print(e);
	json_decref(e);
	fflush(stdout);
}

int client_open(struct client *c, const char *path, bool json)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int err;

	*c = (struct client){.path = path, .fd = -1, .json = json};
	if (strlen(path) >= sizeof(sa.sun_path))
		return cmd_error("--control %s: too long for a socket: use a "
				 "path of at most %zu bytes",
				 path, sizeof(sa.sun_path) - 1);
	strcpy(sa.sun_path, path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd >= 0 &&
	    connect(c->fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return CMD_OK;
	err = errno;
	cmd_error("--control %s: nobody answers there: %s: start vxhci serve "
		  "--control %s",
		  path, strerror(err), path);
	print_error(c,
		    err == EACCES || err == EPERM ? CONTROL_DENIED
						  : CONTROL_NOT_FOUND,
		    "nobody answers at the control socket");
	return CMD_FAILED;
}

void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->buf);
	c->buf = NULL;
	c->fd = -1;
}

static int wait_for(int fd, uint64_t until_ns)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t now = loop_now_ns();
	int ms = -1, n;

	if (until_ns != LOOP_NEVER)
		ms = now >= until_ns ? 0
				     : (int)((until_ns - now) / 1000000 + 1);
	n = poll(&p, 1, ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n == 0 ? -ETIMEDOUT : 1;
}

static int read_more(struct client *c, uint64_t until_ns)
{
	ssize_t n;
	int r;

	if (c->size - c->len < 4096) {
		size_t size = c->size ? 2 * c->size : 65536;
		char *buf =
			size > CLIENT_MAX_LINE ? NULL : realloc(c->buf, size);

		if (!buf)
			return -EPROTO;
		c->buf = buf;
		c->size = size;
	}
	r = wait_for(c->fd, until_ns);
	if (r <= 0)
		return r;
	n = read(c->fd, c->buf + c->len, c->size - c->len);
	if (n > 0)
		c->len += (size_t)n;
	return n > 0 || (n < 0 && errno == EINTR) ? 0 : -ECONNRESET;
}

int client_next(struct client *c, uint64_t until_ns, json_t **ret)
{
	char *end;

	while (!c->len || !(end = memchr(c->buf, '\n', c->len))) {
		int r = read_more(c, until_ns);

		if (r < 0)
			return r;
	}
	*ret = json_loadb(c->buf, (size_t)(end - c->buf), 0, NULL);
	c->len -= (size_t)(end + 1 - c->buf);
	memmove(c->buf, end + 1, c->len);
	if (json_is_object(*ret))
		return 0;
	json_decref(*ret);
	return -EPROTO;
}

static int say_lost(const struct client *c, int err)
{
	const char *what = err == -ETIMEDOUT ? "no answer in time"
			   : err == -EPROTO  ? "not a control socket of vxhci"
					     : "the connection was closed";

	cmd_error("--control %s: %s: see what became of the process there",
		  c->path, what);
	print_error(c, CONTROL_FAILED, what);
	return CMD_FAILED;
}

static int say_error(const struct client *c, const json_t *e)
{
	const char *class = json_string_value(json_object_get(e, "class"));
	const char *desc = json_string_value(json_object_get(e, "desc"));

	cmd_error("%s", desc ? desc : "it failed: see the log there");
	print_error(c, class ? class : CONTROL_FAILED, desc ? desc : "");
	return class && strcmp(class, CONTROL_INVALID) == 0 ? CMD_USAGE
							    : CMD_FAILED;
}

/* What send(2) returns; @fds go with the first byte. */
static ssize_t send_some(int to, const char *buf, size_t len, const int *fds,
			 unsigned nfds)
{
	char control[CMSG_SPACE(CLIENT_MAX_FDS * sizeof(int))] = "";
	struct iovec iov = {(void *)(uintptr_t)buf, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *h;

	if (nfds > 0) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(h), fds, nfds * sizeof(int));
	}
	return sendmsg(to, &m, MSG_NOSIGNAL);
}

static int send_all(struct client *c, json_t *req, const int *fds,
		    unsigned nfds)
{
	char *text = req ? json_dumps(req, JSON_COMPACT) : NULL;
	size_t at = 0, len;

	json_decref(req);
	if (!text) {
		cmd_error("an argument is not UTF-8, or there is no memory: "
			  "write it in UTF-8");
		return CMD_USAGE;
	}
	len = strlen(text);
	text[len++] = '\n';
	while (at < len) {
		ssize_t n = send_some(c->fd, text + at, len - at, fds,
				      at ? 0 : nfds);

		if (n < 0 && errno != EINTR)
			break;
		at += n > 0 ? (size_t)n : 0;
	}
	free(text);
	return at == len ? CMD_OK : say_lost(c, -ECONNRESET);
}

int client_call(struct client *c, const char *command, json_t *args,
		json_t **ret)
{
	return client_call_fds(c, command, args, NULL, 0, ret);
}

int client_call_fds(struct client *c, const char *command, json_t *args,
		    const int *fds, unsigned nfds, json_t **ret)
{
	uint64_t until_ns = loop_now_ns() + ANSWER_NS;
	int r = send_all(
		c,
		json_pack("{s:s, s:o}", "execute", command, "arguments", args),
		fds, nfds);

	while (r == 0) {
		json_t *msg, *val;
		int err = client_next(c, until_ns, &msg);

		if (err < 0)
			return say_lost(c, err);
		val = json_object_get(msg, "error");
		if (val)
			r = say_error(c, val);
		val = json_object_get(msg, "return");
		*ret = json_incref(val);
		json_decref(msg);
		if (val)
			return CMD_OK;
	}
	return r;
}

enum {
	OPT_CONTROL = 1,
	OPT_SLOT,
	OPT_RULE,
	OPT_JSON,
	OPT_NO_WAIT,
	OPT_SOCKET,
	OPT_PORT,
	OPT_UNIT,
	OPT_READONLY,
	OPT_FORCE,
	OPT_EJECT,
	OPT_HELP,
	OPT_VERSION
};

static void fill_opts(const char *allowed, struct cmd_opt *o)
{
	static const struct {
		char letter;
		struct cmd_opt opt;
	} all[] = {
		{'s', {"slot", 's', 1, OPT_SLOT}},
		{'r', {"rule", 0, 1, OPT_RULE}},
		{'j', {"json", 0, 0, OPT_JSON}},
		{'w', {"no-wait", 0, 0, OPT_NO_WAIT}},
		{'S', {"socket", 0, 1, OPT_SOCKET}},
		{'p', {"port", 0, 1, OPT_PORT}},
		{'u', {"unit", 0, 1, OPT_UNIT}},
		{'o', {"readonly", 0, 0, OPT_READONLY}},
		{'f', {"force", 0, 0, OPT_FORCE}},
		{'e', {"eject", 0, 0, OPT_EJECT}},
	};

	*o++ = (struct cmd_opt){"control", 0, 1, OPT_CONTROL};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strchr(allowed, all[i].letter))
			*o++ = all[i].opt;
	*o++ = (struct cmd_opt){"help", 'h', 0, OPT_HELP};
	*o++ = (struct cmd_opt){"version", 'V', 0, OPT_VERSION};
	*o = (struct cmd_opt){0};
}

static int take_number(const char *name, const char *text, int min, int *ret)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < min || n > 255)
		return cmd_error("--%s %s: not a number from %d to 255: see "
				 "vxhci status",
				 name, text, min);
	*ret = (int)n;
	return CMD_OK;
}

static int take_opt(int id, const struct cmd_args *a, const char *help,
		    struct client_args *ret)
{
	switch (id) {
	case OPT_CONTROL:
		ret->control = a->value;
		return CMD_OK;
	case OPT_SLOT:
		ret->slot = a->value;
		return CMD_OK;
	case OPT_RULE:
		ret->rule = a->value;
		return CMD_OK;
	case OPT_JSON:
		ret->json = true;
		return CMD_OK;
	case OPT_NO_WAIT:
		ret->no_wait = true;
		return CMD_OK;
	case OPT_SOCKET:
		ret->socket = a->value;
		return CMD_OK;
	case OPT_PORT:
		return take_number("port", a->value, 1, &ret->port);
	case OPT_UNIT:
		return take_number("unit", a->value, 0, &ret->unit);
	case OPT_READONLY:
		ret->readonly = true;
		return CMD_OK;
	case OPT_FORCE:
		ret->force = true;
		return CMD_OK;
	case OPT_EJECT:
		ret->eject = true;
		return CMD_OK;
	case OPT_HELP:
		fputs(help, stdout);
		return -1;
	case OPT_VERSION:
		puts("vxhci " VXHCI_VERSION);
		return -1;
	default:
		return CMD_USAGE;
	}
}

int client_args(int argc, char **argv, const char *help, const char *allowed,
		const char *word, struct client_args *ret)
{
	struct cmd_opt opts[16];
	struct cmd_args a = {.argc = argc, .argv = argv, .opts = opts, .i = 1};
	int code = CMD_OK;

	fill_opts(allowed, opts);
	*ret = (struct client_args){.control = getenv("VXHCI_CONTROL")};
	while (code == CMD_OK && (a.i < argc || a.letter)) {
		if (!a.letter && word && !ret->word && argv[a.i][0] != '-')
			ret->word = argv[a.i++];
		else
			code = take_opt(cmd_next_opt(&a), &a, help, ret);
	}
	if (code != CMD_OK)
		return code;
	if (!ret->control)
		return cmd_error("%s: no control socket is named: add "
				 "--control PATH",
				 argv[0]);
	if (word && !ret->word && !ret->eject)
		return cmd_error("%s: %s is missing: see vxhci %s --help",
				 argv[0], word, argv[0]);
	return CMD_OK;
}

int client_flush(const char *command)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return CMD_OK;
	cmd_error("%s: cannot write to standard output: see whether its disk "
		  "is full",
		  command);
	return CMD_FAILED;
}

void client_print(const json_t *j)
{
	json_dumpf(j, stdout, JSON_COMPACT);
	putchar('\n');
}
