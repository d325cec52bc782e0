/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * testusb.c - runs cases of Linux's usbtest driver on a device it is bound to.
 *
 *   testusb NODE ITERATIONS LENGTH VARY LIST-LENGTH CASE…
 *
 * For each case a line: `CASE ok SECONDS`, `CASE none` (the driver has it not
 * for this device) or `CASE failed ERRNO`; then `total SECONDS` of those that
 * passed. Exit status 0 when none failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* drivers/usb/misc/usbtest.c */
struct usbtest_param_32 {
	uint32_t test_num;
	uint32_t iterations;
	uint32_t length;
	uint32_t vary;
	uint32_t sglen;
	int32_t duration_sec;
	int32_t duration_usec;
};
#define USBTEST_REQUEST_32 _IOWR('U', 100, struct usbtest_param_32)

static uint32_t number(const char *s)
{
	return (uint32_t)strtoul(s, NULL, 0);
}

int main(int argc, char **argv)
{
	double total = 0;
	int fd, bad = 0;

	if (argc < 7) {
		fprintf(stderr, "usage: testusb NODE N LENGTH VARY SG CASE…\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR);
	if (fd < 0) {
		perror(argv[1]);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 6; i < argc; i++) {
		struct usbtest_param_32 p = {
			.test_num = number(argv[i]),
			.iterations = number(argv[2]),
			.length = number(argv[3]),
			.vary = number(argv[4]),
			.sglen = number(argv[5]),
		};
		struct usbdevfs_ioctl req = {
			.ifno = 0,
			.ioctl_code = (int)USBTEST_REQUEST_32,
			.data = &p,
		};
		double s;

		if (ioctl(fd, USBDEVFS_IOCTL, &req) < 0) {
			if (errno == EOPNOTSUPP) {
				printf("%s none\n", argv[i]);
				continue;
			}
			printf("%s failed %s\n", argv[i], strerror(errno));
			bad++;
			continue;
		}
		s = p.duration_sec + p.duration_usec / 1e6;
		total += s;
		printf("%s ok %.3f\n", argv[i], s);
	}
	printf("total %.3f\n", total);
	return bad != 0;
}
