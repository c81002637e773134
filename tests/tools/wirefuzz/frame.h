/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes become frames, of a guest or from the underlay, mostly right and wrong in some place; for wirefuzz. The cloud
 * that they are about is uml_wire.sh's.
 */
#ifndef WIREFUZZ_FRAME_H
#define WIREFUZZ_FRAME_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 9000U

enum frame_way {
	FRAME_FROM_PORT,
	FRAME_FROM_WIRE4,
	FRAME_FROM_WIRE6,
	FRAME_FROM_OTHER_PORT,
	FRAME_WAYS
};

struct frame {
	enum frame_way way;
	struct virtio_net_hdr offload; /* of a guest: what it leaves for devices to do */
	size_t len;
	uint8_t data[FRAME_MAX];
};

extern const uint8_t frame_router_mac[6], frame_underlay_mac[6];

/* The port's own: MAC, and its address of each family. */
struct frame_owner {
	uint8_t mac[6], addr4[4], addr6[16];
};
extern const struct frame_owner frame_owners[2]; /* FRAME_FROM_PORT, FRAME_FROM_OTHER_PORT */

/* An input is read from its beginning on. */
void frame_source(const uint8_t *data, size_t len);
/* False behind the end. */
bool frame_next(struct frame *ret);

/* The Internet checksum of @len bytes, further summed onto @sum. */
uint16_t frame_checksum(uint32_t sum, const uint8_t *data, size_t len);

#endif
