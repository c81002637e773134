/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inserting vpc.ko, when the configuration asks for it (load_module = yes) and the kernel does not have it yet.
 */
#ifndef AGENT_KMODULE_H
#define AGENT_KMODULE_H

#include "../lib/err.h"

/*
 * As modprobe does it, with what it depends on. 0 also when it is there already. -ENOENT: not installed for this
 * kernel.
 */
int kmodule_load(struct vpc_err *err);

#endif
