/* SPDX-License-Identifier: BSD-2-Clause */
/* `vxhci serve --pcap`, from the command line to the file that it leaves. */
#include "tests/unit/vfu_run.h"
#include "tests/unit/vmm_pcap_file.h"

static int setup(void **state)
{
	static char dir[32];

	strcpy(dir, "/tmp/vfu_pcap.XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	unlink("cap");
	assert_int_equal(chdir("/"), 0);
	return rmdir(*state); /* nothing else is left there */
}

static void each_controller_is_an_interface(void **state)
{
	static const char *const names[] = {"xhci-30", "xhci-0:31:1"};
	struct stat st;
	struct run r;
	struct pf f;

	(void)state;
	run_start(&r,
		  "serve --pcap cap,size=5 --socket a -s 30,xhci,usb2=3,usb3=2 "
		  "--socket b -s 0:31:1,xhci,usb3=0 --ready-fd 9",
		  NULL, NULL);
	assert_true(run_is_ready(&r));
	kill(r.pid, SIGTERM);
	assert_int_equal(run_end(&r), 0);
	assert_string_equal(r.text, "");
	assert_int_equal(stat("cap", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	pf_open(&f, "cap");
	while (pf_next(&f)) {
		const uint8_t *end = f.body + f.body_len, *o = f.body + 8;
		uint32_t len = 0;

		if (f.type != 1)
			continue;
		assert_int_equal(pf_u32(f.body), 220);
		assert_int_equal(pf_u32(f.body + 4), 262144);
		o = pf_option(o, end, 2, &len);
		assert_int_equal(len, strlen(names[f.interfaces - 1]));
		assert_memory_equal(o, names[f.interfaces - 1], len);
		o = pf_option(f.body + 8, end, 9, &len);
		assert_int_equal(len, 1);
		assert_int_equal(*o, 9);
		o = pf_option(f.body + 8, end, 1, &len);
		if (f.interfaces == 1)
			assert_memory_equal(
				o, "ports 1-3 are USB 2, 4-5 are USB 3", len);
		else
			assert_memory_equal(o, "ports 1-8 are USB 2", len);
	}
	assert_int_equal(f.interfaces, 2);
	assert_int_equal(f.statistics, 2);
	assert_int_equal(f.packets, 0);
	pf_close(&f);
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *args, *line;
	} rows[] = {
		{"--pcap cap --pcap cap",
		 "vxhci: --pcap cap: given twice: all controllers are in one "
		 "capture\n"},
		{"--pcap", "vxhci: --pcap: the value is missing: see vxhci "
			   "serve --help\n"},
		{"--pcap no/cap",
		 "vxhci: --pcap no/cap: No such file or directory: name a "
		 "file that can be written\n"},
		{"--pcap cap,size=x",
		 "vxhci: --pcap size=x: wrong value: give MiB, 1 to "
		 "1048576\n"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char args[200];
		struct run r;

		snprintf(args, sizeof(args), "serve --socket a -s 30,xhci %s",
			 rows[i].args);
		run_start(&r, args, NULL, NULL);
		assert_int_equal(run_end(&r), 2);
		assert_string_equal(r.text, rows[i].line);
		assert_int_equal(access("cap", F_OK), -1);
	}
}

/* A capture that is there survives a mistake elsewhere. */
static void a_mistake_elsewhere_does_not_empty_the_file(void **state)
{
	FILE *f = fopen("cap", "w");
	struct stat st;
	struct run r;

	(void)state;
	fputs("precious", f);
	fclose(f);
	run_start(&r,
		  "serve --pcap cap --socket a -s 30,xhci,storage=no/disk.img",
		  NULL, NULL);
	assert_int_equal(run_end(&r), 2);
	assert_int_equal(stat("cap", &st), 0);
	assert_int_equal(st.st_size, 8);
}

static void a_full_disk_is_a_line_and_no_failure(void **state)
{
	struct run r;

	(void)state;
	run_start(&r,
		  "serve --pcap /dev/full --socket a -s 30,xhci --ready-fd 9",
		  NULL, NULL);
	assert_true(run_is_ready(&r));
	kill(r.pid, SIGTERM);
	assert_int_equal(run_end(&r), 0);
	assert_non_null(strstr(r.text, "vxhci: pcap: warning: /dev/full: No "
				       "space left on device"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_controller_is_an_interface),
		T(mistakes_are_named),
		T(a_mistake_elsewhere_does_not_empty_the_file),
		T(a_full_disk_is_a_line_and_no_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
