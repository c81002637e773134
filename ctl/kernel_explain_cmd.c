// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl kernel explain: has the kernel run its forwarding code on a described packet, and prints each step and the
 * verdict.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include "kernel_ctl.h"

static const char *step_name(uint8_t step)
{
	static const char *const names[] = {
		[VPC_STEP_SOURCE] = "source", [VPC_STEP_ROUTE] = "route", [VPC_STEP_NEXTHOP] = "nexthop",
		[VPC_STEP_PORT] = "port",     [VPC_STEP_TTL] = "ttl",	  [VPC_STEP_ENCAP] = "encap",
		[VPC_STEP_GROUP] = "group",   [VPC_STEP_PEER] = "peer",	  [VPC_STEP_STRICT] = "strict",
		[VPC_STEP_MTU] = "mtu",
	};

	return step < ARRAY_SIZE(names) ? names[step] : "?";
}

static const char *verdict_name(uint8_t verdict)
{
	static const char *const names[] = {
		[VPC_VERDICT_DROP] = "drop",
		[VPC_VERDICT_DELIVER] = "deliver",
		[VPC_VERDICT_ENCAP] = "encap",
		[VPC_VERDICT_ANSWER] = "answer",
	};

	return verdict < ARRAY_SIZE(names) ? names[verdict] : "?";
}

static void print_text(const struct kernel_explain *e)
{
	char prefix[VPC_PREFIX_STRLEN], nexthop[VPC_NEXTHOP_STRLEN];

	for (unsigned int i = 0; i < e->n_steps; i++) {
		const struct kernel_step *s = &e->steps[i];

		printf("%-8s %s", step_name(s->step), s->ok ? "ok" : "no");
		if (s->has_table)
			printf(" table %u", s->table);
		if (s->has_prefix)
			printf(" %s", vpc_prefix_format(&s->prefix, prefix));
		if (s->has_nexthop && s->step == VPC_STEP_ROUTE)
			printf(" nexthop %u", s->nexthop.id);
		else if (s->has_nexthop)
			printf(" %u %s", s->nexthop.id, vpc_nexthop_format(&s->nexthop, nexthop));
		if (s->has_vni)
			printf(" vni %u", s->vni);
		if (s->has_bucket)
			printf(" bucket %u", s->bucket);
		if (s->has_mtu)
			printf(" mtu %u", s->mtu);
		if (s->ifname[0])
			printf(" %s", s->ifname);
		printf("\n");
	}
	printf("verdict  %s", verdict_name(e->verdict));
	printf(e->verdict == VPC_VERDICT_DROP ? " %s\n" : "\n", vpc_drop_name(e->reason));
}

static struct json_object *step_object(const struct kernel_step *s)
{
	struct json_object *object = json_object_new_object();

	ctl_add_string(object, "step", step_name(s->step));
	json_object_object_add(object, "ok", json_object_new_boolean(s->ok));
	if (s->has_table)
		ctl_add_u64(object, "table", s->table);
	if (s->has_prefix)
		ctl_add_prefix(object, "prefix", &s->prefix);
	if (s->has_nexthop && s->step == VPC_STEP_ROUTE)
		ctl_add_u64(object, "nexthop", s->nexthop.id);
	else if (s->has_nexthop)
		json_object_object_add(object, "nexthop", ctl_nexthop_object(&s->nexthop));
	if (s->has_vni)
		ctl_add_u64(object, "vni", s->vni);
	if (s->has_bucket)
		ctl_add_u64(object, "bucket", s->bucket);
	if (s->has_mtu)
		ctl_add_u64(object, "mtu", s->mtu);
	if (s->ifname[0])
		ctl_add_string(object, "dev", s->ifname);
	return object;
}

static void print_json(struct ctl *ctl, const struct kernel_explain *e)
{
	struct json_object *object = json_object_new_object(), *steps = json_object_new_array();

	for (unsigned int i = 0; i < e->n_steps; i++)
		json_object_array_add(steps, step_object(&e->steps[i]));
	json_object_object_add(object, "steps", steps);
	ctl_add_string(object, "verdict", verdict_name(e->verdict));
	if (e->verdict == VPC_VERDICT_DROP)
		ctl_add_string(object, "reason", vpc_drop_name(e->reason));
	ctl_print(ctl, object);
}

/* A packet from a port is the port's own unless said otherwise. */
static int default_source(struct ctl *ctl, struct kernel *k, struct kernel_lookup *lookup)
{
	struct kernel_port *ports = NULL;
	size_t n = 0;
	int r = kernel_port_list(k, &ports, &n, &ctl->err);

	if (r)
		return r;
	r = vpc_err_set(&ctl->err, -ENOENT, "'%s' is not a port of this kernel, see `vpcctl kernel port show`",
			lookup->ifname);
	for (size_t i = 0; i < n; i++) {
		const struct vpc_port *conf = &ports[i].conf;

		if (strcmp(conf->dev, lookup->ifname))
			continue;
		r = vpc_err_set(&ctl->err, -EINVAL, "port '%s' has no address of that family: name one with src",
				conf->dev);
		for (size_t j = 0; j < conf->n_addrs && r; j++)
			if (conf->addrs[j].family == lookup->dst.family) {
				lookup->src.family = conf->addrs[j].family;
				memcpy(lookup->src.bytes, conf->addrs[j].bytes, sizeof(lookup->src.bytes));
				r = 0;
			}
	}
	kernel_ports_free(ports, n);
	return r;
}

static int check(struct ctl *ctl, const char *from, const struct kernel_lookup *lookup)
{
	if (!from == !lookup->vni)
		return ctl_usage(ctl, "explain needs either 'from DEV' or 'vni VNI vtep ADDRESS'");
	if (from && strlen(from) >= sizeof(lookup->ifname))
		return vpc_err_set(&ctl->err, -EINVAL, "'%s' is too long for a device's name", from);
	if (!from && (!lookup->outer_src.family || !lookup->src.family))
		return ctl_usage(ctl, "a packet from the wire needs 'vtep ADDRESS' and 'src ADDRESS'");
	return 0;
}

/* A protocol by its name or number. */
static int parse_proto(struct ctl *ctl, int argc, char **argv, void *value, int *ret_used)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} protos[] = { { "tcp", IPPROTO_TCP },	 { "udp", IPPROTO_UDP },      { "sctp", IPPROTO_SCTP },
		       { "icmp", IPPROTO_ICMP }, { "icmp6", IPPROTO_ICMPV6 } };
	unsigned long number;
	char *end;

	*ret_used = 1;
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++)
		if (!strcmp(argv[0], protos[i].name)) {
			*(uint8_t *)value = protos[i].proto;
			return 0;
		}
	number = strtoul(argv[0], &end, 10);
	if (*argv[0] < '0' || *argv[0] > '9' || *end || number > UINT8_MAX)
		return vpc_err_set(&ctl->err, -EINVAL, "proto '%.64s' is none: tcp, udp, sctp, icmp, icmp6 or 0 to 255",
				   argv[0]);
	*(uint8_t *)value = number;
	return 0;
}

/* Ports choose a group's member, in a protocol that has them. */
static int check_ports(struct ctl *ctl, const struct kernel_lookup *lookup)
{
	if (!lookup->has_ports || lookup->proto == IPPROTO_TCP || lookup->proto == IPPROTO_UDP ||
	    lookup->proto == IPPROTO_SCTP)
		return 0;
	return ctl_usage(ctl, "'sport' and 'dport' need 'proto tcp', 'udp' or 'sctp'");
}

int cmd_kernel_explain(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(kernel_closep) struct kernel *k = NULL;
	struct kernel_lookup lookup = { 0 };
	struct kernel_explain e;
	const char *netns = NULL, *from = NULL;
	uint16_t ttl = 0;
	struct ctl_arg args[] = {
		{ "from", CTL_WORD, &from },
		{ "vni", CTL_U32, &lookup.vni },
		{ "vtep", CTL_ADDR, &lookup.outer_src },
		{ "src", CTL_ADDR, &lookup.src },
		{ "to", CTL_ADDR, &lookup.dst, .required = true },
		{ "mac", CTL_MAC, lookup.src_mac },
		{ "ttl", CTL_U16, &ttl },
		{ "proto", CTL_CUSTOM, &lookup.proto, .parse = parse_proto },
		{ "sport", CTL_U16, &lookup.sport },
		{ "dport", CTL_U16, &lookup.dport },
		{ "len", CTL_U32, &lookup.len },
		{ "netns", CTL_WORD, &netns },
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = check(ctl, from, &lookup);
	lookup.has_ports = ctl_given(args, ARRAY_SIZE(args), "sport") || ctl_given(args, ARRAY_SIZE(args), "dport");
	if (!r)
		r = check_ports(ctl, &lookup);
	if (!r && ttl > UINT8_MAX)
		r = vpc_err_set(&ctl->err, -EINVAL, "ttl %u is out of range: at most 255", ttl);
	if (!r)
		r = kernel_open(netns, &k, &ctl->err);
	if (r)
		return r;
	lookup.ttl = ttl;
	lookup.has_src_mac = ctl_given(args, ARRAY_SIZE(args), "mac");
	if (from)
		snprintf(lookup.ifname, sizeof(lookup.ifname), "%s", from);
	if (!lookup.src.family)
		r = default_source(ctl, k, &lookup);
	if (!r)
		r = kernel_explain(k, &lookup, &e, &ctl->err);
	if (r)
		return r;
	if (ctl->json)
		print_json(ctl, &e);
	else
		print_text(&e);
	return 0;
}
