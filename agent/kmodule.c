// SPDX-License-Identifier: Apache-2.0
/*
 * Inserting vpc.ko through libkmod; see kmodule.h.
 */
#include "kmodule.h"

#include <errno.h>
#include <libkmod.h>
#include <string.h>
#include <sys/utsname.h>

#define KMODULE_NAME "vpc"

int kmodule_load(struct vpc_err *err)
{
	struct kmod_list *list = NULL, *item;
	struct kmod_ctx *ctx;
	struct utsname uts = { .release = "?" };
	int res;

	uname(&uts);
	ctx = kmod_new(NULL, NULL);
	if (!ctx)
		return vpc_err_set(err, -ENOMEM, "vpc.ko: libkmod cannot be used");
	res = kmod_module_new_from_lookup(ctx, KMODULE_NAME, &list);
	if (res < 0) {
		vpc_err_set(err, res, "vpc.ko: looking for it under /lib/modules/%s: %s", uts.release, strerror(-res));
	} else if (!list) {
		res = vpc_err_set(err, -ENOENT,
				  "vpc.ko: not installed under /lib/modules/%s: run 'make install' and 'depmod -a'",
				  uts.release);
	}
	kmod_list_foreach(item, list)
	{
		struct kmod_module *mod = kmod_module_get_module(item);

		res = kmod_module_probe_insert_module(mod, KMOD_PROBE_APPLY_BLACKLIST, NULL, NULL, NULL, NULL);
		if (res > 0)
			res = vpc_err_set(err, -EPERM, "vpc.ko: blacklisted in modprobe.d");
		else if (res < 0)
			vpc_err_set(err, res, "vpc.ko: inserting it: %s", strerror(-res));
		kmod_module_unref(mod);
		if (res)
			break;
	}
	kmod_module_unref_list(list);
	kmod_unref(ctx);
	return res;
}
