// SPDX-License-Identifier: Apache-2.0
/*
 * Names and one-line texts of the model's values, the same in reports, in vpcctl and in error messages.
 */
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

/* clang-format off */
static const char *const nexthop_types[] = {
	[VPC_NEXTHOP_LOCAL] = "local",
	[VPC_NEXTHOP_HOST] = "host",
	[VPC_NEXTHOP_GATEWAY] = "gateway",
	[VPC_NEXTHOP_PEER] = "peer",
	[VPC_NEXTHOP_GROUP] = "group",
	[VPC_NEXTHOP_BLACKHOLE] = "blackhole",
	[VPC_NEXTHOP_PROHIBIT] = "prohibit",
	[VPC_NEXTHOP_UNREACHABLE] = "unreachable",
};
_Static_assert(ARRAY_SIZE(nexthop_types) == VPC_NEXTHOP_MAX + 1, "every nexthop type has a name");

static const char *const drops[] = {
	[VPC_DROP_NONE] = "none",
	[VPC_DROP_MALFORMED] = "malformed",
	[VPC_DROP_SOURCE_MAC] = "source-mac",
	[VPC_DROP_SOURCE_ADDR] = "source-addr",
	[VPC_DROP_MULTICAST] = "multicast",
	[VPC_DROP_PROTO] = "proto",
	[VPC_DROP_NO_TABLE] = "no-table",
	[VPC_DROP_NO_ROUTE] = "no-route",
	[VPC_DROP_NO_NEXTHOP] = "no-nexthop",
	[VPC_DROP_BLACKHOLE] = "blackhole",
	[VPC_DROP_PROHIBIT] = "prohibit",
	[VPC_DROP_UNREACHABLE] = "unreachable",
	[VPC_DROP_NO_PORT] = "no-port",
	[VPC_DROP_PORT_DOWN] = "port-down",
	[VPC_DROP_TTL] = "ttl",
	[VPC_DROP_LOOP] = "loop",
	[VPC_DROP_NO_VTEP] = "no-vtep",
	[VPC_DROP_NO_UNDERLAY] = "no-underlay",
	[VPC_DROP_TOO_BIG] = "too-big",
	[VPC_DROP_NOMEM] = "nomem",
	[VPC_DROP_VNI] = "vni",
	[VPC_DROP_OUTER_SOURCE] = "outer-source",
	[VPC_DROP_OUTER_HEADER] = "outer-header",
	[VPC_DROP_QUEUE] = "queue",
	[VPC_DROP_STRICT] = "strict",
	[VPC_DROP_NO_MEMBER] = "no-member",
	[VPC_DROP_NO_PEER] = "no-peer",
};
/* clang-format on */
_Static_assert(ARRAY_SIZE(drops) == VPC_DROP_MAX + 1, "every drop reason has a name");

const char *vpc_nexthop_type_name(uint8_t type)
{
	return type < ARRAY_SIZE(nexthop_types) && nexthop_types[type] ? nexthop_types[type] : "?";
}

int vpc_nexthop_type_parse(const char *name, uint8_t *ret_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(nexthop_types); i++)
		if (nexthop_types[i] && !strcmp(name, nexthop_types[i])) {
			*ret_type = i;
			return 0;
		}
	return -EINVAL;
}

const char *vpc_drop_name(unsigned int reason)
{
	return reason < ARRAY_SIZE(drops) ? drops[reason] : "?";
}

char *vpc_nexthop_format(const struct vpc_nl_nexthop *nh, char *buf)
{
	static const uint8_t no_mac[6];
	struct vpc_addr addr = { .family = nh->family };
	char text[VPC_ADDR_STRLEN], mac[VPC_MAC_STRLEN];
	size_t len;

	len = snprintf(buf, VPC_NEXTHOP_STRLEN, "%s", vpc_nexthop_type_name(nh->type));
	switch (nh->type) {
	case VPC_NEXTHOP_HOST:
	case VPC_NEXTHOP_GATEWAY:
		memcpy(addr.bytes, nh->addr, sizeof(addr.bytes));
		len += snprintf(buf + len, VPC_NEXTHOP_STRLEN - len, " %s", vpc_addr_format(&addr, text));
		if (nh->vni)
			len += snprintf(buf + len, VPC_NEXTHOP_STRLEN - len, " vni %u", nh->vni);
		if (memcmp(nh->mac, no_mac, sizeof(no_mac)))
			snprintf(buf + len, VPC_NEXTHOP_STRLEN - len, " mac %s", vpc_mac_format(nh->mac, mac));
		break;
	case VPC_NEXTHOP_PEER:
		snprintf(buf + len, VPC_NEXTHOP_STRLEN - len, " vni %u table %u", nh->vni, nh->table);
		break;
	case VPC_NEXTHOP_LOCAL:
	case VPC_NEXTHOP_GROUP:
	case VPC_NEXTHOP_BLACKHOLE:
	case VPC_NEXTHOP_PROHIBIT:
	case VPC_NEXTHOP_UNREACHABLE:
		break;
	}
	return buf;
}
