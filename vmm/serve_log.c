/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/serve_log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "vmm/loop.h"

#define NS_PER_S 1000000000u
#define LINE_MAX_BYTES 512

static const char *const level_names[] = {
	[VXHCI_LOG_ERROR] = "error",
	[VXHCI_LOG_WARN] = "warning",
	[VXHCI_LOG_INFO] = "info",
	[VXHCI_LOG_DEBUG] = "debug",
};

static void limit_init(struct serve_log_limit *m, uint32_t times)
{
	*m = (struct serve_log_limit){
		.rate = SERVE_LOG_RATE * times,
		.burst = SERVE_LOG_BURST * times,
		.tokens = SERVE_LOG_BURST * times,
		.at_ns = loop_now_ns(),
	};
}

void serve_log_init(struct serve_log *g, int fd, enum vxhci_log level,
		    bool json, const char *name)
{
	memset(g, 0, sizeof(*g));
	pthread_mutex_init(&g->lock, NULL);
	g->fd = fd;
	g->level = level;
	g->json = json;
	g->name = name;
	limit_init(&g->normal, 1);
	limit_init(&g->debug, SERVE_LOG_DEBUG_TIMES);
}

void serve_log_fini(struct serve_log *g)
{
	pthread_mutex_destroy(&g->lock);
}

static bool limit_take(struct serve_log_limit *m)
{
	uint64_t now_ns = loop_now_ns();
	uint64_t per_ns = NS_PER_S / m->rate;
	uint64_t back = (now_ns - m->at_ns) / per_ns;

	if (back >= m->burst - m->tokens) {
		m->tokens = m->burst;
		m->at_ns = now_ns;
	} else {
		m->tokens += (uint32_t)back;
		m->at_ns += back * per_ns;
	}
	if (!m->tokens) {
		m->suppressed++;
		return false;
	}
	m->tokens--;
	return true;
}

/* Only printable ASCII: what a device says its name is may be anything */
static void copy_clean(char *to, size_t size, const char *from)
{
	size_t i;

	for (i = 0; i + 1 < size && from[i]; i++)
		to[i] = from[i] < ' ' || from[i] > '~' ? '?' : from[i];
	to[i] = '\0';
}

static size_t format_json(const struct serve_log *g, enum vxhci_log level,
			  const char *line, char *buf, size_t size)
{
	char when[32];
	struct timespec ts;
	struct tm tm;
	json_t *obj;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(when + strlen(when), sizeof(when) - strlen(when), ".%03uZ",
		 (unsigned)(ts.tv_nsec / 1000000) % 1000);
	obj = json_pack("{s:s, s:s, s:s, s:s}", "time", when, "level",
			level_names[level], "slot", g->name, "message", line);
	n = obj ? json_dumpb(obj, buf, size, JSON_COMPACT) : 0;
	json_decref(obj);
	return n < size ? n : 0;
}

static void log_write(const struct serve_log *g, enum vxhci_log level,
		      const char *line)
{
	char buf[2 * LINE_MAX_BYTES];
	size_t n;
	ssize_t done;

	if (g->json) {
		n = format_json(g, level, line, buf, sizeof(buf) - 1);
	} else {
		int len = snprintf(buf, sizeof(buf) - 1, "vxhci: %s: %s: %s",
				   g->name, level_names[level], line);

		n = len < 0 ? 0 : (size_t)len;
		if (n > sizeof(buf) - 2)
			n = sizeof(buf) - 2;
	}
	if (!n)
		return;
	buf[n++] = '\n';
	done = write(g->fd, buf, n);
	(void)done; /* there is nobody to tell */
}

void serve_log_line(void *log, enum vxhci_log level, const char *line)
{
	struct serve_log *g = log;
	struct serve_log_limit *m;
	char clean[LINE_MAX_BYTES];

	if (level > g->level)
		return;
	m = level == VXHCI_LOG_DEBUG ? &g->debug : &g->normal;
	copy_clean(clean, sizeof(clean), line);
	pthread_mutex_lock(&g->lock);
	if (limit_take(m)) {
		if (m->suppressed) {
			char more[64];

			snprintf(more, sizeof(more),
				 "%u lines before this one were left out",
				 m->suppressed);
			log_write(g, level, more);
			m->suppressed = 0;
		}
		log_write(g, level, clean);
	}
	pthread_mutex_unlock(&g->lock);
}
