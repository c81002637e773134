/* SPDX-License-Identifier: Apache-2.0 */
/* libc's own headers come here too, so the real one first. */
#include_next <linux/types.h>
#include "../kshim.h"
