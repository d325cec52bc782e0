/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qemu.h - the little of QEMU that device.c uses. QEMU has no headers to build
 * a device with outside of its tree, but exports these to its own modules. They
 * are weak: the library is also preloaded into the shell that starts QEMU, where
 * they are NULL.
 */
#ifndef TESTS_LINKED_QEMU_H
#define TESTS_LINKED_QEMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEAK __attribute__((weak))

/* Objects and their classes; what is in them is QEMU's. */
struct q_object;
struct q_class;
struct q_error;

struct q_interface {
	const char *type;
};

struct q_type {
	const char *name, *parent;
	size_t instance_size, instance_align;
	void (*instance_init)(struct q_object *o);
	void (*instance_post_init)(struct q_object *o);
	void (*instance_finalize)(struct q_object *o);
	bool abstract;
	size_t class_size;
	void (*class_init)(struct q_class *c, const void *data);
	void (*class_base_init)(struct q_class *c, const void *data);
	const void *class_data;
	const struct q_interface *interfaces;
};

/* What the class of a PCI device has behind that of a device. */
struct q_pci_class {
	void (*realize)(struct q_object *dev, struct q_error **err);
	void (*exit)(struct q_object *dev);
	uint32_t (*config_read)(struct q_object *dev, uint32_t at, int len);
	void (*config_write)(struct q_object *dev, uint32_t at, uint32_t v,
			     int len);
	uint16_t vendor_id, device_id;
	uint8_t revision;
	uint16_t class_id, subsystem_vendor_id, subsystem_id;
};

#define Q_LITTLE_ENDIAN 2

struct q_region_ops {
	uint64_t (*read)(void *arg, uint64_t off, unsigned size);
	void (*write)(void *arg, uint64_t off, uint64_t v, unsigned size);
	void (*read_with_attrs)(void);
	void (*write_with_attrs)(void);
	int endianness;
	struct {
		unsigned min, max;
		bool unaligned;
		void (*accepts)(void);
	} valid;
	struct {
		unsigned min, max;
		bool unaligned;
	} impl;
};

/* What is begun with its first number comes after the types of QEMU's own. */
#define Q_AFTER_TYPES 0
WEAK void register_module_init(void (*fn)(void), int when);
WEAK void *type_register_static(const struct q_type *t);
WEAK struct q_class *object_class_by_name(const char *name);
WEAK void *object_property_add_str(
	struct q_object *o, const char *name,
	char *(*get)(struct q_object *o, struct q_error **err),
	void (*set)(struct q_object *o, const char *v, struct q_error **err));
WEAK void error_setg_internal(struct q_error **err, const char *file, int line,
			      const char *func, const char *fmt, ...);

WEAK uint32_t pci_default_read_config(struct q_object *dev, uint32_t at,
				      int len);
WEAK void pci_default_write_config(struct q_object *dev, uint32_t at,
				   uint32_t v, int len);
WEAK void pci_register_bar(struct q_object *dev, int bar, uint8_t type,
			   void *region);
/* The level of the pin that the configuration space names. */
WEAK void pci_set_irq(struct q_object *dev, int level);

WEAK void memory_region_init_io(void *region, struct q_object *owner,
				const struct q_region_ops *ops, void *arg,
				const char *name, uint64_t size);
/* Where @at is in this process, and how much from there on, up to *@len. */
WEAK void *address_space_map(void *as, uint64_t at, uint64_t *len, bool write,
			     uint64_t attrs);
WEAK uint32_t address_space_write(void *as, uint64_t at, uint64_t attrs,
				  const void *from, uint64_t len);
extern WEAK char address_space_memory[];

/* The loop of QEMU's first thread, and the lock of all devices. */
WEAK void qemu_set_fd_handler(int fd, void (*read)(void *arg),
			      void (*write)(void *arg), void *arg);
WEAK void qemu_register_reset(void (*fn)(void *arg), void *arg);
WEAK bool bql_locked(void);

#endif
