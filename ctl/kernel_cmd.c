// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl kernel: what this host's kernel has. This file: the dispatch, and the objects host, vpc and port, and verify.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include "../lib/digest.h"
#include "kernel_ctl.h"

static const char help[] = "Usage: vpcctl kernel {host|vpc|port} show ...; see `vpcctl kernel help`\n";

int kernel_ctl_open(struct ctl *ctl, struct ctl_arg *args, size_t n, int argc, char **argv, const char *const *netns,
		    struct kernel **ret_kernel)
{
	int r = ctl_args(ctl, args, n, argc, argv);

	return r ?: kernel_open(*netns, ret_kernel, &ctl->err);
}

static int host_show(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(kernel_closep) struct kernel *k = NULL;
	char text[VPC_ADDR_STRLEN], instance[17];
	struct json_object *object;
	struct kernel_host host;
	const char *netns = NULL;
	struct ctl_arg args[] = { { "netns", CTL_WORD, &netns } };
	int r;

	r = kernel_ctl_open(ctl, args, ARRAY_SIZE(args), argc, argv, &netns, &k);
	if (!r)
		r = kernel_host_get(k, &host, &ctl->err);
	if (r)
		return r;
	snprintf(instance, sizeof(instance), "%016" PRIx64, host.instance);
	if (!ctl->json) {
		printf("vtep %s", vpc_addr_format(&host.vtep4, text));
		if (host.vtep6.family)
			printf(" vtep6 %s", vpc_addr_format(&host.vtep6, text));
		printf(" udp_port %u instance %s version %s\n", host.udp_port, instance, host.version);
		return 0;
	}
	object = json_object_new_object();
	if (host.vtep4.family)
		ctl_add_addr(object, "vtep", &host.vtep4);
	if (host.vtep6.family)
		ctl_add_addr(object, "vtep6", &host.vtep6);
	ctl_add_u64(object, "udp_port", host.udp_port);
	ctl_add_string(object, "instance", instance);
	ctl_add_string(object, "version", host.version);
	ctl_print(ctl, object);
	return 0;
}

static void print_vpc(struct ctl *ctl, const struct kernel_vpc *vpc)
{
	char digest[VPC_DIGEST_STRLEN];
	struct json_object *object;

	if (!ctl->json) {
		printf("vni %u epoch %" PRIu64 " digest %s routes %" PRIu64
		       " nexthops %u members %u tables %u ports %u memory %" PRIu64,
		       vpc->vni, vpc->epoch, vpc_digest_format(&vpc->digest, digest), vpc->n_routes, vpc->n_nexthops,
		       vpc->n_members, vpc->n_tables, vpc->n_ports, vpc->memory);
		if (vpc->quota)
			printf(" quota %" PRIu64, vpc->quota);
		printf(vpc->flags & VPC_F_STRICT ? " strict\n" : "\n");
		return;
	}
	object = json_object_new_object();
	ctl_add_u64(object, "vni", vpc->vni);
	ctl_add_u64(object, "epoch", vpc->epoch);
	ctl_add_digest(object, "digest", &vpc->digest);
	ctl_add_u64(object, "routes", vpc->n_routes);
	ctl_add_u64(object, "nexthops", vpc->n_nexthops);
	ctl_add_u64(object, "members", vpc->n_members);
	ctl_add_u64(object, "tables", vpc->n_tables);
	ctl_add_u64(object, "ports", vpc->n_ports);
	ctl_add_u64(object, "memory", vpc->memory);
	ctl_add_u64(object, "quota", vpc->quota);
	json_object_object_add(object, "strict", json_object_new_boolean(vpc->flags & VPC_F_STRICT));
	ctl_list_add(ctl, object);
}

static int vpc_show(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(kernel_closep) struct kernel *k = NULL;
	_cleanup_free_ struct kernel_vpc *vpcs = NULL;
	const char *netns = NULL;
	struct kernel_vpc one;
	uint32_t vni = 0;
	size_t n = 0;
	struct ctl_arg args[] = { { "VNI", CTL_U32, &vni }, { "netns", CTL_WORD, &netns } };
	int r;

	r = kernel_ctl_open(ctl, args, ARRAY_SIZE(args), argc, argv, &netns, &k);
	if (!r)
		r = vni ? kernel_vpc_get(k, vni, &one, &ctl->err) : kernel_vpc_list(k, &vpcs, &n, &ctl->err);
	if (r)
		return r;
	ctl_list_begin(ctl);
	if (vni)
		print_vpc(ctl, &one);
	for (size_t i = 0; i < n; i++)
		print_vpc(ctl, &vpcs[i]);
	ctl_list_end(ctl);
	return 0;
}

static void print_port_text(const struct kernel_port *port)
{
	const struct vpc_port *conf = &port->conf;
	char mac[VPC_MAC_STRLEN], text[VPC_PREFIX_STRLEN];

	printf("%s vni %u mac %s table %u flags 0x%x", conf->dev, conf->vni, vpc_mac_format(conf->mac, mac),
	       conf->table, conf->flags);
	if (conf->gateway4.family)
		printf(" gateway %s", vpc_addr_format(&conf->gateway4, text));
	if (conf->gateway6.family)
		printf(" gateway6 %s", vpc_addr_format(&conf->gateway6, text));
	if (conf->subnet6.family)
		printf(" subnet6 %s", vpc_prefix_format(&conf->subnet6, text));
	for (size_t i = 0; i < conf->n_addrs; i++)
		printf(" %s", vpc_prefix_format(&conf->addrs[i], text));
	if (port->ifindex)
		printf(" ifindex %u\n", port->ifindex);
	else
		printf(" device absent\n");
}

static void print_port(struct ctl *ctl, const struct kernel_port *port)
{
	struct json_object *object, *addrs;
	const struct vpc_port *conf = &port->conf;
	char text[VPC_PREFIX_STRLEN];

	if (!ctl->json) {
		print_port_text(port);
		return;
	}
	object = json_object_new_object();
	addrs = json_object_new_array();
	ctl_add_string(object, "dev", conf->dev);
	ctl_add_u64(object, "vni", conf->vni);
	ctl_add_mac(object, "mac", conf->mac);
	ctl_add_u64(object, "table", conf->table);
	ctl_add_u64(object, "flags", conf->flags);
	if (conf->gateway4.family)
		ctl_add_addr(object, "gateway", &conf->gateway4);
	if (conf->gateway6.family)
		ctl_add_addr(object, "gateway6", &conf->gateway6);
	if (conf->subnet6.family)
		ctl_add_prefix(object, "subnet6", &conf->subnet6);
	for (size_t i = 0; i < conf->n_addrs; i++)
		json_object_array_add(addrs, json_object_new_string(vpc_prefix_format(&conf->addrs[i], text)));
	json_object_object_add(object, "addrs", addrs);
	if (port->ifindex)
		ctl_add_u64(object, "ifindex", port->ifindex);
	ctl_list_add(ctl, object);
}

static int port_show(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(kernel_closep) struct kernel *k = NULL;
	struct kernel_port *ports = NULL;
	const char *netns = NULL;
	uint32_t vni = 0;
	size_t n = 0;
	struct ctl_arg args[] = { { "VNI", CTL_U32, &vni }, { "netns", CTL_WORD, &netns } };
	int r;

	r = kernel_ctl_open(ctl, args, ARRAY_SIZE(args), argc, argv, &netns, &k);
	if (!r)
		r = kernel_port_list(k, &ports, &n, &ctl->err);
	if (r)
		return r;
	ctl_list_begin(ctl);
	for (size_t i = 0; i < n; i++)
		if (!vni || ports[i].conf.vni == vni)
			print_port(ctl, &ports[i]);
	ctl_list_end(ctl);
	kernel_ports_free(ports, n);
	return 0;
}

/* Says what is wrong of what forwarding reads: the tables, what is derived from them, or both. */
static int verify_failed(struct ctl *ctl, uint32_t vni, const struct kernel_vpc *vpc, const struct vpc_digest *found)
{
	char kept[VPC_DIGEST_STRLEN], text[VPC_DIGEST_STRLEN];

	if (vpc_digest_equal(&vpc->digest, found))
		vpc_err_set(&ctl->err, -EBADMSG, "VPC %u: the tables have their digest %s", vni,
			    vpc_digest_format(found, text));
	else
		vpc_err_set(&ctl->err, -EBADMSG,
			    "VPC %u: the tables that forwarding reads have digest %s, the kernel keeps %s", vni,
			    vpc_digest_format(found, text), vpc_digest_format(&vpc->digest, kept));
	for (unsigned int i = 0; i < 32; i++)
		if (vpc->faults & 1U << i)
			vpc_err_set(&ctl->err, -EBADMSG, "%s; wrong: %s, which forwarding reads", ctl->err.text,
				    kernel_fault_name(i) ?: "something that is not known here");
	return -EBADMSG;
}

static int cmd_verify(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(kernel_closep) struct kernel *k = NULL;
	char kept[VPC_DIGEST_STRLEN], found_text[VPC_DIGEST_STRLEN];
	struct json_object *object;
	struct vpc_digest found;
	struct kernel_vpc vpc;
	const char *netns = NULL;
	uint32_t vni = 0;
	struct ctl_arg args[] = { { "VNI", CTL_U32, &vni, .required = true }, { "netns", CTL_WORD, &netns } };
	bool same;
	int r;

	r = kernel_ctl_open(ctl, args, ARRAY_SIZE(args), argc, argv, &netns, &k);
	if (!r)
		r = kernel_verify(k, vni, &vpc, &found, &ctl->err);
	if (r)
		return r;
	same = vpc_digest_equal(&vpc.digest, &found) && !vpc.faults;
	vpc_digest_format(&vpc.digest, kept);
	vpc_digest_format(&found, found_text);
	if (ctl->json) {
		object = json_object_new_object();
		ctl_add_u64(object, "vni", vni);
		ctl_add_u64(object, "epoch", vpc.epoch);
		ctl_add_string(object, "digest", kept);
		ctl_add_string(object, "digest_found", found_text);
		ctl_add_u64(object, "faults", vpc.faults);
		json_object_object_add(object, "ok", json_object_new_boolean(same));
		ctl_print(ctl, object);
	} else if (same) {
		printf("VPC %u epoch %" PRIu64 ": %" PRIu64 " routes and %u nexthops in the tables, digest %s: right\n",
		       vni, vpc.epoch, vpc.n_routes, vpc.n_nexthops, kept);
	}
	return same ? 0 : verify_failed(ctl, vni, &vpc, &found);
}

/* "show" is the only verb of some objects. */
static int show_only(struct ctl *ctl, int (*show)(struct ctl *ctl, int argc, char **argv), int argc, char **argv)
{
	const struct ctl_verb verbs[] = { { "show", show } };

	return ctl_dispatch(ctl, verbs, ARRAY_SIZE(verbs), help, argc, argv);
}

static int cmd_host_show(struct ctl *ctl, int argc, char **argv)
{
	return show_only(ctl, host_show, argc, argv);
}

static int cmd_vpc_show(struct ctl *ctl, int argc, char **argv)
{
	return show_only(ctl, vpc_show, argc, argv);
}

static int cmd_port_show(struct ctl *ctl, int argc, char **argv)
{
	return show_only(ctl, port_show, argc, argv);
}

static const struct ctl_verb verbs[] = {
	{ "host", cmd_host_show, "[show] [netns NAME]" },
	{ "vpc", cmd_vpc_show, "show [VNI] [netns NAME]" },
	{ "port", cmd_port_show, "show [VNI] [netns NAME]" },
	{ "route", cmd_kernel_route,
	  "show VNI [table T] [prefix PREFIX] [netns NAME]\n"
	  "set VNI PREFIX nexthop ID [table T] [netns NAME]\n"
	  "del VNI PREFIX [table T] [netns NAME]" },
	{ "nexthop", cmd_kernel_nexthop, "show VNI [netns NAME]" },
	{ "stats", cmd_kernel_stats, "show [VNI] [port DEV] [netns NAME]" },
	{ "verify", cmd_verify, "VNI [netns NAME]" },
	{ "save", cmd_kernel_save, "[VNI...] [netns NAME]" },
	{ "restore", cmd_kernel_restore, "{FILE|-} [netns NAME]" },
	{ "swap", cmd_kernel_swap, "NEW old OLD [save DIR] [check]" },
	{ "explain", cmd_kernel_explain,
	  "from DEV to ADDRESS [src ADDRESS] [mac MAC] [PACKET] [netns NAME]\n"
	  "vni VNI vtep ADDRESS src ADDRESS to ADDRESS [PACKET] [netns NAME]" },
};

const struct ctl_object ctl_kernel = {
	.name = "kernel",
	.about = "what this host's kernel has, and what it would do with a packet",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
	.nested = true,
	.notes =
		"PACKET := [ttl N] [proto {tcp|udp|sctp|icmp|icmp6|N}] [sport N] [dport N] [len BYTES]\n"
		"\n"
		"All but swap take `netns NAME` to ask in another network namespace. Show and explain change nothing.\n"
		"`route set` and `route del` change this kernel behind the agent's back, at the same epoch, for\n"
		"emergencies: vpc_reconcile reports it, and the agent undoes it when it next reads the VPC.\n",
};
