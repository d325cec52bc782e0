/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_replay.c - vxhci replay: recordings run again, or shown.
 */
#include "vmm/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/replay.h"
#include "vmm/replay_stats.h"

enum { OPT_EXPLAIN = 1, OPT_STATS, OPT_HELP, OPT_VERSION };

static const struct cmd_opt replay_opts[] = {
	{"explain", 0, false, OPT_EXPLAIN},
	{"stats", 0, false, OPT_STATS},
	{"help", 0, false, OPT_HELP},
	{"version", 'V', false, OPT_VERSION},
	{0},
};

static const char replay_help[] =
	"usage: vxhci replay [--explain | --stats] FILE...\n"
	"\n"
	"Run recordings of vxhci serve --record again, with no guest and no\n"
	"device, and tell the first difference in what the controller does.\n"
	"\n"
	"  --explain       show a recording as text instead\n"
	"  --stats         sum it up instead\n"
	"  --help          show this and exit\n"
	"  --version       show the version and exit\n"
	"\n"
	"Exit code: 0 no difference, 1 a difference or a damaged file, 2 no\n"
	"recording.\n";

enum mode { RUN, EXPLAIN, STATS };

struct gather {
	enum mode mode;
	const char **files; /* owned */
	unsigned nfiles;
};

#define LINE 512u

static void seconds(char *buf, size_t len, uint64_t from, uint64_t to)
{
	uint64_t us = to > from ? (to - from) / 1000 : 0;

	snprintf(buf, len, "%" PRIu64 ".%06" PRIu64 " s", us / 1000000,
		 us % 1000000);
}

/* How it ends, where that is not just its end */
static const char *end_text(bool marked, enum rec_end end)
{
	if (!marked)
		return "; it is cut off there";
	switch (end) {
	case REC_ENDED:
		return "";
	case REC_OVERFLOW:
		return "; it ends there: records came faster than they could "
		       "be written";
	default:
		return "; it ends there: the file could not be written";
	}
}

static void print_rec(const char *what, const struct replay_rec *k)
{
	char line[LINE];

	if (!k->there) {
		printf("  %-9s nothing more in this call\n", what);
		return;
	}
	printf("  %-9s %s\n", what, replay_text(&k->rec, line, sizeof(line)));
	if (k->rec.len) {
		printf("  %-9s", "");
		for (uint32_t i = 0; i < k->rec.len; i++)
			printf("%s%02x", i % 4 ? "" : " ", k->data[i]);
		printf("\n");
	}
}

static int tell_result(const char *file, const struct replay_result *res)
{
	char time[48];

	seconds(time, sizeof(time), res->begin_ns, res->now_ns);
	printf("%s: controller %s: ", file, res->start.slot);
	switch (res->verdict) {
	case REPLAY_SAME:
		printf("no difference in %" PRIu64 " records of %" PRIu64
		       " calls, %s%s\n",
		       res->records, res->calls, time,
		       end_text(res->marked, res->end));
		return CMD_OK;
	case REPLAY_DAMAGED:
		printf("damaged: %s: no difference in the %" PRIu64
		       " records before that, %s\n",
		       res->why, res->records, time);
		return CMD_FAILED;
	case REPLAY_DIFFERS:
		break;
	}
	printf("difference at record %" PRIu64 ", after %s\n", res->records + 1,
	       time);
	print_rec("in", &res->call);
	print_rec("expected", &res->expected);
	print_rec("got", &res->got);
	if (res->unanswered)
		printf("  %-9s what it asked for is not in the recording "
		       "here\n",
		       "");
	return CMD_FAILED;
}

static int run_stream(const char *file, struct rec_file *f, uint16_t stream)
{
	struct replay_result *res = calloc(1, sizeof(*res));
	int rc, code;

	if (!res)
		return -ENOMEM;
	rc = replay_stream(f, stream, res);
	code = rc < 0 ? rc : tell_result(file, res);
	free(res);
	return code;
}

/* A call, and indented what it leads to; what a call gives is in its line. */
struct shown {
	uint64_t begin_ns, now_ns;
	enum xhci_tap_kind kind; /* of the line that is kept */
	char kept[LINE + 64];    /* a call's, not printed yet; "": none */
};

static void show_kept(struct shown *w)
{
	if (w->kept[0])
		printf("%s\n", w->kept);
	w->kept[0] = '\0';
}

/* @w->kept gave @value; turns of work that did nothing are left out. */
static void show_return(struct shown *w, uint64_t value)
{
	if (w->kind != XHCI_TAP_RUN || value)
		printf("%s -> 0x%" PRIx64 "\n", w->kept, value);
	w->kept[0] = '\0';
}

static void show(struct shown *w, uint64_t n, const struct xhci_tap_rec *rec)
{
	char line[LINE], time[48];

	if (rec->kind == XHCI_TAP_NOW) {
		w->now_ns = rec->arg[0];
		w->begin_ns = w->begin_ns ? w->begin_ns : w->now_ns;
	}
	if (rec->kind == XHCI_TAP_RETURN && w->kept[0]) {
		show_return(w, rec->arg[0]);
		return;
	}
	show_kept(w);
	seconds(time, sizeof(time), w->begin_ns, w->now_ns);
	replay_text(rec, line, sizeof(line));
	if (!rec_is_call(rec)) {
		printf("%8" PRIu64 " %14s   %s\n", n, time, line);
		return;
	}
	w->kind = rec->kind;
	snprintf(w->kept, sizeof(w->kept), "%8" PRIu64 " %14s %s", n, time,
		 line);
}

static int read_stream(const char *file, struct rec_file *f, uint16_t stream,
		       enum mode mode)
{
	struct replay_stats s = {0};
	struct xhci_tap_rec rec;
	struct rec_reader *r = calloc(1, sizeof(*r));
	struct shown w = {0};
	char time[48];
	int rc;

	if (!r)
		return -ENOMEM;
	rc = rec_reader_start(r, f, stream);
	if (rc == -ENOENT)
		goto free_reader;
	printf("%s: controller %s, %u USB 2 and %u USB 3 ports, recorded by "
	       "%s\n",
	       file, r->start.slot, r->start.cfg.usb2_ports,
	       r->start.cfg.usb3_ports, r->start.program);
	while (rc >= 0 && (rc = rec_reader_next(r, &rec)) == 1) {
		replay_stats_add(&s, &rec);
		if (mode == EXPLAIN)
			show(&w, r->n, &rec);
	}
	show_kept(&w);
	seconds(time, sizeof(time), s.begin_ns, s.end_ns);
	printf("%s: controller %s: %" PRIu64 " records (%" PRIu64
	       " bytes), %s%s%s\n",
	       file, r->start.slot, r->n, r->bytes, time,
	       rc < 0 ? "; damaged: " : end_text(r->marked, r->end),
	       rc < 0 ? r->why : "");
	if (mode == STATS)
		replay_stats_print(&s, stdout);
	rc = rc < 0 ? CMD_FAILED : CMD_OK;
free_reader:
	free(r);
	return rc;
}

/* What no controller's records end in is in the file too. */
static int check_rest(const char *file, struct rec_file *f, int worst)
{
	struct rec_block b;
	int rc;

	rec_file_rewind(f);
	do {
		rc = rec_file_next(f, &b);
	} while (rc == 1);
	if (rc != -EBADMSG || worst != CMD_OK)
		return worst;
	printf("%s: damaged at byte %zu\n", file, f->off);
	return CMD_FAILED;
}

static int each_stream(const char *file, struct rec_file *f, enum mode mode)
{
	int worst = CMD_OK, code;

	for (unsigned i = 0; i <= UINT16_MAX; i++) {
		code = mode == RUN ? run_stream(file, f, (uint16_t)i)
				   : read_stream(file, f, (uint16_t)i, mode);
		if (code == -ENOENT && i == 0)
			printf("%s: empty: no controller is in it\n", file);
		if (code == -ENOENT)
			break;
		if (code < 0) {
			cmd_error("%s: out of memory: try again", file);
			return CMD_FAILED;
		}
		worst = code > worst ? code : worst;
	}
	return check_rest(file, f, worst);
}

/* All of a file or pipe. 0 or -errno */
static int read_all(const char *file, uint8_t **ret_p, size_t *ret_len)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), err = 0;
	size_t len = 0, room = 0;
	uint8_t *p = NULL, *q;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (n > 0) {
		if (len == room) {
			room = room ? room * 2 : 1 << 20;
			q = realloc(p, room);
			if (!q) {
				err = -ENOMEM;
				break;
			}
			p = q;
		}
		n = read(fd, p + len, room - len);
		if (n < 0)
			err = -errno;
		else
			len += (size_t)n;
	}
	close(fd);
	if (err) {
		free(p);
		return err;
	}
	*ret_p = p;
	*ret_len = len;
	return 0;
}

static int one_file(const char *file, enum mode mode)
{
	struct rec_file f = {0};
	uint8_t *data = NULL;
	size_t len = 0;
	int err = read_all(file, &data, &len), code;

	if (err)
		return cmd_error("%s: %s: name a recording",
				 file[0] ? file : "''", strerror(-err));
	err = rec_file_init(&f, data, len);
	if (err == 0)
		code = each_stream(file, &f, mode);
	else if (err == -EPROTONOSUPPORT)
		code = cmd_error("%s: a recording of another version: use the "
				 "vxhci that made it",
				 file);
	else if (err == -EINVAL)
		code = cmd_error("%s: no recording: name a file of vxhci serve "
				 "--record",
				 file);
	else
		code = cmd_error("%s: out of memory: try again", file);
	rec_file_fini(&f);
	free(data);
	return code;
}

/* Options and files in any order. CMD_OK, CMD_USAGE, or -1: help was given */
static int read_args(struct cmd_args *a, struct gather *g)
{
	bool words = false;

	while (a->i < a->argc || a->letter) {
		const char *word = a->letter ? "-" : a->argv[a->i];
		int id;

		if (!a->letter && !words && !strcmp(word, "--")) {
			words = true;
			a->i++;
			continue;
		}
		if (!a->letter && (words || word[0] != '-')) {
			g->files[g->nfiles++] = word;
			a->i++;
			continue;
		}
		id = cmd_next_opt(a);
		switch (id) {
		case OPT_EXPLAIN:
		case OPT_STATS:
			if (g->mode != RUN)
				return cmd_error("--%s: only one of --explain "
						 "and --stats",
						 id == OPT_STATS ? "stats"
								 : "explain");
			g->mode = id == OPT_STATS ? STATS : EXPLAIN;
			break;
		case OPT_HELP:
			fputs(replay_help, stdout);
			return -1;
		case OPT_VERSION:
			puts("vxhci " VXHCI_VERSION);
			return -1;
		default:
			return CMD_USAGE;
		}
	}
	if (g->nfiles == 0)
		return cmd_error("replay: no file is given: name a recording");
	return CMD_OK;
}

int cmd_replay(int argc, char **argv)
{
	struct cmd_args a = {
		.argc = argc, .argv = argv, .opts = replay_opts, .i = 1};
	struct gather g = {.mode = RUN};
	int code, worst = CMD_OK;

	g.files = calloc((size_t)argc, sizeof(*g.files));
	if (!g.files) {
		cmd_error("replay: out of memory: try again");
		return CMD_FAILED;
	}
	code = read_args(&a, &g);
	if (code)
		worst = code < 0 ? CMD_OK : code;
	for (unsigned i = 0; !code && i < g.nfiles; i++) {
		int one = one_file(g.files[i], g.mode);

		worst = one > worst ? one : worst;
	}
	if (fflush(stdout) != 0 && worst == CMD_OK)
		worst = CMD_FAILED;
	free(g.files);
	return worst;
}
