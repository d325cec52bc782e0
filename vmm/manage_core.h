/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage_core.h - who has which device: what `vxhci manage` does, without the
 * host and without sockets. It is told what happens and says through its ops
 * what is to be done; the same few functions serve a plug, a VM's end, a new
 * set of rules and the start.
 *
 * A device goes to the first VM of its rule that is up and has not let it go.
 * Once given it stays where it is as long as the rule names that VM at all.
 */
#ifndef VMM_MANAGE_CORE_H
#define VMM_MANAGE_CORE_H

#include "vmm/policy.h"

#define CORE_NO_VM UINT8_MAX
#define CORE_FOLLOWED 16u           /* that are on their way to be another */
#define CORE_FOLLOW_NS 20000000000u /* firmware may take its time */

enum core_state {
	CORE_FREE,   /* the host has it */
	CORE_GIVING, /* a VM was asked to take it */
	CORE_GIVEN,
	CORE_TAKING, /* and to let it go */
};

struct core_dev {
	struct core_dev *next;
	struct policy_dev d;
	struct policy_decision decision;
	enum core_state state;
	uint8_t vm;  /* whose, unless it is CORE_FREE */
	unsigned id; /* in that VM, once it has one */
	uint64_t
		let_go; /* VMs that gave it back, until it is plugged in again */
	bool failed;    /* could not be given, until it is plugged in again */
	bool left;      /* it is not there any more */
	bool seen;      /* for core_set_devices() */
	/* the rule of what was in its port before, where that follows; or NULL */
	const struct policy_rule *follows;
	void *claim; /* the host's: see ops.claim() */
};

struct core_ops {
	/* Nobody else on the host may have it. 0 and *ret, or -errno */
	int (*claim)(void *host, const struct core_dev *d, void **ret);
	void (*release)(void *host, void *claim);
	/* Hand it to VM @vm: core_given() tells. 0 or -errno */
	int (*give)(void *host, uint8_t vm, struct core_dev *d);
	/* Ask for it back: core_detached() tells. */
	void (*take)(void *host, uint8_t vm, struct core_dev *d);
	/* Its VM died with it: bind the host's drivers. */
	void (*rebind)(void *host, const struct core_dev *d);
	/* A decision was made, or something became of one. */
	void (*log)(void *host, const struct core_dev *d, const char *what);
};

/* A port that a device left whose rule says follow */
struct core_followed {
	const struct policy_rule *rule; /* borrowed; NULL: unused */
	uint8_t bus, npath, path[USB_MAX_DEPTH];
	uint64_t until_ns;
};

struct core {
	const struct core_ops *ops; /* borrowed */
	void *host;
	struct policy *p;      /* borrowed */
	uint64_t up;           /* a bit a VM: it can take devices */
	struct core_dev *devs; /* owned, in order of coming */
	uint64_t now_ns;       /* the caller's, before core_set_devices() */
	struct core_followed followed[CORE_FOLLOWED];
};

void core_init(struct core *c, const struct core_ops *ops, void *host,
	       struct policy *p);
void core_free(struct core *c);
/*
 * All the host has now. What is new is decided on, what is not there any more
 * is forgotten once its VM has let go. 0 or -ENOMEM.
 */
int core_set_devices(struct core *c, const struct policy_dev *d, size_t n);
/*
 * A VM can be reached, and has none but those that core_adopt() tells of
 * afterwards; core_run() then.
 */
void core_vm_up(struct core *c, uint8_t vm);
/*
 * It has the device at @bus, @addr as its @id since before we were started, by
 * the rule of that name.
 */
void core_adopt(struct core *c, uint8_t vm, uint8_t bus, uint8_t addr,
		unsigned id, const char *rule);
/* It is gone, with all it had. */
void core_vm_down(struct core *c, uint8_t vm);
/* What ops.give() led to: its id there, or @err */
void core_given(struct core *c, struct core_dev *d, int err, unsigned id);
/* The VM has let the device with @id go; @unplugged: it went by itself. */
void core_detached(struct core *c, uint8_t vm, unsigned id, bool unplugged);
/*
 * Other rules. @map has for each VM of the old ones its place in the new, or
 * CORE_NO_VM; none of those that are left out has a device.
 */
void core_set_policy(struct core *c, struct policy *p, const uint8_t *map);
/* Give and take what is due. After any of the above. */
void core_run(struct core *c);

#endif
