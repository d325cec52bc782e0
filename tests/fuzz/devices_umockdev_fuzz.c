/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * umockdev's descriptions of devices: any text is a device's descriptors, or
 * one of the errors of umockdev_find().
 */
#include "tests/unit/devices_clock.h"

#include <sys/mman.h>
#include <unistd.h>

#include "devices/bytes.h"
#include "devices/replay_impl.h"
#include "tests/fuzz/fuzz.h"

/* What can be made of it is what it says. */
static void take(const struct umockdev_dev *u, const uint8_t *id)
{
	struct replay_desc d = {.nconfigs = 0};

	assert_true(u->len >= REPLAY_DEVICE_LEN);
	assert_true(u->speed <= USB_SPEED_SUPER);
	if (id)
		assert_memory_equal(u->bytes + 8, id, 4);
	assert_int_equal(replay_add_configs(&d, u->bytes + REPLAY_DEVICE_LEN,
					    u->len - REPLAY_DEVICE_LEN),
			 0);
	assert_true(d.nconfigs <= REPLAY_MAX_CONFIGS);
	for (unsigned i = 0; i < d.nconfigs; i++) {
		assert_true(d.config_len[i] >= 9);
		assert_int_equal(get_le16(d.config[i] + 2), d.config_len[i]);
	}
	replay_desc_free(&d);
	free(u->bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct umockdev_dev u = {NULL, 0, USB_SPEED_NONE};
	struct fuzz_in in = {data, len};
	uint8_t how = in_u8(&in), id[4];
	uint16_t bus = in_u8(&in);
	uint8_t addr = in_u8(&in);
	char path[64];
	int fd = memfd_create("description", 0), rc;

	for (unsigned i = 0; i < 4; i++)
		id[i] = in_u8(&in);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, in.at, in.left), in.left);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = umockdev_find(path, bus, addr, how & 1 ? id : NULL, &u);
	if (rc == 0)
		take(&u, how & 1 ? id : NULL);
	else
		assert_true(rc == -ENODEV || rc == -EINVAL);
	close(fd);
	return 0;
}

/* Where the first device is, and who; 0 if it does not say */
static void look(const char *text, uint8_t head[7])
{
	const char *at = strstr(text, "N: bus/usb/");
	unsigned bus = 0, addr = 0, byte;

	if (at && sscanf(at, "N: bus/usb/%3u/%3u=", &bus, &addr) == 2) {
		at = strchr(at, '=');
		for (unsigned i = 0; at && i < 4; i++)
			if (sscanf(at + 17 + 2 * i, "%2x", &byte) == 1)
				head[3 + i] = (uint8_t)byte;
	}
	head[1] = (uint8_t)bus;
	head[2] = (uint8_t)addr;
}

void fuzz_seeds(const char *dir)
{
	static const char *const names[] = {"camera", "disk",     "fingerprint",
					    "hub",    "keyboard", "hostile"};
	static char text[7 + 8192];

	for (unsigned i = 0; i < 12; i++) {
		uint8_t head[7] = {(uint8_t)(i & 1)};
		char path[64];
		size_t n;
		FILE *f;

		snprintf(path, sizeof(path), "fixtures/umockdev/%s.umockdev",
			 names[i / 2]);
		f = fopen(path, "rb");
		assert_non_null(f);
		n = fread(text + 7, 1, sizeof(text) - 8, f);
		fclose(f);
		text[7 + n] = '\0';
		look(text + 7, head);
		memcpy(text, head, 7);
		fuzz_seed(dir, "description", i, text, 7 + n);
	}
}
