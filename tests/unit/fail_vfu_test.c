/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each call of the system of `vxhci serve` fails once while a VMM and its guest
 * work, over vfio-user, as QEMU and as Cloud Hypervisor: the server refuses to
 * start, answers with an error or drops its client. The next one is served.
 */
#include "tests/unit/fail_serve.h"

#include "tests/unit/vfu_guest.h"
#include "vmm/serve.h"

struct scene {
	struct fs f;
	struct serve_opts o;
	struct serve_pair pair;
	enum vc_kind kind;
	unsigned refused, lost; /* scenes that ended so */
};

static int run(void *arg)
{
	struct scene *s = arg;

	return serve_run(&s->o);
}

/* One machine; why it did not work is in @why. */
static bool life(struct scene *s, bool hasty, char *why, size_t len)
{
	struct vg g;
	bool ok;

	vg_init(&g);
	g.hasty = hasty ? fail_happened : NULL;
	ok = vg_life(&g, s->kind, "sock");
	snprintf(why, len, "%s; %s", g.vc.why, g.up ? g.d.err : "");
	vg_fini(&g);
	return ok;
}

static void one_server(void *arg)
{
	static const char *const files[] = {"sock", NULL};
	struct scene *s = arg;
	char why[600];
	bool ok;

	if (!fs_up(&s->f, run, s, files, &s->refused))
		return;
	ok = life(s, true, why, sizeof(why));
	s->lost += !ok;
	if (!ok && !fail_happened())
		fail_msg("nothing failed, but: %s", why);
	if (fail_happened() && !life(s, false, why, sizeof(why)))
		fail_msg("%s failed: the next client: %s", fs_what(), why);
	fs_down(&s->f, 1, files);
}

static void each_call_fails_once(enum vc_kind kind)
{
	struct scene s = {.kind = kind};
	unsigned n;

	fs_setup(&s.f);
	s.pair = (struct serve_pair){"30,xhci,zero,speed=high,at=1", "sock"};
	s.o = (struct serve_opts){.pairs = &s.pair,
				  .npairs = 1,
				  .control_fd = -1,
				  .ready_fd = FS_READY_FD,
				  .sandbox = WALLS_OFF,
				  .level = VXHCI_LOG_WARN};
	n = fail_each(one_server, &s);
	printf("%u calls failed: %u did not start, %u clients were lost\n", n,
	       s.refused, s.lost);
	assert_true(s.refused > 10 && s.lost > 10);
	fs_teardown(&s.f);
}

static void each_call_fails_once_for_qemu(void **state)
{
	(void)state;
	each_call_fails_once(VC_QEMU);
}

static void each_call_fails_once_for_clh(void **state)
{
	(void)state;
	each_call_fails_once(VC_CLH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_fails_once_for_qemu),
		cmocka_unit_test(each_call_fails_once_for_clh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
