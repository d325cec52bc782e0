/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v4l.c - frames of a camera whose 32-bit words say which they are: 65536 times
 * the frame's number plus the word's place in it.
 *
 *   v4l /dev/videoN FRAMES - exit status 1 if one is missing, short or wrong
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFERS 8u
#define WAIT_MS 60000

static int buf_type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

static void *map_buffer(int fd, unsigned index)
{
	struct v4l2_buffer b = {.index = index,
				.type = (unsigned)buf_type,
				.memory = V4L2_MEMORY_MMAP};
	void *p;

	if (ioctl(fd, VIDIOC_QUERYBUF, &b))
		return NULL;
	p = mmap(NULL, b.length, PROT_READ, MAP_SHARED, fd, b.m.offset);
	if (p == MAP_FAILED || ioctl(fd, VIDIOC_QBUF, &b))
		return NULL;
	return p;
}

static int is_whole(const uint32_t *w, uint32_t bytes, uint32_t size)
{
	if (bytes != size)
		return 0;
	for (uint32_t i = 0; i < bytes / 4; i++)
		if (w[i] != (w[0] | i))
			return 0;
	return (w[0] & 0xffff) == 0;
}

static int stream(int fd, uint32_t size, unsigned frames)
{
	struct v4l2_requestbuffers req = {.count = BUFFERS,
					  .type = (unsigned)buf_type,
					  .memory = V4L2_MEMORY_MMAP};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint32_t *at[BUFFERS] = {NULL}, last = 0, first = 0;
	unsigned bad = 0;

	if (ioctl(fd, VIDIOC_REQBUFS, &req) || req.count > BUFFERS)
		return -errno;
	for (unsigned i = 0; i < req.count; i++)
		if (!(at[i] = map_buffer(fd, i)))
			return -errno;
	if (ioctl(fd, VIDIOC_STREAMON, &buf_type))
		return -errno;
	for (unsigned n = 0; n < frames; n++) {
		struct v4l2_buffer b = {.type = (unsigned)buf_type,
					.memory = V4L2_MEMORY_MMAP};
		uint32_t number;

		if (poll(&p, 1, WAIT_MS) != 1)
			return -ETIMEDOUT;
		if (ioctl(fd, VIDIOC_DQBUF, &b))
			return -errno;
		number = at[b.index][0] >> 16;
		first = n == 0 ? number : first;
		if ((!is_whole(at[b.index], b.bytesused, size) ||
		     (n > 0 && number != last + 1)) &&
		    bad++ < 5)
			printf("frame %u: number %u after %u, %u bytes\n", n,
			       number, last, b.bytesused);
		last = number;
		if (ioctl(fd, VIDIOC_QBUF, &b))
			return -errno;
	}
	printf("frames %u to %u of %u bytes, %u bad\n", first, last, size, bad);
	return bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct v4l2_format f = {.type = (unsigned)buf_type};
	int fd, r;

	if (argc != 3 || (fd = open(argv[1], O_RDWR)) < 0) {
		fprintf(stderr, "usage: v4l /dev/videoN FRAMES\n");
		return 2;
	}
	r = ioctl(fd, VIDIOC_G_FMT, &f)
		    ? -errno
		    : stream(fd, f.fmt.pix.sizeimage, (unsigned)atoi(argv[2]));
	if (r < 0)
		printf("%s: %s\n", argv[1], strerror(-r));
	return r != 0;
}
