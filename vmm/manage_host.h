/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage_host.h - the host as `vxhci manage` sees it: its devices, what it uses
 * itself, its drivers. For the main thread; blocks as sysfs does.
 */
#ifndef VMM_MANAGE_HOST_H
#define VMM_MANAGE_HOST_H

#include "hostusb/watcher.h"
#include "vmm/policy.h"

/*
 * host_devices - all but root hubs, with what the host uses them for. The
 * caller's to free(). 0, or -errno with one line in @err.
 */
int host_devices(struct policy_dev **ret_list, size_t *ret_n, char *err,
		 size_t errlen);
/*
 * host_facts - the rest of @d, whose .info is there. @sys and @proc are "/sys"
 * and "/proc" but for tests.
 */
void host_facts(struct policy_dev *d, const char *sys, const char *proc);
/* Open its device node. The descriptor, or -errno */
int host_open(const struct usb_info *i);
/* What watcher_rebind() needs to bind the drivers that it had. */
void host_note(const struct usb_info *i, struct watcher_note *ret);

#endif
