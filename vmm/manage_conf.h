/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage_conf.h - the file of `vxhci manage`, docs/manage.md, as a policy.
 */
#ifndef VMM_MANAGE_CONF_H
#define VMM_MANAGE_CONF_H

#include "vmm/policy.h"

#define CONF_MAX_BYTES (16u * 1024 * 1024)

/*
 * conf_load - read @file. Returns 0 and the policy, which is freed with
 * policy_free(); or -errno (-EINVAL: what is in it) with one line
 * "FILE:LINE:COLUMN: what is wrong: what to do" in @err. Nothing is half there.
 */
int conf_load(const char *file, char *err, size_t errlen, struct policy *ret);
/*
 * The same for a person who asks: also wrong is a socket that nobody can make,
 * as its folder is missing, which may be so before a VM's first start.
 */
int conf_check(const char *file, char *err, size_t errlen, struct policy *ret);
/*
 * The same of text; @name is for messages, and for where a manifest's path
 * begins. Reads the manifest, and looks at sockets; nothing else of the host.
 */
int conf_parse(const char *name, const char *text, char *err, size_t errlen,
	       struct policy *ret);

#endif
