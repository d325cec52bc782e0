/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uevents.c - what udevd does for libusb: each event of the kernel's is sent on
 * to the listeners of libudev, with the header that libudev filters by. No
 * rules, no names, no permissions.
 */
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUP_KERNEL 1
#define GROUP_UDEV 2

/* libudev's messages (libudev-monitor, version feedcafe) */
struct udev_header {
	char prefix[8];
	uint32_t magic;
	uint32_t header_size;
	uint32_t properties_off;
	uint32_t properties_len;
	uint32_t subsystem_hash;
	uint32_t devtype_hash;
	uint32_t tag_hi, tag_lo;
};

/* MurmurHash2, seed 0, by which libudev knows subsystems and types. */
static uint32_t hash_of(const char *s)
{
	const uint32_t m = 0x5bd1e995;
	uint32_t len = (uint32_t)strlen(s), h = len, k;

	for (; len >= 4; len -= 4, s += 4) {
		memcpy(&k, s, 4);
		k *= m;
		k ^= k >> 24;
		k *= m;
		h = h * m ^ k;
	}
	if (len) {
		k = 0;
		memcpy(&k, s, len);
		h = (h ^ k) * m;
	}
	h ^= h >> 13;
	h *= m;
	return h ^ h >> 15;
}

/* The value of KEY= among the strings of @p, or NULL. */
static const char *value_of(const char *p, size_t len, const char *key)
{
	size_t n = strlen(key);

	for (const char *s = p; s < p + len; s += strlen(s) + 1)
		if (!strncmp(s, key, n) && s[n] == '=')
			return s + n + 1;
	return NULL;
}

static void send_on(int out, const char *props, size_t len)
{
	struct sockaddr_nl to = {.nl_family = AF_NETLINK,
				 .nl_groups = GROUP_UDEV};
	const char *sub = value_of(props, len, "SUBSYSTEM");
	const char *type = value_of(props, len, "DEVTYPE");
	struct udev_header h = {
		.prefix = "libudev",
		.magic = htonl(0xfeedcafe),
		.header_size = sizeof(h),
		.properties_off = sizeof(h),
		.properties_len = (uint32_t)len,
		.subsystem_hash = sub ? htonl(hash_of(sub)) : 0,
		.devtype_hash = type ? htonl(hash_of(type)) : 0,
	};
	struct iovec iov[2] = {{&h, sizeof(h)}, {(void *)props, len}};
	struct msghdr msg = {.msg_name = &to,
			     .msg_namelen = sizeof(to),
			     .msg_iov = iov,
			     .msg_iovlen = 2};

	sendmsg(out, &msg, 0);
}

int main(void)
{
	struct sockaddr_nl at = {.nl_family = AF_NETLINK,
				 .nl_groups = GROUP_KERNEL};
	static char buf[16384];
	int in = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
	int out = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
	int room = 8 << 20;

	if (in < 0 || out < 0 || bind(in, (void *)&at, sizeof(at))) {
		perror("uevents");
		return 1;
	}
	setsockopt(in, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	for (;;) {
		ssize_t n = recv(in, buf, sizeof(buf) - 1, 0);
		size_t skip;

		if (n <= 0)
			continue;
		buf[n] = 0;
		/* ACTION@DEVPATH, then the properties */
		skip = strlen(buf) + 1;
		if (skip < (size_t)n)
			send_on(out, buf + skip, (size_t)n - skip);
	}
}
