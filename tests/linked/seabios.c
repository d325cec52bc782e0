/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seabios.c BIOS BOOT-SECTOR - SeaBIOS and its xHCI driver on a machine with
 * libvxhci linked in: the firmware finds disks in the controllers' ports,
 * boots from one and copies sectors with INT 13h. Prints a line a result, `ok`
 * or `FAILED`; the firmware's log where something failed.
 */
#include "tests/linked/machine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tests/linked/disk.h"

#define SECTOR 512u
#define BOOT_SECONDS 100u

struct test {
	struct machine m;
	const char *bios;
	uint8_t boot[SECTOR];
	char image[2][64];
	int fd[2]; /* of the images, the test's own */
	bool failed;
};

static void result(struct test *t, bool ok, const char *name, const char *what)
{
	if (!ok && t->m.fault)
		printf("        %s\n", t->m.fault);
	if (!ok)
		printf("%s\n", t->m.console);
	printf("%s linked: SeaBIOS, %s: %s\n", ok ? "ok     " : "FAILED ", name,
	       what);
	fflush(stdout);
	t->failed |= !ok;
}

/* Different in every sector of every disk, and in every run. */
static void fill_sector(uint8_t *p, unsigned disk, uint32_t sector,
			uint32_t run)
{
	uint32_t x = (disk + 1) * 2654435761u ^ sector * 40503u ^ run;

	for (unsigned i = 0; i < SECTOR; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (uint8_t)(x >> 24);
	}
}

static bool put_sector(int fd, uint32_t sector, const uint8_t *p)
{
	return pwrite(fd, p, SECTOR, (off_t)sector * SECTOR) == SECTOR;
}

/* Both disks boot, and hold sectors to copy; where they go is empty. */
static bool fill_disks(struct test *t, unsigned ndisks, bool typing,
		       uint32_t run)
{
	uint8_t buf[SECTOR];
	bool ok = true;

	t->boot[BOOT_TWO_DISKS] = ndisks > 1;
	t->boot[BOOT_TYPING] = typing;
	for (unsigned d = 0; d < ndisks; d++) {
		ok = ok && ftruncate(t->fd[d], 0) == 0 &&
		     ftruncate(t->fd[d], DISK_SECTORS * SECTOR) == 0 &&
		     put_sector(t->fd[d], 0, t->boot);
		for (uint32_t i = 0; i < DISK_COPY; i++) {
			fill_sector(buf, d, i, run);
			ok = ok && put_sector(t->fd[d], DISK_FROM + i, buf);
		}
	}
	return ok;
}

/* Are disk @of's sectors at @at of disk @on? */
static bool has_copy(struct test *t, unsigned on, uint32_t at, unsigned of,
		     uint32_t run)
{
	uint8_t want[SECTOR], found[SECTOR];

	for (uint32_t i = 0; i < DISK_COPY; i++) {
		fill_sector(want, of, i, run);
		if (pread(t->fd[on], found, SECTOR, (off_t)(at + i) * SECTOR) !=
			    SECTOR ||
		    memcmp(want, found, SECTOR) != 0)
			return false;
	}
	return true;
}

/* The speed that the firmware found in a port, in its words */
static bool log_has_speed(const struct test *t, const char *speed)
{
	const char *at = strstr(t->m.console, "powered, enabled");

	at = at ? strchr(at, '[') : NULL;
	return at && strncasecmp(at + 1, speed, strlen(speed)) == 0;
}

/* @waiting: interrupt transfers that a keyboard may have at any time */
static bool boots(struct test *t, const char *name, unsigned run,
		  unsigned waiting)
{
	struct vxhci_stats s;
	int step = machine_boot(&t->m, BOOT_SECONDS);
	char what[160];
	bool used = true;

	result(t, step == 0, name, "the boot sector ran to its end");
	if (step != 0)
		return false;
	for (unsigned i = 0; i < MACHINE_SLOTS && t->m.slot[i].v; i++) {
		vxhci_get_stats(t->m.slot[i].v, &s);
		used = used && t->m.slot[i].accesses > 100 &&
		       s.in_flight <= waiting && s.transfers > 10;
	}
	snprintf(what, sizeof(what),
		 "boot %u: each controller was used, and is idle again", run);
	result(t, used && strstr(t->m.console, "XHCI init"), name, what);
	return true;
}

/* One controller with a disk of this speed; and again, after a reset */
static void test_one_disk(struct test *t, const char *speed)
{
	char opt[160];

	snprintf(opt, sizeof(opt), "30,xhci,storage=%s,speed=%s", t->image[0],
		 speed);
	if (machine_init(&t->m, t->bios) < 0 || !fill_disks(t, 1, false, 1) ||
	    machine_add(&t->m, opt) < 0) {
		result(t, false, speed, "a machine with a disk");
		machine_free(&t->m);
		return;
	}
	for (unsigned run = 1; run <= 2; run++) {
		if (!fill_disks(t, 1, false, run) || !boots(t, speed, run, 0))
			break;
		result(t, log_has_speed(t, speed), speed, "the port's speed");
		result(t, has_copy(t, 0, DISK_OWN, 0, run), speed,
		       "sectors were read and written");
	}
	machine_free(&t->m);
}

/* Two controllers in one process, each with a thread */
static void test_two_controllers(struct test *t)
{
	const char *name = "two controllers";
	char opt[2][160];
	unsigned booted;

	snprintf(opt[0], sizeof(opt[0]), "30,xhci,storage=%s,speed=super",
		 t->image[0]);
	snprintf(opt[1], sizeof(opt[1]), "31,xhci,zero,storage=%s,speed=high",
		 t->image[1]);
	if (machine_init(&t->m, t->bios) < 0 || !fill_disks(t, 2, false, 3) ||
	    machine_add(&t->m, opt[0]) < 0 || machine_add(&t->m, opt[1]) < 0) {
		result(t, false, name, "a machine with disks");
	} else if (boots(t, name, 1, 0)) {
		booted = has_copy(t, 0, DISK_OWN, 0, 3) ? 0 : 1;
		result(t, has_copy(t, booted, DISK_OWN, booted, 3), name,
		       "the disk that booted");
		result(t, has_copy(t, booted, DISK_OTHER, 1 - booted, 3), name,
		       "from the disk of one to that of the other");
	}
	machine_free(&t->m);
}

/* A person at the keyboard, as slow as the guest's clock ticks */
struct typist {
	const char *const *keys; /* names, to a NULL */
	unsigned at;             /* two for each key: down, up */
	bool lost;
};

static void type_next(struct machine *m, void *arg)
{
	struct typist *p = arg;
	const char *key = p->keys[p->at / 2];

	if (key == NULL || strstr(m->console, "\n>") == NULL)
		return; /* nobody has asked yet */
	if (vxhci_input_key(m->slot[0].v, 0, vxhci_key_usage(key),
			    p->at % 2 == 0) != 0)
		p->lost = true;
	p->at++;
}

/* What is typed, through the library, is what INT 16h reads */
static void test_keyboard(struct test *t)
{
	static const char *const keys[] = {"v", "x", "h", "c",     "i",
					   "1", "2", "a", "enter", NULL};
	struct typist p = {.keys = keys};
	const char *name = "keyboard";
	char opt[160];

	snprintf(opt, sizeof(opt), "30,xhci,keyboard,storage=%s", t->image[0]);
	if (machine_init(&t->m, t->bios) < 0 || !fill_disks(t, 1, true, 4) ||
	    machine_add(&t->m, opt) < 0) {
		result(t, false, name, "a machine with a keyboard");
	} else {
		t->m.on_idle = type_next;
		t->m.on_idle_arg = &p;
		if (boots(t, name, 1, 1))
			result(t,
			       !p.lost && strstr(t->m.console, ">vxhci12a\n"),
			       name, "what is typed is read, in order");
	}
	machine_free(&t->m);
}

static bool load(struct test *t, const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && read(fd, t->boot, SECTOR) == SECTOR;

	if (fd >= 0)
		close(fd);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(t->image[i], sizeof(t->image[i]),
			 "/tmp/vxhci-linked.XXXXXX");
		t->fd[i] = mkstemp(t->image[i]);
		ok = ok && t->fd[i] >= 0;
	}
	return ok;
}

int main(int argc, char **argv)
{
	struct test *t = calloc(1, sizeof(*t));

	if (!t || argc != 3 || !load(t, argv[2])) {
		fprintf(stderr, "usage: seabios BIOS BOOT-SECTOR\n");
		return 2;
	}
	t->bios = argv[1];
	test_one_disk(t, "super");
	test_one_disk(t, "high");
	test_one_disk(t, "full");
	test_two_controllers(t);
	test_keyboard(t);
	for (unsigned i = 0; i < 2; i++) {
		close(t->fd[i]);
		unlink(t->image[i]);
	}
	if (t->failed)
		return 1;
	free(t);
	return 0;
}
