/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.h - whose a device of the host is: rules as data, and the decision.
 *
 * Pure: nothing here looks at the host. Of the rules that match a device the
 * one with the highest priority counts; of those with the same priority a
 * denial. Two others with the same priority that one device could match, and
 * that want different things, are refused when they are loaded.
 */
#ifndef VMM_POLICY_H
#define VMM_POLICY_H

#include <sys/types.h>

#include "hostusb/info.h"

#define POLICY_MAX_VMS 64u /* a bit each in a mask */
#define POLICY_MAX_RULES 20000u
#define POLICY_MAX_GIVE 8u /* VMs of one rule, in order */
#define POLICY_NAME 64u

enum policy_action { POLICY_GIVE, POLICY_DENY, POLICY_LEAVE };

struct policy_vm {
	char name[POLICY_NAME];
	char control[108]; /* path of its control socket */
	char slot[32];     /* "": its only controller */
	bool has_user;
	uid_t uid; /* whose process it has to be, if .has_user */
};

/* What a rule asks of a device; bits of .has say what counts */
#define POLICY_BUS 0x01u
#define POLICY_PORT 0x02u
#define POLICY_ID 0x04u /* vendor; product too unless any_product */
#define POLICY_SERIAL 0x08u
#define POLICY_CLASS 0x10u
#define POLICY_SPEED 0x20u
#define POLICY_DRIVER 0x40u
#define POLICY_CONTROLLER 0x80u

struct policy_match {
	unsigned has;
	uint8_t bus;
	uint8_t path[USB_MAX_DEPTH];
	uint8_t npath;
	bool below;      /* and what hangs below it */
	bool only_below; /* but not what is in it: with .below */
	uint16_t vid, pid;
	bool any_product;
	char serial[USB_TEXT];
	uint8_t cls; /* of the device or of an interface */
	enum usb_speed speed;
	char driver[32];     /* of an interface */
	char controller[32]; /* PCI address "0000:00:14.0" */
};

struct policy_rule {
	char name[POLICY_NAME];
	int priority;
	enum policy_action action;
	struct policy_match match;
	uint8_t vm[POLICY_MAX_GIVE]; /* in policy.vms, the first has it first */
	uint8_t nvms;
	uint8_t at;  /* port of the controller, 0: any */
	bool force;  /* also what is never given otherwise */
	bool follow; /* also what comes back with another identity */
};

struct policy {
	struct policy_vm *vms; /* owned */
	unsigned nvms;
	struct policy_rule *rules; /* owned, in the order of the file */
	unsigned nrules;
};

/* What the host uses itself; given only with `force`, hubs never */
#define POLICY_HUB 0x1u
#define POLICY_ROOT_DISK 0x2u
#define POLICY_NETWORK 0x4u
#define POLICY_VFIO 0x8u

struct policy_dev {
	struct usb_info info;
	char controller[32]; /* PCI address, "" if not known */
	unsigned used;       /* POLICY_HUB ... */
};

struct policy_decision {
	enum policy_action action;
	const struct policy_rule *rule; /* borrowed; NULL: no rule matches */
	const char *why; /* static; POLICY_DENY without the rule's saying so */
};

bool policy_matches(const struct policy_match *m, const struct policy_dev *d);
void policy_decide(const struct policy *p, const struct policy_dev *d,
		   struct policy_decision *ret);
/* The same, were @r the rule that counts */
void policy_apply(const struct policy_rule *r, const struct policy_dev *d,
		  struct policy_decision *ret);
/*
 * policy_check - the first pair of rules that cannot be told apart: -EEXIST
 * with their indices, or 0.
 */
int policy_check(const struct policy *p, unsigned *ret_a, unsigned *ret_b);
void policy_free(struct policy *p);
/* "give", "deny", "leave". Static. */
const char *policy_action_name(enum policy_action a);

#endif
