/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/cmd_list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "hostusb/class.h"

enum column {
	COL_BUS,
	COL_PORT,
	COL_ADDR,
	COL_SPEED,
	COL_ID,
	COL_DEVICE,
	COL_SERIAL,
	COL_CLASS,
	COL_DRIVERS,
	COL_STATE,
	NCOLS
};

static const struct {
	const char *title;
	bool right; /* numbers end at the same place */
} columns[NCOLS] = {
	[COL_BUS] = {"BUS", true},          [COL_PORT] = {"PORT", false},
	[COL_ADDR] = {"ADDR", true},        [COL_SPEED] = {"SPEED", false},
	[COL_ID] = {"ID", false},           [COL_DEVICE] = {"DEVICE", false},
	[COL_SERIAL] = {"SERIAL", false},   [COL_CLASS] = {"CLASS", false},
	[COL_DRIVERS] = {"DRIVERS", false}, [COL_STATE] = {"STATE", false},
};

static const char *const state_words[] = {
	[DISCOVER_AVAILABLE] = "available",
	[DISCOVER_DENIED] = "denied",
	[DISCOVER_IN_USE] = "in-use",
};

/* One row's text; a cell is as long as what is longest in it */
struct row {
	char cell[NCOLS][2 * USB_TEXT + 2];
};

/* Add @word to the list in @cell, once, while there is room. */
static void add_word(char *cell, size_t len, const char *word)
{
	size_t at = strlen(cell), n = strlen(word);

	for (const char *c = cell; (c = strstr(c, word)); c += n)
		if ((c == cell || c[-1] == ' ') && (!c[n] || c[n] == ','))
			return;
	if (n && at + n + 3 < len)
		snprintf(cell + at, len - at, "%s%s", at ? ", " : "", word);
}

/* "Logitech USB Mouse"; a maker that begins the product is said once */
static void device_cell(const struct usb_info *i, char *cell, size_t len)
{
	size_t n = strlen(i->manufacturer);

	if (n && strncmp(i->product, i->manufacturer, n) != 0)
		snprintf(cell, len, "%s%s%s", i->manufacturer,
			 i->product[0] ? " " : "", i->product);
	else
		snprintf(cell, len, "%s", i->product);
}

/* What its interfaces are is more than what the device says it is. */
static void class_cells(const struct usb_info *i, struct row *r)
{
	const size_t len = sizeof(r->cell[0]);
	char buf[16];

	for (unsigned n = 0; n < i->nifaces; n++) {
		const struct usb_iface_info *f = &i->iface[n];

		add_word(r->cell[COL_CLASS], len,
			 usb_class_name(f->cls, f->subclass, f->protocol, buf,
					sizeof(buf)));
		add_word(r->cell[COL_DRIVERS], len, f->driver);
	}
	if (!r->cell[COL_CLASS][0] && i->cls)
		add_word(r->cell[COL_CLASS], len,
			 usb_class_name(i->cls, i->subclass, i->protocol, buf,
					sizeof(buf)));
}

static void fill_row(const struct discover_entry *e, struct row *r)
{
	const struct usb_info *i = &e->info;
	const size_t len = sizeof(r->cell[0]);
	char name[32], *port;

	memset(r, 0, sizeof(*r));
	port = strchr(usb_path_name(i, name, sizeof(name)), '-');
	snprintf(r->cell[COL_BUS], len, "%u", i->bus);
	snprintf(r->cell[COL_PORT], len, "%s", port ? port + 1 : "");
	snprintf(r->cell[COL_ADDR], len, "%u", i->addr);
	snprintf(r->cell[COL_SPEED], len, "%s", usb_speed_name(i->speed));
	snprintf(r->cell[COL_ID], len, "%04x:%04x", i->vid, i->pid);
	device_cell(i, r->cell[COL_DEVICE], len);
	snprintf(r->cell[COL_SERIAL], len, "%s", i->serial);
	class_cells(i, r);
	snprintf(r->cell[COL_STATE], len, "%s", state_words[e->state]);
	for (unsigned c = 0; c < NCOLS; c++)
		if (!r->cell[c][0])
			r->cell[c][0] = '-';
}

/* Characters: what UTF-8's continuation bytes add is not seen */
static size_t width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void pad(FILE *f, size_t n)
{
	while (n-- > 0)
		putc(' ', f);
}

static void write_cell(FILE *f, unsigned c, const char *s, size_t width)
{
	size_t blank = width - width_of(s);

	if (c)
		fputs("  ", f);
	if (columns[c].right)
		pad(f, blank);
	fputs(s, f);
	if (!columns[c].right && c < NCOLS - 1)
		pad(f, blank);
}

void list_table(FILE *f, const struct discover_entry *list, size_t n)
{
	size_t width[NCOLS];
	struct row r;

	if (!n)
		return;
	for (unsigned c = 0; c < NCOLS; c++)
		width[c] = strlen(columns[c].title);
	for (size_t k = 0; k < n; k++) {
		fill_row(&list[k], &r);
		for (unsigned c = 0; c < NCOLS; c++)
			if (width_of(r.cell[c]) > width[c])
				width[c] = width_of(r.cell[c]);
	}
	for (unsigned c = 0; c < NCOLS; c++)
		write_cell(f, c, columns[c].title, width[c]);
	putc('\n', f);
	for (size_t k = 0; k < n; k++) {
		fill_row(&list[k], &r);
		for (unsigned c = 0; c < NCOLS; c++)
			write_cell(f, c, r.cell[c], width[c]);
		putc('\n', f);
		if (list[k].reason[0])
			fprintf(f, "     %s\n", list[k].reason);
	}
}
