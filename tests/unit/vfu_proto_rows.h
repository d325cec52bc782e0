/* SPDX-License-Identifier: BSD-2-Clause */
/* vfu_proto_rows.h - the table of vfu_proto_test.c. */
#ifndef TESTS_UNIT_VFU_PROTO_ROWS_H
#define TESTS_UNIT_VFU_PROTO_ROWS_H

#include <stddef.h>

/* What comes before the message under test */
enum before { VERSION_FIRST, NOTHING, ONE_MAP };

struct row {
	const char *what;
	enum before before;
	unsigned nfds;       /* memfds of 64 KiB that come along */
	const char *request; /* "SIZE" is put in where the header has it */
	const char *reply;   /* NULL: none; "": the connection ends */
};

#define HDR(id, cmd) id " " cmd " SIZE 00000000 00000000 "
#define POSTED(id, cmd) id " " cmd " SIZE 10000000 00000000 "
#define GOOD(id, cmd) id " " cmd " SIZE 01000000 00000000 "
#define BAD(id, cmd, err) id " " cmd " SIZE 21000000 " err "000000 "
#define EINVAL_ "16"
#define ENOENT_ "02"
#define EEXIST_ "11"
#define ENOSYS_ "26"
#define Z4 "00000000 "
#define Z8 Z4 Z4
#define Z16 Z8 Z8

/* {"capabilities":{"max_msg_fds":16,"max_data_xfer_size":65536,
 *  "migration":{"pgsize":4096}}} and NUL */
#define CAPS                                                               \
	"7b226361706162696c6974696573223a7b226d61785f6d73675f666473223a31" \
	"362c226d61785f646174615f786665725f73697a65223a36353533362c226d69" \
	"6772617469"                                                       \
	"6f6e223a7b2270677369"                                             \
	"7a65223a343039367d7d7d00"

static const struct row rows[] = {
	/* VERSION: major, minor, JSON */
	{"version, 0.0, no JSON", NOTHING, 0, HDR("0100", "0100") "0000 0000",
	 GOOD("0100", "0100") "0000 0000" CAPS},
	{"version, 0.1", NOTHING, 0, HDR("ffff", "0100") "0000 0100",
	 GOOD("ffff", "0100") "0000 0100" CAPS},
	{"version, 0.9 gets 0.1", NOTHING, 0, HDR("0100", "0100") "0000 0900",
	 GOOD("0100", "0100") "0000 0100" CAPS},
	{"version, {}", NOTHING, 0, HDR("0100", "0100") "0000 0000 7b7d 00",
	 GOOD("0100", "0100") "0000 0000" CAPS},
	{"version, major 1", NOTHING, 0, HDR("0100", "0100") "0100 0000",
	 BAD("0100", "0100", EINVAL_) "0000 0000" CAPS},
	{"version, JSON without NUL", NOTHING, 0,
	 HDR("0100", "0100") "0000 0000 7b7d",
	 BAD("0100", "0100", EINVAL_) "0000 0000" CAPS},
	{"version, JSON cut off", NOTHING, 0,
	 HDR("0100", "0100") "0000 0000 7b 00",
	 BAD("0100", "0100", EINVAL_) "0000 0000" CAPS},
	{"version, JSON is no object", NOTHING, 0,
	 HDR("0100", "0100") "0000 0000 5b5d 00",
	 BAD("0100", "0100", EINVAL_) "0000 0000" CAPS},
	{"version, 18 bytes", NOTHING, 0, HDR("0100", "0100") "0000",
	 BAD("0100", "0100", EINVAL_) "0000 0000" CAPS},
	{"version, a second", VERSION_FIRST, 0, HDR("0100", "0100") "0000 0000",
	 BAD("0100", "0100", EINVAL_) "0000 0000" CAPS},
	{"before VERSION", NOTHING, 0, HDR("0100", "0d00"),
	 BAD("0100", "0d00", EINVAL_)},

	/* DMA_MAP: argsz, flags, offset, iova, size */
	{"map", VERSION_FIRST, 1,
	 HDR("0200", "0200") "20000000 03000000" Z8 Z8 "00100000 00000000",
	 GOOD("0200", "0200")},
	{"map, read only, with an offset", VERSION_FIRST, 1,
	 HDR("0200", "0200") "20000000 01000000 00f00000 00000000" Z8
			     "00100000 00000000",
	 GOOD("0200", "0200")},
	{"map, no descriptor", VERSION_FIRST, 0,
	 HDR("0200", "0200") "20000000 03000000" Z8 Z8 "00100000 00000000",
	 GOOD("0200", "0200")},
	{"map, two descriptors", VERSION_FIRST, 2,
	 HDR("0200", "0200") "20000000 03000000" Z8 Z8 "00100000 00000000",
	 BAD("0200", "0200", EINVAL_)},
	{"map, a page behind the end of the file", VERSION_FIRST, 1,
	 HDR("0200", "0200") "20000000 03000000 00f00000 00000000" Z8
			     "00200000 00000000",
	 BAD("0200", "0200", EINVAL_)},
	{"map, offset + size wraps", VERSION_FIRST, 1,
	 HDR("0200", "0200") "20000000 03000000 00f0ffff ffffffff" Z8
			     "00200000 00000000",
	 BAD("0200", "0200", EINVAL_)},
	{"map, iova + size wraps", VERSION_FIRST, 1,
	 HDR("0200", "0200") "20000000 03000000" Z8 "00f0ffff ffffffff"
			     "00200000 00000000",
	 BAD("0200", "0200", EINVAL_)},
	{"map, the last page there is", VERSION_FIRST, 1,
	 HDR("0200", "0200") "20000000 03000000" Z8 "00f0ffff ffffffff"
			     "00100000 00000000",
	 GOOD("0200", "0200")},
	{"map, size 0", VERSION_FIRST, 1,
	 HDR("0200", "0200") "20000000 03000000" Z8 Z8 Z8,
	 BAD("0200", "0200", EINVAL_)},
	{"map, iova not of a page", VERSION_FIRST, 1,
	 HDR("0200", "0200") "20000000 03000000" Z8 "00010000 00000000"
			     "00100000 00000000",
	 BAD("0200", "0200", EINVAL_)},
	{"map, size not of pages", VERSION_FIRST, 1,
	 HDR("0200", "0200") "20000000 03000000" Z8 Z8 "00180000 00000000",
	 BAD("0200", "0200", EINVAL_)},
	{"map, neither read nor write", VERSION_FIRST, 1,
	 HDR("0200", "0200") "20000000 00000000" Z8 Z8 "00100000 00000000",
	 BAD("0200", "0200", EINVAL_)},
	{"map, a flag unheard of", VERSION_FIRST, 1,
	 HDR("0200", "0200") "20000000 07000000" Z8 Z8 "00100000 00000000",
	 BAD("0200", "0200", EINVAL_)},
	{"map, argsz too small", VERSION_FIRST, 1,
	 HDR("0200", "0200") "1f000000 03000000" Z8 Z8 "00100000 00000000",
	 BAD("0200", "0200", EINVAL_)},
	{"map, cut off", VERSION_FIRST, 1,
	 HDR("0200", "0200") "20000000 03000000" Z8 Z8 "00100000",
	 BAD("0200", "0200", EINVAL_)},
	{"map, too long", VERSION_FIRST, 1,
	 HDR("0200", "0200") "20000000 03000000" Z8 Z8
			     "00100000 00000000 00000000",
	 BAD("0200", "0200", EINVAL_)},
	{"map, overlaps", ONE_MAP, 1,
	 HDR("0200", "0200") "20000000 03000000" Z8 "00100000 00000000"
			     "00100000 00000000",
	 BAD("0200", "0200", EEXIST_)},

	/* DMA_UNMAP: argsz, flags, iova, size. One map is 0..0x2000 */
	{"unmap", ONE_MAP, 0,
	 HDR("0300", "0300") "18000000 00000000" Z8 "00200000 00000000",
	 GOOD("0300", "0300") "18000000 00000000" Z8 "00200000 00000000"},
	{"unmap, all", ONE_MAP, 0, HDR("0300", "0300") "18000000 02000000" Z16,
	 GOOD("0300", "0300") "18000000 02000000" Z16},
	{"unmap, all there is of nothing", VERSION_FIRST, 0,
	 HDR("0300", "0300") "18000000 02000000" Z16,
	 GOOD("0300", "0300") "18000000 02000000" Z16},
	{"unmap, all with a range", ONE_MAP, 0,
	 HDR("0300", "0300") "18000000 02000000" Z8 "00200000 00000000",
	 BAD("0300", "0300", EINVAL_) Z8 Z16},
	{"unmap, a part", ONE_MAP, 0,
	 HDR("0300", "0300") "18000000 00000000" Z8 "00100000 00000000",
	 BAD("0300", "0300", ENOENT_) Z8 Z16},
	{"unmap, nothing there", VERSION_FIRST, 0,
	 HDR("0300", "0300") "18000000 00000000" Z8 "00200000 00000000",
	 BAD("0300", "0300", ENOENT_) Z8 Z16},
	{"unmap, dirty bitmap wanted", ONE_MAP, 0,
	 HDR("0300", "0300") "18000000 01000000" Z8 "00200000 00000000",
	 BAD("0300", "0300", EINVAL_) Z8 Z16},
	{"unmap, cut off", ONE_MAP, 0,
	 HDR("0300", "0300") "18000000 00000000" Z8,
	 BAD("0300", "0300", EINVAL_) Z8 Z16},

	/* DEVICE_GET_INFO: argsz, flags, num_regions, num_irqs */
	{"device info", VERSION_FIRST, 0, HDR("0400", "0400") "10000000" Z4 Z8,
	 GOOD("0400", "0400") "10000000 03000000 09000000 05000000"},
	{"device info, argsz counts the header in", VERSION_FIRST, 0,
	 HDR("0400", "0400") "20000000" Z4 Z8,
	 GOOD("0400", "0400") "10000000 03000000 09000000 05000000"},
	{"device info, argsz too small", VERSION_FIRST, 0,
	 HDR("0400", "0400") "0f000000" Z4 Z8,
	 BAD("0400", "0400", EINVAL_) Z16},
	{"device info, header only", VERSION_FIRST, 0, HDR("0400", "0400"),
	 BAD("0400", "0400", EINVAL_) Z16},

	/* GET_REGION_INFO: argsz, flags, index, cap_offset, size, offset */
	{"region info, BAR 0", VERSION_FIRST, 0,
	 HDR("0500", "0500") "20000000" Z4 Z8 Z16,
	 GOOD("0500", "0500") "20000000 03000000" Z8 "00800000 00000000" Z8},
	{"region info, BAR 1 is not there", VERSION_FIRST, 0,
	 HDR("0500", "0500") "20000000" Z4 "01000000" Z4 Z16,
	 GOOD("0500", "0500") "20000000" Z4 "01000000" Z4 Z16},
	{"region info, config space", VERSION_FIRST, 0,
	 HDR("0500", "0500") "00100000" Z4 "07000000" Z4 Z16,
	 GOOD("0500", "0500") "20000000 03000000 07000000" Z4
			      "00010000 00000000" Z8},
	{"region info, 9", VERSION_FIRST, 0,
	 HDR("0500", "0500") "20000000" Z4 "09000000" Z4 Z16,
	 BAD("0500", "0500", EINVAL_) Z16 Z16},
	{"region info, argsz too small", VERSION_FIRST, 0,
	 HDR("0500", "0500") "1f000000" Z4 Z8 Z16,
	 BAD("0500", "0500", EINVAL_) Z16 Z16},

	/* GET_IRQ_INFO: argsz, flags, index, count */
	{"irq info, INTx", VERSION_FIRST, 0,
	 HDR("0600", "0700") "10000000" Z4 "00000000" Z4,
	 GOOD("0600", "0700") "10000000" Z4 "00000000" Z4},
	{"irq info, MSI-X", VERSION_FIRST, 0,
	 HDR("0600", "0700") "10000000" Z4 "02000000" Z4,
	 GOOD("0600", "0700") "10000000 01000000 02000000 08000000"},
	{"irq info, ERR", VERSION_FIRST, 0,
	 HDR("0600", "0700") "10000000" Z4 "03000000" Z4,
	 BAD("0600", "0700", EINVAL_) Z16},
	{"irq info, 5", VERSION_FIRST, 0,
	 HDR("0600", "0700") "10000000" Z4 "05000000" Z4,
	 BAD("0600", "0700", EINVAL_) Z16},

	/* SET_IRQS: argsz, flags, index, start, count, data */
	{"set irqs, disable", VERSION_FIRST, 0,
	 HDR("0700", "0800") "14000000 21000000 02000000" Z8,
	 GOOD("0700", "0800")},
	{"set irqs, disable INTx", VERSION_FIRST, 0,
	 HDR("0700", "0800") "14000000 21000000 00000000" Z8,
	 GOOD("0700", "0800")},
	{"set irqs, probe", VERSION_FIRST, 0,
	 HDR("0700", "0800") "14000000 24000000 02000000 00000000 01000000",
	 GOOD("0700", "0800")},
	{"set irqs, two eventfds", VERSION_FIRST, 2,
	 HDR("0700", "0800") "14000000 24000000 02000000 06000000 02000000",
	 GOOD("0700", "0800")},
	{"set irqs, fewer eventfds than vectors", VERSION_FIRST, 1,
	 HDR("0700", "0800") "14000000 24000000 02000000 00000000 02000000",
	 BAD("0700", "0800", EINVAL_)},
	{"set irqs, one vector too many", VERSION_FIRST, 2,
	 HDR("0700", "0800") "14000000 24000000 02000000 07000000 02000000",
	 BAD("0700", "0800", EINVAL_)},
	{"set irqs, start + count wraps", VERSION_FIRST, 0,
	 HDR("0700", "0800") "14000000 24000000 02000000 02000000 ffffffff",
	 BAD("0700", "0800", EINVAL_)},
	{"set irqs, INTx has none", VERSION_FIRST, 1,
	 HDR("0700", "0800") "14000000 24000000 00000000 00000000 01000000",
	 BAD("0700", "0800", EINVAL_)},
	{"set irqs, index 5", VERSION_FIRST, 0,
	 HDR("0700", "0800") "14000000 21000000 05000000" Z8,
	 BAD("0700", "0800", EINVAL_)},
	{"set irqs, trigger by bools", VERSION_FIRST, 0,
	 HDR("0700", "0800") "16000000 22000000 02000000 00000000 02000000"
			     "0001",
	 GOOD("0700", "0800")},
	{"set irqs, bools left out as QEMU does", VERSION_FIRST, 0,
	 HDR("0700", "0800") "16000000 22000000 02000000 00000000 02000000",
	 GOOD("0700", "0800")},
	{"set irqs, too few bools", VERSION_FIRST, 0,
	 HDR("0700", "0800") "16000000 22000000 02000000 00000000 03000000"
			     "0001",
	 BAD("0700", "0800", EINVAL_)},
	{"set irqs, two kinds of data", VERSION_FIRST, 0,
	 HDR("0700", "0800") "14000000 23000000 02000000 00000000 01000000",
	 BAD("0700", "0800", EINVAL_)},
	{"set irqs, no action", VERSION_FIRST, 0,
	 HDR("0700", "0800") "14000000 01000000 02000000 00000000 01000000",
	 BAD("0700", "0800", EINVAL_)},
	{"set irqs, mask is the client's business", VERSION_FIRST, 0,
	 HDR("0700", "0800") "14000000 09000000 02000000 00000000 01000000",
	 BAD("0700", "0800", EINVAL_)},
	{"set irqs, cut off", VERSION_FIRST, 0,
	 HDR("0700", "0800") "14000000 21000000 02000000 00000000",
	 BAD("0700", "0800", EINVAL_)},

	/* REGION_READ: offset, region, count */
	{"read, ids", VERSION_FIRST, 0,
	 HDR("0800", "0900") Z8 "07000000 04000000",
	 GOOD("0800", "0900") Z8 "07000000 04000000 361b0d00"},
	{"read, 3 bytes across", VERSION_FIRST, 0,
	 HDR("0800", "0900") "09000000" Z4 "07000000 03000000",
	 GOOD("0800", "0900") "09000000" Z4 "07000000 03000000 30030c"},
	{"read, the last byte", VERSION_FIRST, 0,
	 HDR("0800", "0900") "ff7f0000" Z4 "00000000 01000000",
	 GOOD("0800", "0900") "ff7f0000" Z4 "00000000 01000000 00"},
	{"read, behind the end", VERSION_FIRST, 0,
	 HDR("0800", "0900") "fe000000" Z4 "07000000 04000000",
	 BAD("0800", "0900", EINVAL_) "fe000000" Z4 "07000000 04000000"
				      "ffffffff"},
	{"read, offset + count wraps", VERSION_FIRST, 0,
	 HDR("0800", "0900") "feffffff ffffffff 07000000 04000000",
	 BAD("0800", "0900", EINVAL_) "feffffff ffffffff 07000000 04000000"
				      "ffffffff"},
	{"read, a region that is not there", VERSION_FIRST, 0,
	 HDR("0800", "0900") Z8 "02000000 02000000",
	 BAD("0800", "0900", EINVAL_) Z8 "02000000 02000000 ffff"},
	{"read, region 9", VERSION_FIRST, 0,
	 HDR("0800", "0900") Z8 "09000000 02000000",
	 BAD("0800", "0900", EINVAL_) Z8 "09000000 02000000 ffff"},
	{"read, nothing", VERSION_FIRST, 0, HDR("0800", "0900") Z16,
	 BAD("0800", "0900", EINVAL_) Z16},
	{"read, more than was agreed on", VERSION_FIRST, 0,
	 HDR("0800", "0900") Z8 "00000000 01000100",
	 BAD("0800", "0900", EINVAL_) Z16},
	{"read, 4 GiB", VERSION_FIRST, 0,
	 HDR("0800", "0900") Z8 "00000000 ffffffff",
	 BAD("0800", "0900", EINVAL_) Z16},
	{"read, cut off", VERSION_FIRST, 0, HDR("0800", "0900") Z8 "00000000",
	 BAD("0800", "0900", EINVAL_) Z16},

	/* REGION_WRITE: offset, region, count, data */
	{"write", VERSION_FIRST, 0,
	 HDR("0900", "0a00") "40000000" Z4 "00000000 04000000 01020304",
	 GOOD("0900", "0a00") "40000000" Z4 "00000000 04000000"},
	{"write, posted", VERSION_FIRST, 0,
	 POSTED("0900", "0a00") "40000000" Z4 "00000000 04000000 01020304",
	 NULL},
	{"write, posted and wrong", VERSION_FIRST, 0,
	 POSTED("0900", "0a00") "40000000" Z4 "09000000 04000000 01020304",
	 NULL},
	{"write, less data than it says", VERSION_FIRST, 0,
	 HDR("0900", "0a00") "40000000" Z4 "00000000 08000000 01020304",
	 BAD("0900", "0a00", EINVAL_) "40000000" Z4 "00000000 08000000"},
	{"write, more data than it says", VERSION_FIRST, 0,
	 HDR("0900", "0a00") "40000000" Z4 "00000000 02000000 01020304",
	 BAD("0900", "0a00", EINVAL_) "40000000" Z4 "00000000 02000000"},
	{"write, behind the end", VERSION_FIRST, 0,
	 HDR("0900", "0a00") "fe7f0000" Z4 "00000000 04000000 01020304",
	 BAD("0900", "0a00", EINVAL_) "fe7f0000" Z4 "00000000 04000000"},

	/* DEVICE_RESET, REGION_WRITE_MULTI, the rest */
	{"reset", VERSION_FIRST, 0, HDR("0a00", "0d00"), GOOD("0a00", "0d00")},
	{"reset, too long", VERSION_FIRST, 0, HDR("0a00", "0d00") Z4,
	 BAD("0a00", "0d00", EINVAL_)},
	{"multi", VERSION_FIRST, 0,
	 HDR("0b00", "0f00") "01000000" Z4 "40000000" Z4 "00000000 04000000" Z8,
	 GOOD("0b00", "0f00") "01000000" Z4},
	{"multi, posted", VERSION_FIRST, 0,
	 POSTED("0b00", "0f00") "01000000" Z4 "40000000" Z4
				"00000000 04000000" Z8,
	 NULL},
	{"multi, no rows", VERSION_FIRST, 0, HDR("0b00", "0f00") Z8,
	 BAD("0b00", "0f00", EINVAL_) Z8},
	{"multi, rows that are not there", VERSION_FIRST, 0,
	 HDR("0b00", "0f00") "02000000" Z4 "40000000" Z4 "00000000 04000000" Z8,
	 BAD("0b00", "0f00", EINVAL_) Z8},
	{"multi, a count that overflows", VERSION_FIRST, 0,
	 HDR("0b00", "0f00") "abaaaaaa aaaaaa0a" Z16,
	 BAD("0b00", "0f00", EINVAL_) Z8},
	{"command 0", VERSION_FIRST, 0, HDR("0c00", "0000"),
	 BAD("0c00", "0000", ENOSYS_)},
	{"region io fds", VERSION_FIRST, 0, HDR("0c00", "0600") Z16,
	 BAD("0c00", "0600", ENOSYS_)},
	{"dma read", VERSION_FIRST, 0, HDR("0c00", "0b00") Z16,
	 BAD("0c00", "0b00", ENOSYS_)},
	{"command 18", VERSION_FIRST, 0, HDR("0c00", "1200"),
	 BAD("0c00", "1200", ENOSYS_)},
	{"command 65535, posted", VERSION_FIRST, 0, POSTED("0c00", "ffff"),
	 NULL},
	{"command 65535", VERSION_FIRST, 0, HDR("0c00", "ffff"),
	 BAD("0c00", "ffff", ENOSYS_)},
	{"message type 2", VERSION_FIRST, 0, "0d00 0d00 SIZE 02000000 00000000",
	 BAD("0d00", "0d00", EINVAL_)},
	{"a reply", VERSION_FIRST, 0, "0d00 0d00 SIZE 01000000 00000000", ""},
};

#endif
