/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of pcapng byte for byte; the ring they wait in; --pcap's text. */
#include <errno.h>

#include "tests/unit/vmm_pcap_file.h"
#include "vmm/pcap_block.h"
#include "vmm/pcap_opt.h"
#include "vmm/pcap_ring.h"

static void assert_bytes(const uint8_t *b, size_t len, const char *hex)
{
	size_t n = 0;

	for (; *hex; hex++) {
		char byte[3] = {hex[0], hex[1], 0};

		if (*hex == ' ')
			continue;
		if (n >= len || b[n] != strtoul(byte, NULL, 16))
			fail_msg("byte %zu is not %s", n, byte);
		n++;
		hex++;
	}
	assert_int_equal(n, len);
}

static void section_and_interface(void **state)
{
	uint8_t b[PCAP_BLOCK_MAX];
	char text[2 * PCAP_TEXT_MAX];
	size_t n;

	(void)state;
	memset(b, 0xee, sizeof(b));
	assert_bytes(b, pcap_shb(b, "vx 1"),
		     "0a0d0d0a 28000000 4d3c2b1a 0100 0000 ffffffffffffffff"
		     "0400 0400 76782031 0000 0000 28000000");
	memset(b, 0xee, sizeof(b));
	assert_bytes(b, pcap_idb(b, 262144, "x-3", "d\x1b\xc3", ""),
		     "01000000 30000000 dc00 0000 00000400"
		     "0200 0300 782d3300 0300 0300 643f3f00"
		     "0900 0100 09000000 0000 0000 30000000");
	/* the longest of all */
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	n = pcap_idb(b, 1, text, text, text);
	assert_in_range(n, 3 * PCAP_TEXT_MAX, sizeof(b));
	assert_int_equal(pf_u32(b + n - 4), n);
}

static void statistics(void **state)
{
	uint8_t b[PCAP_BLOCK_MAX];

	(void)state;
	memset(b, 0xee, sizeof(b));
	assert_bytes(b, pcap_isb(b, 2, 0x1122334455667788, 300, 7),
		     "05000000 34000000 02000000 44332211 88776655"
		     "0400 0800 2c01000000000000 0500 0800 0700000000000000"
		     "0000 0000 34000000");
}

static void packet_with_and_without_loss(void **state)
{
	struct pcap_epb e = {3, 0x1122334455667788, 5, 900, 0};
	uint8_t b[128];

	(void)state;
	memset(b, 0xee, sizeof(b));
	pcap_epb(b, &e);
	pcap_put32(b, PCAP_EPB);
	assert_bytes(b, pcap_epb_len(&e),
		     "06000000 28000000 03000000 44332211 88776655"
		     "05000000 84030000 eeeeeeeeee000000 28000000");
	e.lost = 12;
	memset(b, 0xee, sizeof(b));
	pcap_epb(b, &e);
	pcap_put32(b, PCAP_EPB);
	/* epb_dropcount, and a comment that says so */
	assert_bytes(b, pcap_epb_len(&e),
		     "06000000 60000000 03000000 44332211 88776655"
		     "05000000 84030000 eeeeeeeeee000000"
		     "0400 0800 0c00000000000000 0100 2400"
		     "3132207265636f726473206265666f7265207468"
		     "6973206f6e652077657265206c6f7374"
		     "0000 0000 60000000");
	e.lost = UINT64_MAX;
	assert_in_range(pcap_epb_len(&e), 100, sizeof(b));
}

static void a_ring_gives_back_what_was_put(void **state)
{
	struct pcap_ring r;
	uint32_t in = 0, out = 0, len[64], seed = 1;
	unsigned wraps = 0, refused = 0;

	(void)state;
	assert_int_equal(pcap_ring_init(&r, 1024), 0);
	for (unsigned round = 0; round < 20000; round++) {
		uint32_t n = 12 + (seed >> 16) % 76 * 4;
		uint8_t *b;

		seed = seed * 1103515245u + 12345u;
		if ((seed >> 20 & 1) != 0) {
			b = pcap_ring_reserve(&r, n);
			if (b) {
				assert_true(b >= r.base &&
					    b + n <= r.base + r.size);
				len[in % 64] = n;
				memset(b + 8, (uint8_t)in, n - 8);
				in++;
				pcap_ring_commit(b, PCAP_EPB);
			}
			wraps += r.wrapped;
			/* room for it in each half: it must be taken */
			assert_true(b || pcap_ring_used(&r) > 1024 / 2 - n);
			refused += !b;
		} else {
			size_t have, k = 0;

			b = pcap_ring_peek(&r, &have);
			assert_int_equal(pcap_ring_finished(b, have), have);
			assert_int_equal(have == 0, pcap_ring_used(&r) == 0);
			if (have) {
				k = pcap_block_len(b);
				assert_int_equal(k, len[out % 64]);
				for (size_t i = 8; i < k; i++)
					assert_int_equal(b[i], (uint8_t)out);
				out++;
			}
			pcap_ring_consume(&r, k);
		}
	}
	assert_true(wraps > 100 && refused > 100 && out > 5000);
	pcap_ring_fini(&r);
}

/* Full to the last byte, in one piece and wrapped, and empty again */
static void all_of_a_ring_is_used(void **state)
{
	struct pcap_ring r;
	size_t n;

	(void)state;
	assert_int_equal(pcap_ring_init(&r, 256), 0);
	assert_null(pcap_ring_reserve(&r, 260));
	assert_non_null(pcap_ring_reserve(&r, 100));
	assert_non_null(pcap_ring_reserve(&r, 156));
	assert_null(pcap_ring_reserve(&r, 12));
	pcap_ring_consume(&r, 100);
	assert_null(pcap_ring_reserve(&r, 104));
	assert_ptr_equal(pcap_ring_reserve(&r, 100), r.base);
	assert_null(pcap_ring_reserve(&r, 12));
	assert_int_equal(pcap_ring_used(&r), 256);
	pcap_ring_peek(&r, &n);
	assert_int_equal(n, 156);
	pcap_ring_consume(&r, n);
	pcap_ring_peek(&r, &n);
	assert_int_equal(n, 100);
	pcap_ring_consume(&r, n);
	/* and begins at the start again, so that large blocks fit */
	assert_int_equal(pcap_ring_used(&r), 0);
	assert_non_null(pcap_ring_reserve(&r, 256));
	pcap_ring_fini(&r);
}

static void unfinished_blocks_stay(void **state)
{
	struct pcap_ring r;
	uint8_t *a, *b, *p;
	size_t n;

	(void)state;
	assert_int_equal(pcap_ring_init(&r, 256), 0);
	a = pcap_ring_reserve(&r, 40);
	b = pcap_ring_reserve(&r, 60);
	pcap_ring_commit(b, PCAP_EPB);
	p = pcap_ring_peek(&r, &n);
	assert_int_equal(n, 100);
	assert_int_equal(pcap_ring_finished(p, n), 0);
	pcap_ring_commit(a, PCAP_EPB);
	assert_int_equal(pcap_ring_finished(p, n), 100);
	assert_int_equal(pf_u32(p), PCAP_EPB);
	pcap_ring_fini(&r);
}

static void options_are_read(void **state)
{
	static const struct {
		const char *text, *file;
		uint64_t size;
		unsigned files;
		uint32_t snap;
		size_t buffer;
	} rows[] = {
		{"a", "a", 0, 2, 262144, 16u << 20},
		{"a.pcapng,size=10", "a.pcapng", 10u << 20, 2, 262144,
		 16u << 20},
		{"/x=y/a,size=1,files=7,snap=64,buffer=1", "/x=y/a", 1u << 20,
		 7, 64, 1u << 20},
		{"a,,b,,,snap=1048576", "a,b,", 0, 2, 1048576, 16u << 20},
		{",,", ",", 0, 2, 262144, 16u << 20},
		{"-,buffer=4,snap=1048576", "-", 0, 2, 1048576, 4u << 20},
		{"a,size=1048576", "a", 1ull << 40, 2, 262144, 16u << 20},
	};
	char err[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pcap_opt o;

		assert_int_equal(
			pcap_opt_parse(rows[i].text, err, sizeof(err), &o), 0);
		assert_string_equal(o.file, rows[i].file);
		assert_true(o.size == rows[i].size);
		assert_int_equal(o.files, rows[i].files);
		assert_int_equal(o.snap, rows[i].snap);
		assert_true(o.buffer == rows[i].buffer);
		pcap_opt_free(&o);
	}
}

static void wrong_options_are_named(void **state)
{
	static const struct {
		const char *text, *start;
	} rows[] = {
		{"", "'': no file"},
		{",size=1", "'': no file"},
		{"a,", "'': unknown option"},
		{"a,b", "b: unknown option"},
		{"a,siz=1", "siz=1: unknown option"},
		{"a,size", "size: unknown option"},
		{"a,size=", "size=: wrong value: give MiB"},
		{"a,size=0", "size=0: wrong value"},
		{"a,size=1M", "size=1M: wrong value"},
		{"a,size=-1", "size=-1: wrong value"},
		{"a,size=1048577", "size=1048577: wrong value"},
		{"a,size=99999999999999999999999", "size=9999999999999999999"},
		{"a,size=1,size=1", "size=1: given twice"},
		{"a,size=1,files=0", "files=0: wrong value"},
		{"a,size=1,files=1001", "files=1001: wrong value"},
		{"a,files=3", "files=3: without size="},
		{"a,snap=63", "snap=63: wrong value"},
		{"a,snap=1048577", "snap=1048577: wrong value"},
		{"a,buffer=1025", "buffer=1025: wrong value"},
		{"a,snap=262145,buffer=1",
		 "snap=262145: too large for the buffer: give buffer=2"},
	};
	struct pcap_opt o = {.file = NULL};
	char err[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
			pcap_opt_parse(rows[i].text, err, sizeof(err), &o),
			-EINVAL);
		if (strncmp(err, rows[i].start, strlen(rows[i].start)))
			fail_msg("%s: %s", rows[i].text, err);
		assert_null(o.file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(section_and_interface),
		cmocka_unit_test(statistics),
		cmocka_unit_test(packet_with_and_without_loss),
		cmocka_unit_test(a_ring_gives_back_what_was_put),
		cmocka_unit_test(all_of_a_ring_is_used),
		cmocka_unit_test(unfinished_blocks_stay),
		cmocka_unit_test(options_are_read),
		cmocka_unit_test(wrong_options_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
