/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each call of the system of `vxhci serve` fails once while what a guest does
 * is recorded (--record) and captured (--pcap): the recording ends there, in a
 * line, and what is in the file is whole; a capture loses records at most. The
 * guest notices nothing of that.
 */
#include "tests/unit/fail_serve.h"

#include "tests/unit/vfu_guest.h"
#include "vmm/cmd.h"
#include "vmm/serve.h"

struct scene {
	struct fs f;
	struct serve_opts o;
	struct serve_pair pair;
	unsigned refused, said, cut; /* scenes that ended so */
};

static int run(void *arg)
{
	struct scene *s = arg;

	return serve_run(&s->o);
}

static bool life(struct scene *s)
{
	struct vg g;
	bool ok;

	(void)s;
	vg_init(&g);
	ok = vg_life(&g, VC_QEMU, "sock");
	vg_fini(&g);
	return ok;
}

/* `vxhci replay` of the recording; what it prints is not looked at. */
static int replay(void *arg)
{
	char name[] = "replay", file[] = "record";
	char *argv[] = {name, file, NULL};

	(void)arg;
	if (!freopen("/dev/null", "w", stdout))
		return 99;
	return cmd_replay(2, argv);
}

/*
 * All that was written of it runs again as it did, where the controller had the
 * memory then that it has now. What does not fail before fails in the replay.
 */
static void check_record(struct scene *s)
{
	const char *what = fail_happened();
	bool memory = what && strstr("malloc calloc realloc", what);
	int code;

	fs_start(&s->f, replay, NULL);
	code = fs_end(&s->f, false);
	if (fs_lines(&s->f) > 1)
		fail_msg("%s failed: the replay: %s", fs_what(), s->f.text);
	s->cut += what && code;
	if (what && code && !(memory && code == CMD_FAILED) &&
	    !(strcmp(what, "write") == 0 && strstr(s->f.text, "no recording")))
		fail_msg("%s failed: the replay's exit code is %d: %s", what,
			 code, s->f.text);
}

/* Blocks, each with its length at both ends, as pcapng has it */
static void check_pcap(void)
{
	FILE *f = fopen("pcap", "rb");
	uint32_t head[2], tail;

	assert_non_null(f);
	while (fread(head, sizeof(head), 1, f) == 1) {
		if (head[1] < 12 || head[1] % 4 ||
		    fseek(f, (long)head[1] - 12, SEEK_CUR) != 0 ||
		    fread(&tail, sizeof(tail), 1, f) != 1 || tail != head[1])
			fail_msg("%s failed: the capture is cut at %ld",
				 fs_what(), ftell(f));
	}
	fclose(f);
}

static void one_server(void *arg)
{
	static const char *const files[] = {"sock", NULL};
	struct scene *s = arg;
	bool ok;

	unlink("record");
	unlink("pcap");
	if (!fs_up(&s->f, run, s, files, &s->refused))
		return;
	ok = life(s);
	if (!ok && !fail_happened())
		fail_msg("nothing failed, but a guest's work");
	if (fail_happened() && !life(s))
		fail_msg("%s failed: the next client fails", fs_what());
	/* a capture says that it is written again, too */
	fs_down(&s->f, 2, files);
	s->said += s->f.text[0] != '\0';
	check_record(s);
	check_pcap();
}

static void each_call_fails_once(void **state)
{
	struct scene s = {0};
	unsigned n;

	(void)state;
	fs_setup(&s.f);
	s.pair = (struct serve_pair){"30,xhci,zero,speed=high,at=1", "sock"};
	s.o = (struct serve_opts){.pairs = &s.pair,
				  .npairs = 1,
				  .control_fd = -1,
				  .ready_fd = FS_READY_FD,
				  .pcap = "pcap",
				  .record = "record",
				  .sandbox = WALLS_OFF,
				  .level = VXHCI_LOG_WARN};
	fail_messages(false); /* fail_vfu_test.c has those */
	fail_arm(0);
	one_server(&s);
	assert_int_equal(s.said + s.cut, 0);
	n = fail_each(one_server, &s);
	printf("%u calls failed: %u did not start, %u lines, %u recordings "
	       "that are not the same\n",
	       n, s.refused, s.said, s.cut);
	assert_true(s.refused > 20 && s.said > 3);
	unlink("record");
	unlink("pcap");
	fs_teardown(&s.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_fails_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
