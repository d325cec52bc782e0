/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures that are cut off, damaged, of something else, or nothing at all: a
 * capture or a line that says what is wrong, and nothing worse. ASan watches.
 */
#include "devices_fake.h"

#include <sys/stat.h>
#include <unistd.h>

#include "devices/replay_impl.h"

#define ZERO "fixtures/captures/zero-high.pcapng"
#define DISK "fixtures/captures/storage-super-uas.pcapng.gz"

static uint8_t *read_file(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = malloc(1 << 20);

	assert_non_null(f);
	assert_non_null(p);
	*ret_len = fread(p, 1, 1 << 20, f);
	fclose(f);
	assert_in_range(*ret_len, 100, (1 << 20) - 1);
	return p;
}

/* A capture, whose tables are right; or an error in words */
static int read_bytes(const void *p, size_t len)
{
	FILE *f = fmemopen((void *)(uintptr_t)p, len ? len : 1, "rb");
	struct capture *c = NULL;
	char err[256] = "";
	int rc;

	assert_non_null(f);
	rc = capture_read(f, &c, err, sizeof(err));
	if (rc < 0) {
		assert_non_null(strstr(err, ": "));
		assert_null(c);
		return rc;
	}
	assert_true(c->nxfers > 0);
	for (uint32_t i = 0; i < c->nxfers; i++) {
		const struct capture_xfer *x = &c->xfers[i];

		assert_true(x->dev < c->ndevs);
		assert_true(x->data <= c->nbytes);
		assert_true(x->have <= c->nbytes - x->data);
		assert_true(x->packet <= c->npackets);
		assert_true(x->npackets <= c->npackets - x->packet);
		for (uint32_t k = 0; k < x->npackets; k++) {
			const struct capture_packet *q =
				&c->packets[x->packet + k];

			assert_true(q->data <= c->nbytes);
			assert_true(q->have <= c->nbytes - q->data);
		}
	}
	capture_free(c);
	return 0;
}

static void a_file_cut_off_anywhere(void **state)
{
	size_t len;
	uint8_t *p = read_file(ZERO, &len);
	unsigned whole = 0;

	(void)state;
	for (size_t n = 0; n < len; n += n < 1200 ? 1 : 37) {
		/* of its own size: what is behind the end is seen */
		uint8_t *cut = malloc(n ? n : 1);

		assert_non_null(cut);
		memcpy(cut, p, n);
		whole += read_bytes(cut, n) == 0;
		free(cut);
	}
	/* only where a block ends is there nothing wrong */
	assert_in_range(whole, 1, 60);
	assert_int_equal(read_bytes(p, len), 0);
	free(p);
}

static void a_file_with_a_changed_bit(void **state)
{
	size_t len;
	uint8_t *p = read_file(ZERO, &len);

	(void)state;
	for (size_t n = 0; n < len; n += n < 800 ? 1 : 23) {
		p[n] ^= (uint8_t)(1u << n % 8);
		read_bytes(p, len);
		p[n] ^= (uint8_t)(1u << n % 8);
		/* lengths are what does most harm */
		p[n] = (uint8_t)~p[n];
		read_bytes(p, len);
		p[n] = (uint8_t)~p[n];
	}
	free(p);
}

static uint32_t put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
	return 4;
}

/* A pcap file of one record */
static size_t pcap_of(uint8_t *p, uint32_t linktype, const void *rec,
		      uint32_t len)
{
	memset(p, 0, 40);
	put32(p, 0xa1b2c3d4);
	put32(p + 4, 2 | 4u << 16);
	put32(p + 16, 65535);
	put32(p + 20, linktype);
	put32(p + 32, len);
	put32(p + 36, len);
	memcpy(p + 40, rec, len);
	return 40 + len;
}

static void records_of_random_bytes(void **state)
{
	static const uint32_t types[] = {189, 220, 249};
	uint8_t file[400], rec[300];
	uint64_t x = 88172645463325252u;

	(void)state;
	for (unsigned i = 0; i < 60000; i++) {
		uint32_t len;

		for (size_t k = 0; k < sizeof(rec); k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			rec[k] = (uint8_t)(x & 1 ? x >> 8 : x >> 40 & 3);
		}
		len = (uint32_t)(x >> 20) % 280;
		if (x & 2) { /* one that goes further */
			rec[8] = x & 1u << 12 ? 0x43 : 0x53;
			rec[9] &= 3;
			put32(rec + 36, len);
		}
		if (x & 4) {
			rec[0] = (uint8_t)(27 + (x >> 14) % 60);
			rec[1] = 0;
			rec[22] &= 3;
		}
		read_bytes(file, pcap_of(file, types[i % 3], rec, len));
	}
}

static void what_is_no_capture_of_usb(void **state)
{
	uint8_t file[400], rec[64] = {0};
	char err[256];
	struct capture *c;

	(void)state;
	assert_int_equal(read_bytes("", 0), -EINVAL);
	assert_int_equal(read_bytes("not a capture\n", 14), -EINVAL);
	/* Ethernet */
	assert_int_equal(
		capture_read(fmemopen(file, pcap_of(file, 1, rec, 64), "rb"),
			     &c, err, sizeof(err)),
		-EINVAL);
	assert_string_equal(err, "link type 1 is no USB traffic that is known "
				 "here: give a capture of link types 189, 220 "
				 "(usbmon) and 249 (USBPcap)");
	/* a record that is none */
	assert_int_equal(
		capture_read(fmemopen(file, pcap_of(file, 220, rec, 64), "rb"),
			     &c, err, sizeof(err)),
		-EINVAL);
	assert_string_equal(err, "record 1: no event of a transfer: the file "
				 "is damaged, give another");
	/* no record */
	pcap_of(file, 220, rec, 0);
	assert_int_equal(
		capture_read(fmemopen(file, 24, "rb"), &c, err, sizeof(err)),
		-EINVAL);
	assert_string_equal(err, "no transfer in it: give another file");
}

/* --- files --- */

static char dir[] = "/tmp/devices_capture.XXXXXX";

static void put_file(const char *name, const void *p, size_t len)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	fclose(f);
}

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"cut.gz", "bare.pcap",
					    "bare.umockdev", "device"};
	char path[128];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	return 0;
}

static int open_one(const char *name, uint16_t bus, uint8_t addr, char *err,
		    size_t len)
{
	char path[128];
	struct replay_opt o = {.path = path, .bus = bus, .addr = addr};
	struct usb_dev *d = NULL;
	int rc;

	snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? dir : "", name);
	rc = replay_open(&o, &d, err, len);
	if (rc == 0) {
		rc = (int)d->speed;
		d->ops->free(d);
	}
	return rc;
}

void pm_timer_cancel(struct pmapper *pm, struct pm_timer *t)
{
	(void)pm;
	(void)t;
}

void pm_timer_set(struct pmapper *pm, struct pm_timer *t, uint64_t at_ns)
{
	(void)pm;
	(void)t;
	(void)at_ns;
}

uint64_t pm_now_ns(struct pmapper *pm)
{
	(void)pm;
	return 0;
}

static void gzip_that_is_cut_off(void **state)
{
	size_t len;
	uint8_t *p = read_file(DISK, &len);
	char err[256];

	(void)state;
	for (size_t n = 20; n < len; n += len / 40) {
		put_file("cut.gz", p, n);
		assert_int_equal(open_one("/cut.gz", 0, 0, err, sizeof(err)),
				 -EINVAL);
	}
	put_file("cut.gz", p, len);
	assert_int_equal(open_one("/cut.gz", 0, 0, err, sizeof(err)),
			 USB_SPEED_SUPER);
	free(p);
}

static void the_device_that_is_named(void **state)
{
	char err[256];

	(void)state;
	assert_int_equal(open_one(ZERO, 0, 0, err, sizeof(err)),
			 USB_SPEED_HIGH);
	assert_int_equal(open_one(ZERO, 1, 1, err, sizeof(err)),
			 USB_SPEED_HIGH);
	assert_int_equal(open_one(ZERO, 1, 2, err, sizeof(err)), -ENODEV);
	assert_string_equal(err, "no device 1.2 in it: write dev= and one of "
				 "1.1");
	assert_int_equal(open_one("/none", 0, 0, err, sizeof(err)), -ENOENT);
	assert_string_equal(err, "No such file or directory: give a file that "
				 "can be read");
	assert_true(open_one("/", 0, 0, err, sizeof(err)) < 0);
}

/* One interrupt transfer of 3.7, and nothing that says what that is */
static void put_bare(void)
{
	uint8_t file[200], rec[64] = {0};

	rec[8] = 'C';
	rec[9] = 1;
	rec[10] = 0x81;
	rec[11] = 7;
	rec[12] = 3;
	rec[14] = '-';
	put_file("bare.pcap", file, pcap_of(file, 220, rec, 64));
}

#define MOUSE                                  \
	"12010002000000086D04C077000100000001" \
	"0902220001010080320904000001030102000921110100012232000705810304000A"

static void descriptors_from_a_description(void **state)
{
	static const char lines[] = "P: /devices/usb1/1-1\n"
				    "N: bus/usb/%03u/%03u=" MOUSE "\n"
				    "A: speed=%s\\n\n\n";
	static const struct {
		const char *file;
		unsigned bus, addr;
		const char *speed;
		int want;
	} rows[] = {
		{"bare.umockdev", 3, 7, "1.5", USB_SPEED_LOW},
		{"bare.umockdev", 3, 7, "480", USB_SPEED_HIGH},
		{"bare.umockdev", 3, 7, "fast", USB_SPEED_LOW},
		{"device", 3, 7, "12", USB_SPEED_FULL},
		{"device", 3, 8, "12", -EINVAL}, /* another one */
	};
	char text[512], err[512];

	(void)state;
	put_bare();
	assert_int_equal(open_one("/bare.pcap", 0, 0, err, sizeof(err)),
			 -EINVAL);
	assert_non_null(strstr(err, "no whole configuration descriptor of "
				    "3.7: put umockdev's description"));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), lines, rows[i].bus, rows[i].addr,
			 rows[i].speed);
		put_file("bare.umockdev", "", 0);
		put_file(rows[i].file, text, strlen(text));
		assert_int_equal(open_one("/bare.pcap", 0, 0, err, sizeof(err)),
				 rows[i].want);
	}
	/* cut off and damaged, it is one or it is not */
	snprintf(text, sizeof(text), lines, 3, 7, "12");
	for (size_t n = 0; n < strlen(text); n++) {
		char c = text[n];

		put_file("device", text, n);
		open_one("/bare.pcap", 0, 0, err, sizeof(err));
		text[n] = (char)(c ^ 1 << n % 7);
		put_file("device", text, strlen(text));
		open_one("/bare.pcap", 0, 0, err, sizeof(err));
		text[n] = c;
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_cut_off_anywhere),
		cmocka_unit_test(a_file_with_a_changed_bit),
		cmocka_unit_test(records_of_random_bytes),
		cmocka_unit_test(what_is_no_capture_of_usb),
		T(gzip_that_is_cut_off),
		T(the_device_that_is_named),
		T(descriptors_from_a_description),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
