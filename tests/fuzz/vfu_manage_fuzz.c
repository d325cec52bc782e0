/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of `vxhci manage`: any text is a policy, or an error that is one
 * line with a place. A policy decides about any device: of the rules that
 * match none has a higher priority than the one that counts, and no denial of
 * the same is passed over. The bytes after a zero are devices.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "vmm/manage_conf.h"

static void check(int cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void any_device(struct fuzz_in *in, struct policy_dev *d)
{
	struct usb_info *i = &d->info;

	memset(d, 0, sizeof(*d));
	i->bus = in_u8(in) & 3;
	i->addr = in_u8(in);
	i->npath = in_u8(in) % (USB_MAX_DEPTH + 1);
	for (unsigned k = 0; k < i->npath; k++)
		i->path[k] = in_u8(in) & 15;
	i->vid = in_u16(in);
	i->pid = in_u16(in);
	i->speed = (enum usb_speed)(in_u8(in) % 6);
	i->nifaces = in_u8(in) & 3;
	for (unsigned k = 0; k < i->nifaces; k++) {
		i->iface[k].cls = in_u8(in);
		snprintf(i->iface[k].driver, sizeof(i->iface[k].driver), "%s",
			 in_u8(in) & 1 ? "usbhid" : "usb-storage");
	}
	snprintf(i->serial, sizeof(i->serial), "%u", in_u8(in));
	snprintf(d->controller, sizeof(d->controller), "0000:00:%02x.0",
		 in_u8(in) & 0x1fu);
	d->used = in_u8(in) & 15;
}

static void decide(const struct policy *p, const struct policy_dev *d)
{
	struct policy_decision k;

	policy_decide(p, d, &k);
	check(k.action <= POLICY_LEAVE, "no such action");
	check(k.action != POLICY_GIVE || (k.rule && k.rule->nvms),
	      "given to nobody");
	check(!(k.action == POLICY_GIVE && d->used & POLICY_HUB),
	      "a hub is given");
	for (unsigned i = 0; k.rule && i < p->nrules; i++) {
		const struct policy_rule *r = &p->rules[i];

		if (!policy_matches(&r->match, d))
			continue;
		check(r->priority <= k.rule->priority,
		      "another rule has a higher priority");
		check(r->priority < k.rule->priority ||
			      r->action != POLICY_DENY ||
			      k.action == POLICY_DENY,
		      "a denial is passed over");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1), err[256] = "";
	struct policy_dev d;
	struct fuzz_in in;
	struct policy p;
	size_t n;

	check(text != NULL, "no memory");
	memcpy(text, data, len);
	text[len] = '\0';
	n = strlen(text);
	if (conf_parse("f", text, err, sizeof(err), &p) < 0) {
		check(strnlen(err, sizeof(err)) < sizeof(err) && err[0] == 'f',
		      "an error that says nothing");
		check(!strchr(err, '\n'), "an error of several lines");
	} else {
		unsigned a, b;

		check(p.nvms <= POLICY_MAX_VMS && p.nrules <= POLICY_MAX_RULES,
		      "too many");
		check(policy_check(&p, &a, &b) == 0, "rules that clash");
		in = (struct fuzz_in){data + n, len - n};
		do {
			any_device(&in, &d);
			decide(&p, &d);
		} while (in.left);
		policy_free(&p);
	}
	free(text);
	return 0;
}

#define VMS                                                               \
	"{\"vms\":{\"a\":{\"control\":\"/a\"},\"b\":{\"control\":\"/b\"," \
	"\"slot\":\"31\"}},\"rules\":["

void fuzz_seeds(const char *dir)
{
	static const char *const texts[] = {
		"{\"vms\":{},\"rules\":[]}",
		VMS "{\"match\":{},\"give\":\"a\"}]}",
		VMS "{\"match\":{\"class\":\"storage\"},\"deny\":true,"
		    "\"priority\":10,\"name\":\"no\"}]}",
		VMS "{\"match\":{\"id\":\"045e:028e\",\"serial\":\"1\"},"
		    "\"give\":[\"b\",\"a\"],\"at\":3,\"force\":true}]}",
		VMS "{\"match\":{\"bus\":1,\"port\":\"2.*\"},\"give\":\"a\"},"
		    "{\"match\":{\"bus\":1,\"port\":\"2.3\"},\"leave\":true,"
		    "\"priority\":1}]}",
		VMS "{\"match\":{\"controller\":\"0000:00:14.0\","
		    "\"port\":\"1\",\"speed\":\"high\"},\"leave\":true},"
		    "{\"match\":{\"driver\":\"usbhid\",\"id\":\"046d:*\","
		    "\"bus\":2},\"deny\":true,\"priority\":-1}]}",
	};
	static const uint8_t devs[] = {0, 1, 9, 2, 2, 3, 0x5e, 4, 0x8e,
				       2, 3, 1, 8, 0, 1, 0x14, 0};
	char buf[512];

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t n = strlen(texts[i]);

		memcpy(buf, texts[i], n);
		memcpy(buf + n, devs, sizeof(devs));
		fuzz_seed(dir, "policy", i, buf, n + sizeof(devs));
	}
}
