/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recorded traffic through hostusb and the real libusb: each transfer of a
 * recording is submitted as it was then, umockdev answers as the device did,
 * and what comes out must be what was recorded. Without arguments it runs
 * itself in umockdev-run, for the recordings of the project and for those in
 * the folders below $VXHCI_RECORDINGS: a description each (`device` or
 * *.umockdev), and pcap, pcapng or ioctl files.
 */
#include "tests/unit/pmapper_fake.h"

#include <dirent.h>
#include <ftw.h>
#include <libusb.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/hostusb_recorded.h"

#define PATIENCE_MS 10000u

/* The one call of libusb's that umockdev's replay has no answer to */
int libusb_kernel_driver_active(libusb_device_handle *h, int iface)
{
	(void)h;
	(void)iface;
	return 0;
}

/* --- the host --- */

static void no_watch(void *arg, int fd, short events)
{
	(void)arg;
	(void)fd;
	(void)events;
}

static void no_wake(void *arg)
{
	(void)arg;
}

static void show_log(void *arg, enum xhci_log level, const char *line)
{
	(void)arg;
	if (level != XHCI_LOG_DEBUG)
		fprintf(stderr, "%s\n", line);
}

static const struct hostusb_host_ops ops = {
	.fd_watch = no_watch,
	.wake = no_wake,
	.log = show_log,
};

/* What a loop does; umockdev's nodes can always be read, so no poll(). */
static void turn(void)
{
	while (hostusb_run(test.h, true))
		;
	rig_run(test.rig);
	for (; test.rig->x.ndone; test.rig->x.ndone--)
		test.pending[test.rig->x.done[test.rig->x.ndone - 1] -
			     test.rig->t] = false;
}

static unsigned attach(void)
{
	struct hostusb_rule r = {.name = "recorded",
				 .match = {.kind = MATCH_ADDR,
					   .bus = (uint8_t)test.bus,
					   .addr = (uint8_t)test.addr}};
	char err[256] = "";

	if (hostusb_create(test.rig->pm, &ops, NULL, "the tests", err,
			   sizeof(err), &test.h) != 0 ||
	    hostusb_add_rule(test.h, &r, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	for (unsigned ms = 0; ms < PATIENCE_MS; ms++) {
		turn();
		for (unsigned port = 1; port <= FAKE_PORTS; port++)
			if (test.rig->x.port[port].ops)
				return port;
		poll(NULL, 0, 1);
	}
	fail_msg("it was not attached");
	return 0;
}

/* --- one record after the other --- */

static unsigned free_xfer(void)
{
	for (unsigned i = 0; i < FAKE_XFERS; i++)
		if (!test.seg[i].base)
			return i;
	fail_msg("more transfers in flight than there are");
	return 0;
}

static void submit(unsigned port, struct record *r)
{
	struct usb_xfer *t;
	struct usb_seg *seg;

	r->xfer = free_xfer();
	t = rig_xfer(test.rig, r->xfer);
	seg = &test.seg[r->xfer];
	seg->base = malloc(r->length + 1u);
	seg->len = r->length;
	assert_non_null(seg->base);
	memset(seg->base, 0xee, r->length + 1u);
	t->ep = r->ep;
	t->type = r->type == MON_BULK        ? USB_BULK
		  : r->type == MON_INTERRUPT ? USB_INTERRUPT
					     : USB_CONTROL;
	if (t->type == USB_CONTROL) {
		t->ep = 0;
		t->setup = r->setup;
	}
	t->in = r->ep & USB_DIR_IN;
	t->length = r->length;
	t->seg = seg;
	t->nseg = r->length ? 1 : 0;
	if (!t->in)
		memcpy(seg->base, r->data, r->data_len);
	test.pending[r->xfer] = true;
	assert_int_equal(rig_submit(test.rig, port, t), 0);
	turn();
}

static enum usb_status status_of(int32_t status)
{
	switch (status) {
	case 0:
	case -121: /* EREMOTEIO: short, and that was to be an error */
		return USB_OK;
	case -EPIPE:
		return USB_STALL;
	case -ENOENT:
	case -ECONNRESET:
		return USB_CANCELLED;
	case -EOVERFLOW:
		return USB_BABBLE;
	default:
		return USB_ERROR;
	}
}

static const struct record *submission_of(const struct record *c)
{
	for (const struct record *r = c; r-- > test.record;)
		if (r->id == c->id && r->event != 'C')
			return r->event == 'S' ? r : NULL;
	return NULL;
}

static void complete(const struct record *c)
{
	const struct record *s = submission_of(c);
	struct usb_seg *seg;
	struct usb_xfer *t;

	if (!s) /* it began before the recording did */
		return;
	t = &test.rig->t[s->xfer];
	seg = &test.seg[s->xfer];
	for (unsigned ms = 0; test.pending[s->xfer]; ms++) {
		if (ms > PATIENCE_MS)
			fail_msg("record %d: no answer",
				 (int)(c - test.record));
		turn();
		if (ms)
			poll(NULL, 0, 1);
	}
	/* one that libusb did not cancel itself has ended well, it finds */
	if (status_of(c->status) != USB_CANCELLED)
		assert_int_equal(t->status, status_of(c->status));
	assert_int_equal(t->actual, c->length);
	if (t->in) {
		assert_memory_equal(seg->base, c->data, c->data_len);
		/* nothing was written behind it */
		for (uint32_t k = c->length; k <= s->length; k++)
			assert_int_equal(seg->base[k], 0xee);
	}
	free(seg->base);
	seg->base = NULL;
}

/* The ones that the recording leaves waiting */
static void cancel_rest(unsigned port)
{
	for (unsigned k = 0; k < FAKE_XFERS; k++) {
		struct usb_xfer *t = &test.rig->t[k];

		if (!test.pending[k])
			continue;
		rig_cancel(test.rig, port, t);
		for (unsigned ms = 0; test.pending[k]; ms++) {
			assert_true(ms < PATIENCE_MS);
			turn();
			poll(NULL, 0, 1);
		}
		assert_int_equal(t->status, USB_CANCELLED);
		assert_int_equal(t->actual, 0);
	}
}

static void recorded_traffic_comes_out_as_it_was(void **state)
{
	unsigned port;

	rig_setup((void **)&test.rig);
	(void)state;
	read_recording();
	port = attach();
	for (unsigned k = 0; k < test.n; k++) {
		if (test.record[k].event == 'S')
			submit(port, &test.record[k]);
		else if (test.record[k].event != '-')
			complete(&test.record[k]);
	}
	cancel_rest(port);
	hostusb_stop(test.h);
	pmapper_detach_all(test.rig->pm);
	for (unsigned ms = 0; pmapper_busy(test.rig->pm); ms++) {
		assert_true(ms < PATIENCE_MS);
		turn();
		poll(NULL, 0, 1);
	}
	for (unsigned k = 0; k < FAKE_XFERS; k++)
		free(test.seg[k].base);
	hostusb_destroy(test.h);
	rig_teardown((void **)&test.rig);
}

/* --- run in umockdev --- */

/* Its place in sysfs and its address; the device comes first in the file. */
static int read_device(const char *file, char *sys, size_t len, unsigned *bus,
		       unsigned *addr)
{
	char line[1024];
	FILE *f = fopen(file, "r");
	int found = 0;

	while (f && found < 2 && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "P: ", 3)) {
			snprintf(sys, len, "/sys%.500s", line + 3);
			found = 1;
		} else if (found == 1 &&
			   sscanf(line, "N: bus/usb/%u/%u", bus, addr) == 2) {
			found = 2;
		}
	}
	if (f)
		fclose(f);
	return found == 2 ? 0 : -1;
}

static unsigned nrun; /* recordings */

/* @device is a description that has its hub, or @roots has it. */
static int run_one(const char *self, const char *roots, const char *device,
		   const char *file)
{
	char sys[1024], replay[1600], where[32];
	const char *argv[16] = {"umockdev-run", "-d", device};
	unsigned bus, addr, n = 3;
	int status = -1;
	pid_t pid;

	if (read_device(device, sys, sizeof(sys), &bus, &addr) != 0) {
		fprintf(stderr, "%s: no device in it\n", device);
		return 1;
	}
	if (is_ioctl(file))
		snprintf(replay, sizeof(replay), "/dev/bus/usb/%03u/%03u=%s",
			 bus, addr, file);
	else
		snprintf(replay, sizeof(replay), "%s=%s", sys, file);
	snprintf(where, sizeof(where), "%u:%u", bus, addr);
	printf("%s\n", file);
	fflush(stdout);
	argv[n++] = is_ioctl(file) ? "-i" : "-p";
	argv[n++] = replay;
	if (roots) {
		argv[n++] = "-d";
		argv[n++] = roots;
	}
	argv[n++] = "--";
	argv[n++] = self;
	argv[n++] = file;
	argv[n++] = where;
	nrun++;
	pid = fork();
	if (pid == 0) {
		execvp(argv[0], (char **)(uintptr_t)argv);
		perror("umockdev-run");
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return status != 0;
}

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return n > k && !strcmp(name + n - k, end);
}

/* What is in a folder: a description, and what umockdev can replay with it. */
struct folder {
	char device[512];
	char file[4][512];
	unsigned nfiles;
};

static int run_folder(const char *self, const char *dir, unsigned depth);

static int look_at(struct folder *f, const char *self, const char *path,
		   const char *name, unsigned depth)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return 1;
	if (S_ISDIR(st.st_mode))
		return depth ? run_folder(self, path, depth - 1) : 0;
	if (!strcmp(name, "device") || ends_in(name, ".umockdev"))
		snprintf(f->device, sizeof(f->device), "%s", path);
	else if ((ends_in(name, ".pcapng") || ends_in(name, ".pcap") ||
		  ends_in(name, ".ioctl")) &&
		 f->nfiles < 4)
		snprintf(f->file[f->nfiles++], sizeof(f->file[0]), "%s", path);
	return 0;
}

static int run_folder(const char *self, const char *dir, unsigned depth)
{
	struct folder *f = calloc(1, sizeof(*f));
	DIR *d = opendir(dir);
	struct dirent *e;
	int bad = d && f ? 0 : 1;

	while (d && f && (e = readdir(d))) {
		char path[512];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		bad |= look_at(f, self, path, e->d_name, depth);
	}
	for (unsigned k = 0; f && f->device[0] && k < f->nfiles; k++)
		bad |= run_one(self, NULL, f->device, f->file[k]);
	if (d)
		closedir(d);
	free(f);
	return bad;
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int run_all(const char *self)
{
	const char *more = getenv("VXHCI_RECORDINGS");
	char dir[] = "/tmp/vxhci-recorded-XXXXXX";
	int bad;

	if (!mkdtemp(dir))
		return 1;
	setenv("RUNTIME_DIRECTORY", dir, 1);
	/* umockdev's library is loaded before a sanitizer's */
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0);
	bad = run_one(self, "fixtures/umockdev/root-hubs.umockdev",
		      "fixtures/umockdev/fingerprint.umockdev",
		      "fixtures/umockdev/fingerprint.pcap");
	bad |= run_one(self, "fixtures/umockdev/root-hubs.umockdev",
		       "fixtures/umockdev/camera.umockdev",
		       "fixtures/umockdev/camera.ioctl");
	if (more)
		bad |= run_folder(self, more, 3);
	printf("%u recordings\n", nrun);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return bad;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_traffic_comes_out_as_it_was),
	};

	if (argc < 3)
		return run_all(argv[0]);
	test.file = argv[1];
	if (sscanf(argv[2], "%u:%u", &test.bus, &test.addr) != 2)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
