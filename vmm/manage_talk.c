/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage_talk.c - what the core wants of the VMs and of the host, and what VMs
 * say: the protocol is in docs/control.md.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostusb/owner.h"
#include "vmm/cmd.h"
#include "vmm/manage_impl.h"

/* What is known of the device, in a line: "1-2.3 0627:0001 Some Tablet" */
static const char *dev_text(const struct core_dev *d, char *buf, size_t len)
{
	const struct usb_info *i = &d->d.info;
	char path[32];

	snprintf(buf, len, "%s %04x:%04x%s%s",
		 usb_path_name(i, path, sizeof(path)), i->vid, i->pid,
		 i->product[0] ? " " : "", i->product);
	return buf;
}

static const char *rule_text(const struct core_dev *d)
{
	return d->decision.rule ? d->decision.rule->name : "no rule";
}

/* struct core_ops */

static void op_log(void *host, const struct core_dev *d, const char *what)
{
	struct manage *m = host;
	const char *vm = d->vm != CORE_NO_VM ? m->p.vms[d->vm].name : "";
	char text[256];

	if (!m->o->verbose && d->decision.action == POLICY_LEAVE && !*vm)
		return;
	fprintf(stderr, "vxhci: manage: %s: %s%s%s (%s)%s%s\n",
		dev_text(d, text, sizeof(text)), *vm ? vm : "", *vm ? ": " : "",
		what, rule_text(d), d->decision.why ? ": " : "",
		d->decision.why ? d->decision.why : "");
}

static int op_claim(void *host, const struct core_dev *d, void **ret)
{
	char owner[200], who[128] = "", text[256];
	struct manage *m = host;
	struct owner_claim *claim;
	int r;

	snprintf(owner, sizeof(owner), "vxhci manage, VM %s, rule %s",
		 m->p.vms[d->vm].name, rule_text(d));
	r = owner_claim(&d->d.info, owner, who, sizeof(who), &claim);
	if (r < 0) {
		cmd_error("manage: %s: %s: %s", dev_text(d, text, sizeof(text)),
			  r == -EBUSY ? "in use by" : strerror(-r),
			  r == -EBUSY ? who : "it cannot be claimed");
		return r;
	}
	*ret = claim;
	return 0;
}

static void op_release(void *host, void *claim)
{
	(void)host;
	owner_release(claim);
}

static json_t *request(const struct manage_vm *vm, const char *command,
		       json_t *args, json_t *id)
{
	if (vm->slot[0])
		json_object_set_new(args, "slot", json_string(vm->slot));
	return json_pack("{s:s, s:o, s:o}", "execute", command, "arguments",
			 args, "id", id);
}

/* "bus=1,port=2.3,at=5": what the VM's status calls it */
static void slot_text(const struct core_dev *d, char *buf, size_t len)
{
	const struct usb_info *i = &d->d.info;
	const struct policy_rule *r = d->decision.rule;
	size_t n = (size_t)snprintf(buf, len, "bus=%u,port=%u", i->bus,
				    i->path[0]);

	for (unsigned k = 1; k < i->npath && n < len; k++)
		n += (size_t)snprintf(buf + n, len - n, ".%u", i->path[k]);
	if (r && r->at && n < len)
		snprintf(buf + n, len - n, ",at=%u", r->at);
}

static int op_give(void *host, uint8_t vm, struct core_dev *d)
{
	struct manage_vm *v = ((struct manage *)host)->vm[vm];
	char device[64], rule[POLICY_NAME + 16];
	int fd = host_open(&d->d.info), r;

	if (fd < 0)
		return fd;
	slot_text(d, device, sizeof(device));
	snprintf(rule, sizeof(rule), "manage: %s", rule_text(d));
	r = manage_vm_send(
		v,
		request(v, "attach",
			json_pack("{s:s, s:s, s:b}", "device", device, "rule",
				  rule, "fd", 1),
			json_pack("{s:i, s:i}", "give", (int)d->d.info.bus,
				  "address", (int)d->d.info.addr)),
		fd);
	close(fd);
	return r;
}

static void op_take(void *host, uint8_t vm, struct core_dev *d)
{
	struct manage_vm *v = ((struct manage *)host)->vm[vm];

	manage_vm_send(v,
		       request(v, "detach",
			       json_pack("{s:i}", "id", (int)d->id),
			       json_pack("{s:i}", "take", (int)d->id)),
		       -1);
}

static void op_rebind(void *host, const struct core_dev *d)
{
	struct manage *m = host;

	for (unsigned i = 0; i < MAX_REBINDS; i++) {
		if (m->rebind[i].tries)
			continue;
		host_note(&d->d.info, &m->rebind[i].note);
		m->rebind[i].tries = REBIND_TRIES;
		m->rebind_ns = 0;
		return;
	}
	op_log(host, d, "its drivers are not bound: too many at once");
}

const struct core_ops manage_core_ops = {
	.claim = op_claim,
	.release = op_release,
	.give = op_give,
	.take = op_take,
	.rebind = op_rebind,
	.log = op_log,
};

static const char *text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static int number_of(const json_t *j, const char *key)
{
	return (int)json_integer_value(json_object_get(j, key));
}

/* A device that this manager, or the one before, put there */
static void adopt(struct managed_vm *k, const json_t *dev)
{
	const json_t *host = json_object_get(dev, "host");

	if (strncmp(text_of(dev, "rule"), "manage: ", 8) != 0 ||
	    !json_is_object(host))
		return;
	core_adopt(&k->m->core, k->place, (uint8_t)number_of(host, "bus"),
		   (uint8_t)number_of(host, "address"),
		   (unsigned)number_of(dev, "id"), text_of(dev, "rule") + 8);
}

static void on_status(struct managed_vm *k, const json_t *ret)
{
	const json_t *list = json_object_get(ret, "controllers"), *c = NULL, *v;
	struct manage_vm *vm = &k->vm;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (!vm->conf.slot[0] ||
		    strcmp(text_of(v, "slot"), vm->conf.slot) == 0)
			c = v;
	}
	if (!c || (!vm->conf.slot[0] && json_array_size(list) != 1)) {
		cmd_error("manage: %s: %s has %zu controllers: name one of "
			  "them with slot",
			  vm->conf.name, vm->conf.control,
			  json_array_size(list));
		vm->broken = true;
		return;
	}
	snprintf(vm->slot, sizeof(vm->slot), "%s", text_of(c, "slot"));
	vm->synced = true;
	core_vm_up(&k->m->core, k->place);
	json_array_foreach(json_object_get(c, "devices"), i, v)
	{
		adopt(k, v);
	}
}

static struct core_dev *dev_given(struct managed_vm *k, const json_t *id)
{
	struct core_dev *d = k->m->core.devs;

	for (; d; d = d->next)
		if (d->vm == k->place && d->id == 0 &&
		    (d->state == CORE_GIVING || d->state == CORE_TAKING) &&
		    d->d.info.bus == number_of(id, "give") &&
		    d->d.info.addr == number_of(id, "address"))
			return d;
	return NULL;
}

static void on_answer(struct managed_vm *k, const json_t *id, const json_t *ret,
		      const json_t *err)
{
	if (json_object_get(id, "give")) {
		struct core_dev *d = dev_given(k, id);

		if (err)
			cmd_error("manage: %s: %s", k->vm.conf.name,
				  text_of(err, "desc"));
		if (d)
			core_given(&k->m->core, d, err ? -EIO : 0,
				   (unsigned)number_of(ret, "id"));
	} else if (json_object_get(id, "take")) {
		/* it is not there: it has gone meanwhile */
		if (err)
			core_detached(&k->m->core, k->place,
				      (unsigned)number_of(id, "take"), true);
	} else if (ret) {
		on_status(k, ret);
	} else {
		cmd_error("manage: %s: %s", k->vm.conf.name,
			  text_of(err, "desc"));
		k->vm.broken = true;
	}
}

static void on_event(struct managed_vm *k, const char *event,
		     const json_t *data)
{
	const json_t *dev = json_object_get(data, "device");
	unsigned id = (unsigned)number_of(dev, "id");

	if (strcmp(event, "CONTROLLER_REMOVED") == 0 &&
	    strcmp(text_of(data, "slot"), k->vm.slot) == 0)
		k->vm.broken = true;
	if (!k->vm.synced || strcmp(text_of(data, "slot"), k->vm.slot) != 0)
		return;
	if (strcmp(event, "EVENTS_LOST") == 0)
		k->vm.broken = true; /* ask anew what it has */
	else if (strcmp(event, "DEVICE_DETACHED") == 0)
		core_detached(&k->m->core, k->place, id,
			      json_is_true(json_object_get(data, "unplugged")));
	else if (strcmp(event, "DEVICE_FAILED") == 0)
		for (struct core_dev *d = k->m->core.devs; d; d = d->next)
			if (d->state != CORE_FREE && d->vm == k->place &&
			    d->id == id) {
				cmd_error("manage: %s: %s", k->vm.conf.name,
					  text_of(dev, "reason"));
				core_given(&k->m->core, d, -EIO, 0);
				break;
			}
}

static void vm_message(struct manage_vm *vm, json_t *msg)
{
	struct managed_vm *k = (struct managed_vm *)(void *)vm;
	const char *event = text_of(msg, "event");

	if (*event)
		on_event(k, event, json_object_get(msg, "data"));
	else
		on_answer(k, json_object_get(msg, "id"),
			  json_object_get(msg, "return"),
			  json_object_get(msg, "error"));
}

struct manage_vm *manage_vm_new(struct manage *m, uint8_t place)
{
	struct managed_vm *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->m = m;
	k->place = place;
	k->vm.l.fd = -1;
	k->vm.conf = m->p.vms[place];
	k->vm.message = vm_message;
	return &k->vm;
}
