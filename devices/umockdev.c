/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * umockdev.c - umockdev's description of devices: blocks of lines, each a
 * letter, a colon and the rest. `P:` begins a device, `N:` its node and what
 * can be read from that, `H:` binary attributes in hexadecimal, `A:` others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/replay_impl.h"

#define MAX_FILE (16u << 20) /* bytes */
#define MAX_DESCRIPTORS 65536u

/* What is known of a device, as far as its lines were read */
struct block {
	unsigned bus, addr;
	const char *hex; /* borrowed from the text; its descriptors */
	size_t nhex;
	enum usb_speed speed;
};

/* All of @f and a NUL. 0, -EIO, -EFBIG or -ENOMEM */
static int read_all(FILE *f, char **ret_text)
{
	size_t len = 0, room = 0, n = 1;
	char *text = NULL, *more;

	while (n > 0) {
		room = room ? room * 2 : 16u << 10;
		more = len <= MAX_FILE ? realloc(text, room + 1) : NULL;
		if (more == NULL) {
			free(text);
			return len <= MAX_FILE ? -ENOMEM : -EFBIG;
		}
		text = more;
		n = fread(text + len, 1, room - len, f);
		len += n;
	}
	if (ferror(f)) {
		free(text);
		return -EIO;
	}
	text[len] = '\0';
	*ret_text = text;
	return 0;
}

static char *read_text(const char *path, int *ret_err)
{
	FILE *f = fopen(path, "rbe");
	char *text = NULL;

	if (f == NULL) {
		*ret_err = -errno;
		return NULL;
	}
	*ret_err = read_all(f, &text);
	fclose(f);
	return text;
}

static enum usb_speed speed_of(const char *s)
{
	static const struct {
		const char *mbit;
		enum usb_speed speed;
	} rows[] = {
		{"1.5", USB_SPEED_LOW},     {"12", USB_SPEED_FULL},
		{"480", USB_SPEED_HIGH},    {"5000", USB_SPEED_SUPER},
		{"10000", USB_SPEED_SUPER}, {"20000", USB_SPEED_SUPER},
	};
	size_t n = strspn(s, "0123456789.");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strlen(rows[i].mbit) == n && !strncmp(s, rows[i].mbit, n))
			return rows[i].speed;
	return USB_SPEED_NONE;
}

static void take_hex(struct block *b, const char *s)
{
	b->hex = s;
	b->nhex = strspn(s, "0123456789abcdefABCDEF");
}

static void take_line(struct block *b, const char *s)
{
	static const char descriptors[] = "H: descriptors=";
	static const char speed[] = "A: speed=";
	unsigned bus, addr;
	int n = 0;

	if (sscanf(s, "N: bus/usb/%3u/%3u%n", &bus, &addr, &n) == 2) {
		b->bus = bus;
		b->addr = addr;
		if (s[n] == '=' && b->hex == NULL)
			take_hex(b, s + n + 1);
	} else if (!strncmp(s, descriptors, sizeof(descriptors) - 1)) {
		take_hex(b, s + sizeof(descriptors) - 1);
	} else if (!strncmp(s, speed, sizeof(speed) - 1)) {
		b->speed = speed_of(s + sizeof(speed) - 1);
	}
}

static uint8_t nibble(char c)
{
	if (c >= '0' && c <= '9')
		return (uint8_t)(c - '0');
	return (uint8_t)((c | 0x20) - 'a' + 10);
}

static int to_bytes(const struct block *b, struct umockdev_dev *ret)
{
	uint32_t n =
		(uint32_t)(b->nhex / 2 < MAX_DESCRIPTORS ? b->nhex / 2
							 : MAX_DESCRIPTORS);

	ret->bytes = malloc(n + 1);
	if (ret->bytes == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		ret->bytes[i] = (uint8_t)(nibble(b->hex[2 * i]) << 4 |
					  nibble(b->hex[2 * i + 1]));
	ret->len = n;
	ret->speed = b->speed;
	return 0;
}

/* Is it the one? 0 if not; better ones are higher. */
static unsigned match(const struct block *b, uint16_t bus, uint8_t addr,
		      const uint8_t *id)
{
	bool here = b->bus == bus && b->addr == addr;

	if (b->hex == NULL || b->nhex / 2 < REPLAY_DEVICE_LEN)
		return 0;
	for (unsigned i = 0; id != NULL && i < 4; i++)
		if ((nibble(b->hex[16 + 2 * i]) << 4 |
		     nibble(b->hex[17 + 2 * i])) != id[i])
			return 0;
	if (here)
		return 2;
	return id != NULL;
}

/* The best of its blocks. True: there were devices of some kind. */
static bool scan(char *text, uint16_t bus, uint8_t addr, const uint8_t *id,
		 struct block *ret_best)
{
	struct block b = {0};
	unsigned best = 0;
	bool any = false;

	for (char *line = text, *next; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		if (!strncmp(line, "P: ", 3)) {
			any = true;
			b = (struct block){0};
			continue;
		}
		take_line(&b, line);
		if (next != NULL && *next != '\n' && *next != '\0')
			continue;
		if (match(&b, bus, addr, id) > best) {
			best = match(&b, bus, addr, id);
			*ret_best = b;
		}
	}
	return any;
}

int umockdev_find(const char *path, uint16_t bus, uint8_t addr,
		  const uint8_t *id, struct umockdev_dev *ret)
{
	struct block best = {0};
	int rc;
	char *text = read_text(path, &rc);

	if (text == NULL)
		return rc;
	if (!scan(text, bus, addr, id, &best))
		rc = -EINVAL;
	else if (best.hex == NULL)
		rc = -ENODEV;
	else
		rc = to_bytes(&best, ret);
	free(text);
	return rc;
}
