// SPDX-License-Identifier: Apache-2.0
/*
 * The state of a namespace as text (kstate.h), for `vpcctl kernel save`. Also what both directions need: making and
 * freeing a state.
 */
#include "kstate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "util.h"

void kstate_init(struct kstate *ks)
{
	*ks = (struct kstate){ .udp_port = VPC_UDP_PORT };
}

void kstate_clear(struct kstate *ks)
{
	for (size_t i = 0; i < ks->n_vpcs; i++)
		vpc_state_clear(&ks->vpcs[i].state);
	for (size_t i = 0; i < ks->n_ports; i++)
		vpc_port_clear(&ks->ports[i]);
	free(ks->vpcs);
	free(ks->ports);
	kstate_init(ks);
}

static void print_host(const struct kstate *ks, FILE *out)
{
	char text[VPC_ADDR_STRLEN];

	fputs("host", out);
	if (ks->vtep4.family)
		fprintf(out, " vtep4 %s", vpc_addr_format(&ks->vtep4, text));
	if (ks->vtep6.family)
		fprintf(out, " vtep6 %s", vpc_addr_format(&ks->vtep6, text));
	fprintf(out, " port %u\n", ks->udp_port);
}

static void print_nexthop(uint32_t vni, const struct vpc_nl_nexthop *nh, FILE *out)
{
	static const uint8_t no_mac[6];
	struct vpc_addr vtep = { .family = nh->family };
	char text[VPC_ADDR_STRLEN];

	fprintf(out, "nexthop %u %u %s", vni, nh->id, vpc_nexthop_type_name(nh->type));
	if (nh->type == VPC_NEXTHOP_PEER)
		fprintf(out, " %u table %u", nh->vni, nh->table);
	if (nh->family) {
		memcpy(vtep.bytes, nh->addr, sizeof(vtep.bytes));
		fprintf(out, " %s", vpc_addr_format(&vtep, text));
		if (nh->vni)
			fprintf(out, " vni %u", nh->vni);
	}
	if (memcmp(nh->mac, no_mac, sizeof(no_mac)))
		fprintf(out, " mac %s", vpc_mac_format(nh->mac, text));
	putc('\n', out);
}

static void print_vpc(const struct kstate_vpc *vpc, FILE *out)
{
	const struct vpc_state *state = &vpc->state;
	char text[VPC_PREFIX_STRLEN];

	fprintf(out, "vpc %u", state->vni);
	if (vpc->has_epoch)
		fprintf(out, " epoch %" PRIu64, state->epoch);
	fprintf(out, " digest %s", vpc_digest_format(&state->digest, text));
	if (vpc->quota)
		fprintf(out, " quota %" PRIu64, vpc->quota);
	fputs(vpc->flags & VPC_F_STRICT ? " strict\n" : "\n", out);
	for (size_t i = 0; i < state->n_nexthops; i++)
		print_nexthop(state->vni, &state->nexthops[i], out);
	for (size_t i = 0; i < state->n_members; i++)
		fprintf(out, "member %u %u %u weight %u\n", state->vni, state->members[i].group,
			state->members[i].nexthop, state->members[i].weight);
	for (size_t i = 0; i < state->n_routes; i++)
		fprintf(out, "route %u %u %s %u\n", state->vni, state->routes[i].table,
			vpc_prefix_format(&state->routes[i].prefix, text), state->routes[i].nexthop);
}

static void print_port(const struct vpc_port *port, FILE *out)
{
	char text[VPC_PREFIX_STRLEN];

	fprintf(out, "port %s vpc %u mac %s", port->dev, port->vni, vpc_mac_format(port->mac, text));
	if (port->table)
		fprintf(out, " table %u", port->table);
	for (size_t i = 0; i < port->n_addrs; i++)
		fprintf(out, " addr %s", vpc_prefix_format(&port->addrs[i], text));
	if (port->gateway4.family)
		fprintf(out, " gateway4 %s", vpc_addr_format(&port->gateway4, text));
	if (port->gateway6.family)
		fprintf(out, " gateway6 %s", vpc_addr_format(&port->gateway6, text));
	if (port->subnet6.family)
		fprintf(out, " subnet6 %s", vpc_prefix_format(&port->subnet6, text));
	fputs(port->flags & VPC_PORT_F_NO_SOURCE_CHECK ? " no-source-check\n" : "\n", out);
}

int kstate_print(const struct kstate *ks, FILE *out)
{
	if (ks->has_host)
		print_host(ks, out);
	for (size_t i = 0; i < ks->n_vpcs; i++)
		print_vpc(&ks->vpcs[i], out);
	for (size_t i = 0; i < ks->n_ports; i++)
		print_port(&ks->ports[i], out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
