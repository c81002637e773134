// SPDX-License-Identifier: Apache-2.0
/*
 * A host's ports, what the publisher wants of it (proto/znode.h).
 */
#include "../../proto/znode.h"
#include "fuzz_codec.h"

FUZZ_CODEC(struct vpc_host_ports, vpc_host_ports)
