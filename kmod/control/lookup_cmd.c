// SPDX-License-Identifier: GPL-2.0-only
/*
 * LOOKUP ("explain"): runs the data path's own decision on a described packet and answers with every step. Called from
 * genl.c's table. Nothing is sent and nothing is counted.
 *
 * What comes behind the decision, the MTU of the way, is asked of those who apply it to packets. The packet described
 * has Don't Fragment set: one that is too long is reported as dropped, where IPv4 without it would be fragmented.
 */
#include "genl.h"
#include "parse.h"
#include "../datapath/encap.h"
#include "../datapath/pipeline.h"

/* The described packet; what a struct vpc_flow points to. */
struct vpc_lookup_request {
	struct nlattr *tb[VPC_LOOKUP_A_MAX + 1];
	struct vpc_nl_prefix src;
	struct vpc_nl_prefix dst;
	struct vpc_nl_prefix outer_src;
	struct vpc_port *port;	/* NULL: from the wire */
	struct vpc *vpc;
	u8 ttl;
	u8 proto;
	u16 sport;
	u16 dport;
	u32 len;
};

static int vpc_lookup_addr(const struct vpc_lookup_request *req, int type, const char *what,
			   struct netlink_ext_ack *extack, struct vpc_nl_prefix *ret_addr)
{
	if (!req->tb[type]) {
		vpc_refuse(extack, "%s is missing", what);
		return -EINVAL;
	}
	memcpy(ret_addr, nla_data(req->tb[type]), sizeof(*ret_addr));
	return vpc_parse_addr(ret_addr, what, extack);
}

static int vpc_lookup_from_port(struct vpc_net *vnet, struct vpc_lookup_request *req, struct netlink_ext_ack *extack)
{
	const char *name = nla_data(req->tb[VPC_LOOKUP_A_IFNAME]);

	if (req->tb[VPC_LOOKUP_A_OUTER_SRC]) {
		vpc_refuse(extack, "a packet is either from a port (IFNAME) or from the wire (OUTER_SRC)");
		return -EINVAL;
	}
	req->port = vpc_port_lookup_name(vnet, name);
	if (!req->port) {
		vpc_refuse(extack, "port %s does not exist", name);
		return -ENOENT;
	}
	req->vpc = req->port->vpc;
	if (req->tb[VPC_LOOKUP_A_VNI] && nla_get_u32(req->tb[VPC_LOOKUP_A_VNI]) != req->vpc->vni) {
		vpc_refuse(extack, "port %s belongs to VPC %u", name, req->vpc->vni);
		return -EINVAL;
	}
	return 0;
}

static int vpc_lookup_from_wire(struct vpc_net *vnet, struct vpc_lookup_request *req, struct netlink_ext_ack *extack)
{
	int err;

	if (!req->tb[VPC_LOOKUP_A_VNI]) {
		vpc_refuse(extack, "IFNAME or VNI is missing");
		return -EINVAL;
	}
	err = vpc_lookup_addr(req, VPC_LOOKUP_A_OUTER_SRC, "OUTER_SRC", extack, &req->outer_src);
	if (err)
		return err;
	req->vpc = vpc_lookup(vnet, nla_get_u32(req->tb[VPC_LOOKUP_A_VNI]));
	if (!req->vpc) {
		vpc_refuse(extack, "VPC %u does not exist", nla_get_u32(req->tb[VPC_LOOKUP_A_VNI]));
		return -ENOENT;
	}
	return 0;
}

static u16 vpc_lookup_u16(const struct vpc_lookup_request *req, int type)
{
	return req->tb[type] ? nla_get_u16(req->tb[type]) : 0;
}

static int vpc_lookup_parse_packet(struct vpc_lookup_request *req, struct netlink_ext_ack *extack)
{
	struct nlattr **tb = req->tb;

	req->ttl = tb[VPC_LOOKUP_A_TTL] ? nla_get_u8(tb[VPC_LOOKUP_A_TTL]) : 64;
	req->proto = tb[VPC_LOOKUP_A_PROTO] ? nla_get_u8(tb[VPC_LOOKUP_A_PROTO]) : 0;
	req->sport = vpc_lookup_u16(req, VPC_LOOKUP_A_SPORT);
	req->dport = vpc_lookup_u16(req, VPC_LOOKUP_A_DPORT);
	req->len = tb[VPC_LOOKUP_A_LEN] ? nla_get_u32(tb[VPC_LOOKUP_A_LEN]) : 0;
	/* A packet of another protocol has none, and would be told of a member that it does not go to. */
	if ((req->sport || req->dport) && req->proto != IPPROTO_TCP && req->proto != IPPROTO_UDP &&
	    req->proto != IPPROTO_SCTP) {
		vpc_refuse(extack, "SPORT and DPORT are for PROTO 6 (TCP), 17 (UDP) and 132 (SCTP)");
		return -EINVAL;
	}
	return 0;
}

static int vpc_lookup_parse(struct vpc_net *vnet, struct genl_info *info, struct vpc_lookup_request *req)
{
	struct nlattr **tb = req->tb;
	int err;

	err = vpc_require(info, VPC_A_LOOKUP, "LOOKUP");
	if (!err)
		err = nla_parse_nested_deprecated(tb, VPC_LOOKUP_A_MAX, info->attrs[VPC_A_LOOKUP], NULL, info->extack);
	if (!err)
		err = vpc_lookup_addr(req, VPC_LOOKUP_A_SRC, "SRC", info->extack, &req->src);
	if (!err)
		err = vpc_lookup_addr(req, VPC_LOOKUP_A_DST, "DST", info->extack, &req->dst);
	if (err)
		return err;
	if (req->src.family != req->dst.family) {
		vpc_refuse(info->extack, "SRC and DST are of different families");
		return -EINVAL;
	}
	err = vpc_lookup_parse_packet(req, info->extack);
	if (err)
		return err;
	return tb[VPC_LOOKUP_A_IFNAME] ? vpc_lookup_from_port(vnet, req, info->extack)
				       : vpc_lookup_from_wire(vnet, req, info->extack);
}

/* How long the packet may be on its way. Under RCU, bottom halves off. */
static enum vpc_drop vpc_lookup_mtu(const struct vpc_flow *flow, const struct vpc_decision *decision,
				    unsigned int *ret_mtu)
{
	const struct net_device *dev;

	if (decision->verdict == VPC_VERDICT_ENCAP)
		return vpc_encap_path(flow, decision, ret_mtu);
	dev = rcu_dereference(decision->port->dev);
	if (!dev)
		return VPC_DROP_PORT_DOWN;
	*ret_mtu = READ_ONCE(dev->mtu);
	return VPC_DROP_NONE;
}

/* The step behind the decision. Under RCU, bottom halves off. */
static void vpc_lookup_judge_mtu(const struct vpc_flow *flow, u32 len, struct vpc_decision *decision,
				 struct vpc_trace *trace)
{
	struct vpc_trace_step *step;
	enum vpc_drop reason;
	unsigned int mtu = 0;

	if (decision->verdict != VPC_VERDICT_ENCAP && decision->verdict != VPC_VERDICT_DELIVER)
		return;
	reason = vpc_lookup_mtu(flow, decision, &mtu);
	if (!reason && len > mtu)
		reason = VPC_DROP_TOO_BIG;
	/* The pipeline leaves room for it. */
	step = &trace->steps[trace->n++];
	*step = (struct vpc_trace_step){ .step = VPC_STEP_MTU, .ok = !reason, .mtu = mtu };
	if (reason) {
		decision->verdict = VPC_VERDICT_DROP;
		decision->reason = reason;
	}
}

/* The decision's pointers are of no use behind the RCU section, the rest and the trace are copies. */
static void vpc_lookup_run(struct vpc_net *vnet, const struct vpc_lookup_request *req,
			   struct vpc_decision *ret_decision, struct vpc_trace *ret_trace)
{
	struct vpc_flow flow = {
		.vnet = vnet,
		.vpc = req->vpc,
		.port = req->port,
		.family = req->src.family,
		.ttl = req->ttl,
		.proto = req->proto,
		.sport = htons(req->sport),
		.dport = htons(req->dport),
		.outer_family = req->outer_src.family,
		.saddr = req->src.addr,
		.daddr = req->dst.addr,
		.outer_saddr = req->outer_src.addr,
	};

	local_bh_disable();
	rcu_read_lock();
	flow.host = rcu_dereference(vnet->host);
	flow.version = rcu_dereference(req->vpc->version);
	if (req->port) {
		flow.conf = rcu_dereference(req->port->conf);
		flow.smac = req->tb[VPC_LOOKUP_A_SRC_MAC] ? nla_data(req->tb[VPC_LOOKUP_A_SRC_MAC]) : flow.conf->mac;
		vpc_pipeline_from_port(&flow, ret_decision, ret_trace);
	} else {
		vpc_pipeline_from_wire(&flow, ret_decision, ret_trace);
	}
	vpc_lookup_judge_mtu(&flow, req->len, ret_decision, ret_trace);
	rcu_read_unlock();
	local_bh_enable();
}

/* -- the answer ---------------------------------------------------------------------------------------------------- */

/* The longest step, its nest included; an answer is no longer than VPC_TRACE_STEPS of them and the verdict. */
#define VPC_STEP_SIZE                                                                                                  \
	(nla_total_size(2 * nla_total_size(sizeof(u8)) + 4 * nla_total_size(sizeof(u32)) +                             \
			nla_total_size(sizeof(struct vpc_nl_prefix)) + nla_total_size(sizeof(struct vpc_nl_nexthop)) + \
			nla_total_size(IFNAMSIZ)))

/* What a step does not speak of is zero in it, and not sent. */
static int vpc_put_step(struct sk_buff *skb, const struct vpc_trace_step *step)
{
	struct nlattr *nest = nla_nest_start(skb, VPC_A_STEP);

	if (!nest || nla_put_u8(skb, VPC_STEP_A_STEP, step->step) || nla_put_u8(skb, VPC_STEP_A_OK, step->ok))
		return -EMSGSIZE;
	if ((step->step == VPC_STEP_ROUTE || step->step == VPC_STEP_PEER) &&
	    nla_put_u32(skb, VPC_STEP_A_TABLE, step->table))
		return -EMSGSIZE;
	if (step->prefix.family && nla_put(skb, VPC_STEP_A_PREFIX, sizeof(step->prefix), &step->prefix))
		return -EMSGSIZE;
	if (step->nexthop.id && nla_put(skb, VPC_STEP_A_NEXTHOP, sizeof(step->nexthop), &step->nexthop))
		return -EMSGSIZE;
	if (step->vni && nla_put_u32(skb, VPC_STEP_A_VNI, step->vni))
		return -EMSGSIZE;
	if (step->step == VPC_STEP_GROUP && nla_put_u32(skb, VPC_STEP_A_BUCKET, step->bucket))
		return -EMSGSIZE;
	if (step->mtu && nla_put_u32(skb, VPC_STEP_A_MTU, step->mtu))
		return -EMSGSIZE;
	if (step->ifname[0] && nla_put_string(skb, VPC_STEP_A_IFNAME, step->ifname))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int vpc_put_lookup(struct sk_buff *skb, const struct vpc_decision *decision, const struct vpc_trace *trace)
{
	unsigned int i;
	int err;

	for (i = 0; i < trace->n; i++) {
		err = vpc_put_step(skb, &trace->steps[i]);
		if (err)
			return err;
	}
	if (nla_put_u8(skb, VPC_A_VERDICT, decision->verdict))
		return -EMSGSIZE;
	if (decision->reason && nla_put_u8(skb, VPC_A_DROP_REASON, decision->reason))
		return -EMSGSIZE;
	return 0;
}

static int vpc_lookup_answer(struct vpc_net *vnet, struct genl_info *info, const struct vpc_lookup_request *req,
			     struct vpc_trace *trace)
{
	struct vpc_decision decision;
	struct sk_buff *skb;
	void *hdr;
	int err;

	vpc_lookup_run(vnet, req, &decision, trace);
	skb = vpc_reply_new(info, trace->n * VPC_STEP_SIZE + 2 * nla_total_size(sizeof(u8)), &hdr);
	if (!skb)
		return -ENOMEM;
	err = vpc_put_lookup(skb, &decision, trace);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	return vpc_reply_send(skb, hdr, info);
}

int vpc_cmd_lookup(struct vpc_net *vnet, struct genl_info *info)
{
	struct vpc_lookup_request req = {};
	struct vpc_trace *trace;
	int err;

	err = vpc_lookup_parse(vnet, info, &req);
	if (err)
		return err;
	trace = kzalloc(sizeof(*trace), GFP_KERNEL);
	if (!trace)
		return -ENOMEM;
	err = vpc_lookup_answer(vnet, info, &req, trace);
	kfree(trace);
	return err;
}
