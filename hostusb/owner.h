/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * owner.h - one owner a device, on the whole host: a locked file for each
 * device that is passed through. The kernel drops the lock when its holder
 * dies, so a file that is left over claims nothing.
 *
 * The files are in the first of these that can be used: $RUNTIME_DIRECTORY
 * (systemd), /run/vxhci (/var/run/vxhci where there is no /run),
 * $XDG_RUNTIME_DIR/vxhci, /tmp/vxhci-UID. In the first two there may be a
 * folder UID for a user who may not write there, which root makes
 * (owner_user_folder()). All of them are looked into for other owners, and in
 * the first two the folders of all users. Any thread; reads and writes small
 * files.
 */
#ifndef HOSTUSB_OWNER_H
#define HOSTUSB_OWNER_H

#include <sys/types.h>

#include "hostusb/info.h"

struct owner_claim; /* opaque */

/*
 * owner_claim - take the device for @owner ("xhci 30 of pid 1234"; one line).
 * Claims of one process exclude each other as those of two do. Returns 0;
 * -EBUSY with the other owner's name in @who (printable, "another program"
 * when it left none); another -errno when no folder can be used. @who is
 * untouched but for -EBUSY.
 */
int owner_claim(const struct usb_info *i, const char *owner, char *who,
		size_t wholen, struct owner_claim **ret);
/* Give it back. NULL is allowed. */
void owner_release(struct owner_claim *c);

/*
 * owner_user_folder - before root becomes user @uid: the folder where the
 * claims that this user makes are seen by everybody. 0 or -errno.
 */
int owner_user_folder(uid_t uid, gid_t gid);

/* Is it claimed? Takes nothing itself. Fills @who as above if so. */
bool owner_find(const struct usb_info *i, char *who, size_t wholen);

/*
 * owner_folder - the @n-th of the folders named above, "" where there is none
 * of that kind. Returns -ENOENT behind the last.
 */
int owner_folder(unsigned n, char *buf, size_t len);

#endif
