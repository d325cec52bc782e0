/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcm.c - a signal that tells each sample from the others, played and found
 * again: 48 kHz, signed 16 bit.
 *
 *   pcm play /dev/snd/pcmC1D0p CHANNELS SECONDS [HOLD] - exit status 1 at an
 *                     XRUN; the device is closed HOLD seconds after the end
 *   pcm count /dev/snd/pcmC1D0p 2 SECONDS - plays frames that are numbers from
 *                                    1 on, the left sample the low 16 bits
 *   pcm record /dev/snd/pcmC1D0c 2 SECONDS - whether such numbers come, each the
 *                                    next; exit status 1 if not
 *   pcm loud /dev/snd/controlC1 - all volumes at their maximum
 *   pcm find FILE CHANNELS SECONDS - whether a wav file, or the isochronous OUT
 *                                    data of a pcap file (usbmon's format), has
 *                                    it, whole and in order, and else silence
 */
#include <errno.h>
#include <fcntl.h>
#include <sound/asound.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RATE 48000
#define PERIOD 2400u
#define PERIODS 20u
#define UNKNOWN INT16_MIN /* not a sample of the signal */

/* Sample @f of channel @c; never 0, so that the first is found. A second of
 * silence follows, as what is in the last block of a file is not there yet. */
static int16_t sample(unsigned f, unsigned c)
{
	return (int16_t)(1 + (f * 8 + c) * 7 % 32749);
}

static void one(struct snd_pcm_hw_params *p, int what, unsigned value)
{
	struct snd_interval *i =
		&p->intervals[what - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];

	i->min = i->max = value;
	i->integer = 1;
	i->openmin = i->openmax = i->empty = 0;
}

static void mask(struct snd_pcm_hw_params *p, int what, unsigned bit)
{
	struct snd_mask *m = &p->masks[what - SNDRV_PCM_HW_PARAM_FIRST_MASK];

	memset(m, 0, sizeof(*m));
	m->bits[bit / 32] = 1u << bit % 32;
}

static int pcm_setup(int fd, unsigned channels)
{
	struct snd_pcm_sw_params sw = {
		.tstamp_mode = SNDRV_PCM_TSTAMP_NONE,
		.period_step = 1,
		.avail_min = PERIOD,
		.start_threshold = PERIOD * (PERIODS - 1),
		.stop_threshold = PERIOD * PERIODS,
		.boundary = (snd_pcm_uframes_t)PERIOD * PERIODS << 32,
	};
	struct snd_pcm_hw_params hw = {0};

	for (unsigned i = 0; i < 3; i++)
		memset(&hw.masks[i], 0xff, sizeof(hw.masks[i]));
	for (unsigned i = 0; i < sizeof(hw.intervals) / sizeof(*hw.intervals);
	     i++)
		hw.intervals[i].max = UINT32_MAX;
	hw.rmask = UINT32_MAX;
	mask(&hw, SNDRV_PCM_HW_PARAM_ACCESS,
	     (unsigned)SNDRV_PCM_ACCESS_RW_INTERLEAVED);
	mask(&hw, SNDRV_PCM_HW_PARAM_FORMAT, (unsigned)SNDRV_PCM_FORMAT_S16_LE);
	one(&hw, SNDRV_PCM_HW_PARAM_CHANNELS, channels);
	one(&hw, SNDRV_PCM_HW_PARAM_RATE, RATE);
	one(&hw, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, PERIOD);
	one(&hw, SNDRV_PCM_HW_PARAM_PERIODS, PERIODS);
	if (ioctl(fd, SNDRV_PCM_IOCTL_HW_PARAMS, &hw) ||
	    ioctl(fd, SNDRV_PCM_IOCTL_SW_PARAMS, &sw) ||
	    ioctl(fd, SNDRV_PCM_IOCTL_PREPARE))
		return -errno;
	return 0;
}

/* A frame of two channels that is a number */
static int16_t count(unsigned f, unsigned c)
{
	return (int16_t)((f + 1) >> 16 * c);
}

typedef int16_t signal_fn(unsigned f, unsigned c);

static int play(const char *path, unsigned channels, unsigned seconds,
		signal_fn *signal, unsigned hold)
{
	static int16_t buf[PERIOD * 8];
	int fd = open(path, O_WRONLY), err;

	err = fd < 0 ? -errno : pcm_setup(fd, channels);
	if (err) {
		printf("%s: %s\n", path, strerror(-err));
		return 2;
	}
	for (unsigned f = 0; f < (seconds + 1) * RATE; f += PERIOD) {
		struct snd_xferi x = {.buf = buf, .frames = PERIOD};

		for (unsigned i = 0; i < PERIOD; i++)
			for (unsigned c = 0; c < channels; c++)
				buf[i * channels + c] =
					f < seconds * RATE ? signal(f + i, c)
							   : 0;
		if (ioctl(fd, SNDRV_PCM_IOCTL_WRITEI_FRAMES, &x)) {
			printf("frame %u: %s\n", f,
			       errno == EPIPE ? "XRUN" : strerror(errno));
			return 1;
		}
	}
	if (ioctl(fd, SNDRV_PCM_IOCTL_DRAIN)) {
		printf("drain: %s\n", strerror(errno));
		return 1;
	}
	sleep(hold);
	printf("played %u frames of %u channels\n", seconds * RATE, channels);
	return 0;
}

static int record(const char *path, unsigned channels, unsigned seconds)
{
	static uint32_t buf[PERIOD];
	int fd = open(path, O_RDONLY), err;
	uint32_t last = 0, first = 0;
	unsigned gaps = 0;

	err = fd < 0 ? -errno : pcm_setup(fd, channels);
	if (!err && ioctl(fd, SNDRV_PCM_IOCTL_START))
		err = -errno;
	if (err || channels != 2) {
		printf("%s: %s\n", path, strerror(-err));
		return 2;
	}
	for (unsigned f = 0; f < seconds * RATE; f += PERIOD) {
		struct snd_xferi x = {.buf = buf, .frames = PERIOD};

		if (ioctl(fd, SNDRV_PCM_IOCTL_READI_FRAMES, &x)) {
			printf("frame %u: %s\n", f,
			       errno == EPIPE ? "XRUN" : strerror(errno));
			return 1;
		}
		first = f == 0 ? buf[0] : first;
		for (unsigned i = 0; i < PERIOD; i++) {
			if (last && buf[i] != last + 1 && gaps++ < 5)
				printf("frame %u: %u follows %u\n", f + i,
				       buf[i], last);
			last = buf[i];
		}
	}
	printf("recorded frames %u to %u, %u gaps\n", first, last, gaps);
	return gaps || !first || last - first != seconds * RATE - 1;
}

/* Every value of the element at its maximum; switches are on when they are 1. */
static bool elem_max(int fd, struct snd_ctl_elem_id id)
{
	struct snd_ctl_elem_info info = {.id = id};
	struct snd_ctl_elem_value v = {.id = id};

	if (ioctl(fd, SNDRV_CTL_IOCTL_ELEM_INFO, &info))
		return false;
	for (unsigned i = 0; i < info.count && i < 128; i++) {
		if (info.type == SNDRV_CTL_ELEM_TYPE_INTEGER)
			v.value.integer.value[i] = info.value.integer.max;
		else if (info.type == SNDRV_CTL_ELEM_TYPE_BOOLEAN)
			v.value.integer.value[i] = 1;
		else
			return true;
	}
	return !(info.access & SNDRV_CTL_ELEM_ACCESS_WRITE) ||
	       ioctl(fd, SNDRV_CTL_IOCTL_ELEM_WRITE, &v) >= 0;
}

static int loud(const char *path)
{
	static struct snd_ctl_elem_id ids[64];
	struct snd_ctl_elem_list list = {.space = 64, .pids = ids};
	int fd = open(path, O_RDWR);

	if (fd < 0 || ioctl(fd, SNDRV_CTL_IOCTL_ELEM_LIST, &list)) {
		printf("%s: %s\n", path, strerror(errno));
		return 2;
	}
	for (unsigned i = 0; i < list.used; i++)
		if (!elem_max(fd, ids[i])) {
			printf("%s: %s\n", (char *)ids[i].name,
			       strerror(errno));
			return 1;
		}
	printf("%u controls at their maximum\n", list.used);
	return 0;
}

static bool is_silent(const int16_t *s, size_t n)
{
	for (; n; n--, s++)
		if (*s && *s != UNKNOWN)
			return false;
	return true;
}

/*
 * What a device got: the data of isochronous submissions. QEMU keeps the first
 * 256 bytes of a packet; the others are UNKNOWN.
 */
static size_t load_pcap(FILE *f, int16_t *to, size_t room)
{
	uint32_t record[4]; /* seconds, microseconds, bytes here, bytes */
	uint8_t head[64];   /* struct mon_bin_hdr; 32: bytes of the transfer */
	size_t n = 0;

	while (fread(record, sizeof(record), 1, f) == 1 && record[2] >= 64 &&
	       fread(head, sizeof(head), 1, f) == 1) {
		size_t have = (record[2] - 64) / 2, all;
		uint32_t length;
		bool wanted =
			head[8] == 'S' && head[9] == 0 && !(head[10] & 0x80);

		memcpy(&length, head + 32, 4);
		all = wanted && length / 2 > have ? length / 2 : have;
		if (all > room - n || fread(to + n, 2, have, f) != have)
			break;
		if (record[2] & 1 && fgetc(f) == EOF)
			break;
		for (size_t i = have; i < all; i++)
			to[n + i] = UNKNOWN;
		n += wanted ? all : 0;
	}
	return n;
}

/* Samples of the file into @s; returns how many. */
static size_t load(const char *path, int16_t *s, size_t room)
{
	static const uint8_t pcap[4] = {0xd4, 0xc3, 0xb2, 0xa1};
	FILE *f = fopen(path, "rb");
	uint8_t head[44];
	size_t n = 0;

	if (!f || fread(head, 24, 1, f) != 1)
		return 0;
	if (!memcmp(head, pcap, 4))
		n = load_pcap(f, s, room);
	else if (fread(head + 24, 20, 1, f) == 1)
		n = fread(s, 2, room, f);
	fclose(f);
	return n;
}

static int find(const char *path, unsigned channels, unsigned seconds)
{
	static int16_t s[1 << 25];
	size_t n = load(path, s, sizeof(s) / sizeof(s[0])), at = 0, end;
	size_t bad = 0;

	n -= n % channels;
	while (at < n && is_silent(s + at, channels))
		at += channels;
	end = at + (size_t)seconds * RATE * channels;
	for (size_t i = at; i < end && i < n && bad < 5; i++) {
		unsigned k = (unsigned)(i - at);
		int16_t want = sample(k / channels, k % channels);

		if (s[i] != want && s[i] != UNKNOWN) {
			printf("frame %u channel %u: %d, not %d\n",
			       k / channels, k % channels, s[i], want);
			bad++;
		}
	}
	printf("%zu frames, the signal from %zu\n", n / channels,
	       at / channels);
	return bad || n < end || !is_silent(s + end, n - end);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "loud"))
		return loud(argv[2]);
	if (argc == 5 || argc == 6) {
		unsigned channels = (unsigned)atoi(argv[3]);
		unsigned seconds = (unsigned)atoi(argv[4]);
		unsigned hold = argc > 5 ? (unsigned)atoi(argv[5]) : 0;

		if (channels < 1 || channels > 8)
			return 2;
		if (!strcmp(argv[1], "play"))
			return play(argv[2], channels, seconds, sample, hold);
		if (!strcmp(argv[1], "count"))
			return play(argv[2], channels, seconds, count, 0);
		if (!strcmp(argv[1], "record"))
			return record(argv[2], channels, seconds);
		if (!strcmp(argv[1], "find"))
			return find(argv[2], channels, seconds);
	}
	fprintf(stderr, "usage: pcm play|count|record|find FILE CHANNELS "
			"SECONDS [HOLD]\n"
			"       pcm loud FILE\n");
	return 2;
}
