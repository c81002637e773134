// SPDX-License-Identifier: Apache-2.0
/*
 * A host's status, what its agent says (proto/znode.h): read by publisher, reconcile and vpcctl.
 */
#include "../../proto/znode.h"
#include "fuzz_codec.h"

FUZZ_CODEC(struct vpc_host_status, vpc_host_status)
