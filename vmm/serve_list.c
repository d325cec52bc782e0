/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_list.c - `list` by the control socket: reading the host's devices takes
 * a thread of its own.
 */
#include "vmm/serve_impl.h"

#include <stdlib.h>

#include "vmm/cmd_list.h"

struct serve_list {
	struct serve *s; /* borrowed */
	pthread_t thread;
	struct control_later *later; /* owned */
	struct discover_entry *list; /* owned; the thread's until it is done */
	size_t n;
	int err;
	char line[256];
	atomic_bool done;
};

static void *list_thread(void *arg)
{
	struct serve_list *l = arg;

	l->err = discover_list(&l->list, &l->n, l->line, sizeof(l->line));
	atomic_store(&l->done, true);
	loop_wake(l->s->loop);
	return NULL;
}

json_t *serve_run_list(void *host, struct control_call *call, json_t *args)
{
	struct serve *s = host;
	struct serve_list *l;

	(void)args;
	if (s->list)
		return control_fail(call, CONTROL_BUSY,
				    "list: another list is being made: try "
				    "again");
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->s = s;
	control_defer(call, &l->later);
	if (!l->later) {
		free(l);
		return NULL;
	}
	if (pthread_create(&l->thread, NULL, list_thread, l) == 0) {
		s->list = l;
		return NULL;
	}
	control_finish(s->control, l->later, NULL, CONTROL_FAILED,
		       "list: no thread: try again");
	free(l);
	return NULL;
}

void serve_list_end(struct serve *s)
{
	struct serve_list *l = s->list;

	if (!l)
		return;
	pthread_join(l->thread, NULL);
	control_finish(s->control, l->later,
		       l->err ? NULL : list_json(l->list, l->n), CONTROL_FAILED,
		       l->err ? l->line : "out of memory: try again");
	free(l->list);
	free(l);
	s->list = NULL;
}

void serve_list_work(struct serve *s)
{
	if (s->list && atomic_load(&s->list->done))
		serve_list_end(s);
}
