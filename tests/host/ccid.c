/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ccid.c - asks a smart card reader to power its card on and prints the card's
 * answer to reset (CCID 1.1 §6.1.1, §6.2.1).
 *
 *   ccid NODE
 */
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define USB_DT_ENDPOINT 5
#define POWER_ON 0x62
#define DATA_BLOCK 0x80

static int bulk(int fd, unsigned ep, void *data, unsigned len)
{
	struct usbdevfs_bulktransfer b = {
		.ep = ep, .len = len, .timeout = 20000, .data = data};

	return ioctl(fd, USBDEVFS_BULK, &b);
}

/* The bulk endpoints, from the descriptors that usbfs gives. */
static void endpoints(int fd, unsigned *in, unsigned *out)
{
	unsigned char d[1024];
	ssize_t n = read(fd, d, sizeof(d));

	for (ssize_t at = 0; at + 4 <= n && d[at] >= 2; at += d[at]) {
		if (d[at + 1] != USB_DT_ENDPOINT || (d[at + 3] & 3) != 2)
			continue;
		if (d[at + 2] & 0x80)
			*in = d[at + 2];
		else
			*out = d[at + 2];
	}
}

int main(int argc, char **argv)
{
	unsigned char cmd[10] = {POWER_ON}, reply[300];
	unsigned in = 0, out = 0, ifno = 0;
	int fd = argc == 2 ? open(argv[1], O_RDWR) : -1, n;

	if (fd < 0) {
		fprintf(stderr, "usage: ccid NODE\n");
		return 2;
	}
	endpoints(fd, &in, &out);
	if (ioctl(fd, USBDEVFS_CLAIMINTERFACE, &ifno) ||
	    bulk(fd, out, cmd, sizeof(cmd)) != sizeof(cmd) ||
	    (n = bulk(fd, in, reply, sizeof(reply))) < 10) {
		perror("ccid");
		return 1;
	}
	if (reply[0] != DATA_BLOCK || reply[7] & 0xc0) {
		printf("message %02x status %02x error %02x\n", reply[0],
		       reply[7], reply[8]);
		return 1;
	}
	for (int i = 10; i < n; i++)
		printf("%02x%c", reply[i], i + 1 < n ? ' ' : '\n');
	return 0;
}
