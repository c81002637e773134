// SPDX-License-Identifier: Apache-2.0
/*
 * The publishers' fence (proto/znode.h).
 */
#include "../../proto/znode.h"
#include "fuzz_codec.h"

#define vpc_fence_clear(fence)

FUZZ_CODEC(struct vpc_fence, vpc_fence)
