/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may come out of the module, whatever went in; for wirefuzz. What must not ends the program, with both frames.
 */
#ifndef WIREFUZZ_LOOK_H
#define WIREFUZZ_LOOK_H

#include "frame.h"

struct look {
	unsigned int to_wire, to_port; /* packets of the VPC's, up to now */
	uint32_t kind; /* of the last: where it came out, protocol and the like */
};

/* An Ethernet frame on the underlay: sound VXLAN from this host's VTEP to another, or of the host's own stack. */
void look_wire(const struct frame *in, const uint8_t *data, size_t len, struct look *ret);
/* One that a port's device is given: of its router, to its owner. */
void look_port(const struct frame *in, const struct frame_owner *owner, const uint8_t *data, size_t len,
	       struct look *ret);

#endif
