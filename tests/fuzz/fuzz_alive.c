// SPDX-License-Identifier: Apache-2.0
/*
 * A host's sign of life (proto/znode.h).
 */
#include "../../proto/znode.h"
#include "fuzz_codec.h"

#define vpc_alive_clear(alive)

FUZZ_CODEC(struct vpc_alive, vpc_alive)
