// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl kernel stats: packets, bytes, and drops by reason, per namespace, VPC and port. Zero drop counters are not
 * shown.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "kernel_ctl.h"

static const char help[] =
	"Usage: vpcctl kernel stats show [VNI] [port DEV] [netns NAME]\n\n"
	"rx: from the port, or for a VPC from the wire; tx: to it. Drops are the port's where one is known, else\n"
	"the VPC's, else the namespace's.\n";

static void print_text(const struct kernel_stats *s)
{
	if (!s->vni)
		printf("namespace");
	else if (!s->ifname[0])
		printf("vni %u", s->vni);
	else
		printf("vni %u port %s", s->vni, s->ifname);
	printf(": rx %" PRIu64 " packets %" PRIu64 " bytes, tx %" PRIu64 " packets %" PRIu64 " bytes", s->rx_packets,
	       s->rx_bytes, s->tx_packets, s->tx_bytes);
	for (unsigned int i = 0; i <= VPC_DROP_MAX; i++)
		if (s->drops[i])
			printf(", dropped %s %" PRIu64, vpc_drop_name(i), s->drops[i]);
	printf("\n");
}

static struct json_object *stats_object(const struct kernel_stats *s)
{
	struct json_object *object = json_object_new_object(), *drops = json_object_new_object();

	if (s->vni)
		ctl_add_u64(object, "vni", s->vni);
	if (s->ifname[0])
		ctl_add_string(object, "port", s->ifname);
	ctl_add_u64(object, "rx_packets", s->rx_packets);
	ctl_add_u64(object, "rx_bytes", s->rx_bytes);
	ctl_add_u64(object, "tx_packets", s->tx_packets);
	ctl_add_u64(object, "tx_bytes", s->tx_bytes);
	for (unsigned int i = 0; i <= VPC_DROP_MAX; i++)
		if (s->drops[i])
			ctl_add_u64(drops, vpc_drop_name(i), s->drops[i]);
	json_object_object_add(object, "drops", drops);
	return object;
}

static int stats_show(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(kernel_closep) struct kernel *k = NULL;
	_cleanup_free_ struct kernel_stats *stats = NULL;
	const char *netns = NULL, *port = NULL;
	uint32_t vni = 0;
	size_t n = 0;
	struct ctl_arg args[] = { { "VNI", CTL_U32, &vni },
				  { "port", CTL_WORD, &port },
				  { "netns", CTL_WORD, &netns } };
	int r;

	r = kernel_ctl_open(ctl, args, ARRAY_SIZE(args), argc, argv, &netns, &k);
	if (!r)
		r = kernel_stats(k, &stats, &n, &ctl->err);
	if (r)
		return r;
	ctl_list_begin(ctl);
	for (size_t i = 0; i < n; i++) {
		if ((vni && stats[i].vni != vni) || (port && strcmp(port, stats[i].ifname)))
			continue;
		if (ctl->json)
			ctl_list_add(ctl, stats_object(&stats[i]));
		else
			print_text(&stats[i]);
	}
	ctl_list_end(ctl);
	return 0;
}

int cmd_kernel_stats(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_verb verbs[] = { { "show", stats_show } };

	return ctl_dispatch(ctl, verbs, ARRAY_SIZE(verbs), help, argc, argv);
}
