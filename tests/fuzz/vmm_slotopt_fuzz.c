/* SPDX-License-Identifier: BSD-2-Clause */
/* Slot options: any text is an option, or an error that is one line. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "vmm/slotopt.h"

static void check(int cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void one_line(const char *err, size_t room)
{
	check(strnlen(err, room) < room, "the error has no end");
	check(strlen(err) > 0, "an error that says nothing");
	check(!strchr(err, '\n'), "an error of several lines");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1), err[160] = "", name[24];
	struct slotopt o;

	check(text != NULL, "no memory");
	memcpy(text, data, len);
	text[len] = '\0';
	if (slotopt_parse(text, err, sizeof(err), &o) == 0) {
		check(o.ndevs <= SLOTOPT_MAX_DEVS, "too many devices");
		check(o.usb2 >= 1 && o.usb2 <= 15 && o.usb3 <= 15, "ports");
		for (unsigned i = 0; i < o.ndevs; i++) {
			check(o.dev[i].at <= o.usb2 + o.usb3, "at=");
			check(o.dev[i].path_len <= SLOTOPT_MAX_PATH, "path");
			slot_dev_name(&o.dev[i], name, sizeof(name));
			slot_dev_name(&o.dev[i], name, 1);
		}
		slotopt_free(&o);
	} else {
		one_line(err, sizeof(err));
	}
	/* the same without room for a line */
	if (slotopt_parse(text, NULL, 0, &o) == 0)
		slotopt_free(&o);
	free(text);
	return 0;
}

void fuzz_seeds(const char *dir)
{
	static const char *const texts[] = {
		"30,xhci",
		"0:30:1,xhci,bus=1,devaddr=2,at=3",
		"30,xhci,bus=1,port=2.3.*,usb2=15,usb3=0",
		"30,xhci,id=045e:0823,serial=TEXT,reset=never",
		"30,xhci,tablet,keyboard,speed=low",
		"30,xhci,storage=disk.img,readonly,speed=super,at=9",
		"30,xhci,zero,speed=full,zero,pci=1b36:000d,reset=initial",
		"30,xhci,replay=file.pcapng",
	};

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		fuzz_seed(dir, "option", i, texts[i], strlen(texts[i]));
}
