// SPDX-License-Identifier: Apache-2.0
/*
 * Between a kernel and a state (kstate.h): read it whole, make it so, take it away. Called by `vpcctl kernel save`,
 * `restore` and `swap`.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kstate.h"
#include "util.h"

/* -- reading ------------------------------------------------------------------------------------------------------- */

static int read_host(struct kernel *k, struct kstate *ks, struct vpc_err *err)
{
	struct kernel_host host;
	int r = kernel_host_get(k, &host, err);

	if (r)
		return r;
	ks->has_host = host.vtep4.family || host.vtep6.family;
	ks->vtep4 = host.vtep4;
	ks->vtep6 = host.vtep6;
	ks->udp_port = host.udp_port;
	return 0;
}

static int vpc_cmp(const void *a, const void *b)
{
	uint32_t x = ((const struct kernel_vpc *)a)->vni, y = ((const struct kernel_vpc *)b)->vni;

	return x < y ? -1 : x > y;
}

/* The VPCs to be read, ascending, each once. */
static int list_vpcs(struct kernel *k, const uint32_t *vnis, size_t n, struct kernel_vpc **ret_vpcs, size_t *ret_n,
		     struct vpc_err *err)
{
	struct kernel_vpc *vpcs = NULL;
	size_t i, kept = 0;
	int r = 0;

	if (vnis) {
		vpcs = calloc(n + 1, sizeof(*vpcs));
		if (!vpcs)
			return vpc_err_set(err, -ENOMEM, "out of memory");
		for (i = 0; i < n && !r; i++)
			r = kernel_vpc_get(k, vnis[i], &vpcs[i], err);
	} else {
		r = kernel_vpc_list(k, &vpcs, &n, err);
	}
	if (r) {
		free(vpcs);
		return r;
	}
	if (n)
		qsort(vpcs, n, sizeof(*vpcs), vpc_cmp);
	for (i = 0; i < n; i++)
		if (!kept || vpcs[kept - 1].vni != vpcs[i].vni)
			vpcs[kept++] = vpcs[i];
	*ret_vpcs = vpcs;
	*ret_n = kept;
	return 0;
}

static int read_vpcs(struct kernel *k, const uint32_t *vnis, size_t n, struct kstate *ks, struct vpc_err *err)
{
	_cleanup_free_ struct kernel_vpc *vpcs = NULL;
	int r = list_vpcs(k, vnis, n, &vpcs, &n, err);

	if (r)
		return r;
	ks->vpcs = calloc(n + 1, sizeof(*ks->vpcs));
	if (!ks->vpcs)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	ks->cap_vpcs = n;
	for (; ks->n_vpcs < n; ks->n_vpcs++) {
		struct kstate_vpc *vpc = &ks->vpcs[ks->n_vpcs];

		r = kernel_dump(k, vpcs[ks->n_vpcs].vni, &vpc->state, err);
		if (r)
			return r;
		vpc->has_epoch = true;
		vpc->quota = vpcs[ks->n_vpcs].quota;
		vpc->flags = vpcs[ks->n_vpcs].flags;
	}
	return 0;
}

static struct kstate_vpc *find_vpc(const struct kstate *ks, uint32_t vni)
{
	size_t lo = 0, hi = ks->n_vpcs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ks->vpcs[mid].state.vni == vni)
			return &ks->vpcs[mid];
		if (ks->vpcs[mid].state.vni < vni)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static int port_cmp(const void *a, const void *b)
{
	return strcmp(((const struct vpc_port *)a)->dev, ((const struct vpc_port *)b)->dev);
}

static int read_ports(struct kernel *k, struct kstate *ks, struct vpc_err *err)
{
	struct kernel_port *ports = NULL;
	size_t n = 0;
	int r = kernel_port_list(k, &ports, &n, err);

	if (r)
		return r;
	ks->ports = calloc(n + 1, sizeof(*ks->ports));
	for (size_t i = 0; ks->ports && i < n; i++) {
		if (!find_vpc(ks, ports[i].conf.vni))
			continue;
		ks->ports[ks->n_ports++] = ports[i].conf;
		ports[i].conf.addrs = NULL; /* moved */
	}
	kernel_ports_free(ports, n);
	if (!ks->ports)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	ks->cap_ports = n;
	if (ks->n_ports)
		qsort(ks->ports, ks->n_ports, sizeof(*ks->ports), port_cmp);
	return 0;
}

int kstate_read(struct kernel *k, const uint32_t *vnis, size_t n, struct kstate *ret, struct vpc_err *err)
{
	struct kstate ks;
	int r = 0;

	kstate_init(&ks);
	if (!vnis)
		r = read_host(k, &ks, err);
	if (!r)
		r = read_vpcs(k, vnis, n, &ks, err);
	if (!r)
		r = read_ports(k, &ks, err);
	if (r)
		kstate_clear(&ks);
	else
		*ret = ks;
	return r;
}

/* -- making it so -------------------------------------------------------------------------------------------------- */

static const struct vpc_port *find_port(const struct kstate *ks, const char *dev)
{
	struct vpc_port key;

	snprintf(key.dev, sizeof(key.dev), "%s", dev);
	return ks->n_ports ? bsearch(&key, ks->ports, ks->n_ports, sizeof(key), port_cmp) : NULL;
}

static bool same_addrs(const struct vpc_port *a, const struct vpc_port *b)
{
	struct vpc_port x = *a;

	x.addrs = b->addrs;
	x.n_addrs = b->n_addrs;
	return vpc_port_equal(a, b) || (a->n_addrs == b->n_addrs && vpc_port_equal(&x, a));
}

/* Whether the VPC has to be made anew: epochs do not go back. */
static bool goes_back(const struct kstate_vpc *vpc, const struct kernel_vpc *have)
{
	return vpc->has_epoch && have->epoch > vpc->state.epoch;
}

/*
 * Whether a port of the kernel must go before the rest: it is not wanted, is another VPC's, or another address is
 * wanted at it, which a port set before may need.
 */
static bool port_goes(const struct kstate *ks, const struct vpc_port *have)
{
	const struct vpc_port *want = find_port(ks, have->dev);

	if (want)
		return want->vni != have->vni || !same_addrs(want, have);
	return find_vpc(ks, have->vni);
}

static const struct kernel_vpc *find_have(const struct kernel_vpc *vpcs, size_t n, uint32_t vni)
{
	for (size_t i = 0; i < n; i++)
		if (vpcs[i].vni == vni)
			return &vpcs[i];
	return NULL;
}

static int delete_ports(struct kernel *k, const struct kstate *ks, const struct kernel_vpc *vpcs, size_t n_vpcs,
			struct vpc_err *err)
{
	struct kernel_port *ports = NULL;
	size_t n = 0;
	int r = kernel_port_list(k, &ports, &n, err);

	for (size_t i = 0; !r && i < n; i++) {
		const struct vpc_port *port = &ports[i].conf;
		const struct kstate_vpc *vpc = find_vpc(ks, port->vni);
		const struct kernel_vpc *have = find_have(vpcs, n_vpcs, port->vni);

		if (port_goes(ks, port) || (vpc && have && goes_back(vpc, have)))
			r = kernel_port_del(k, port->dev, err);
	}
	kernel_ports_free(ports, n);
	return r;
}

static int apply_vpc(struct kernel *k, const struct kstate_vpc *vpc, const struct kernel_vpc *have, struct vpc_err *err)
{
	struct vpc_state state = vpc->state; /* a view: the arrays stay the other's */
	int r = 0;

	if (have && goes_back(vpc, have)) {
		r = kernel_vpc_del(k, state.vni, err);
		have = NULL;
	}
	if (!r)
		/* What a new VPC has anyway is not said: an older module does not know flags. */
		r = kernel_vpc_set(k, state.vni, vpc->quota, have || vpc->flags ? &vpc->flags : NULL, err);
	if (r)
		return r;
	if (!vpc->has_epoch)
		state.epoch = have ? have->epoch + 1 : 1;
	return kernel_replace(k, &state, NULL, "restore", err);
}

int kstate_apply(struct kernel *k, const struct kstate *ks, struct vpc_err *err)
{
	_cleanup_free_ struct kernel_vpc *vpcs = NULL;
	size_t n = 0;
	int r = kernel_vpc_list(k, &vpcs, &n, err);

	if (!r && ks->has_host)
		r = kernel_host_set(k, &ks->vtep4, &ks->vtep6, ks->udp_port, err);
	if (!r)
		r = delete_ports(k, ks, vpcs, n, err);
	for (size_t i = 0; !r && i < ks->n_vpcs; i++)
		r = apply_vpc(k, &ks->vpcs[i], find_have(vpcs, n, ks->vpcs[i].state.vni), err);
	for (size_t i = 0; !r && i < ks->n_ports; i++)
		r = kernel_port_set(k, &ks->ports[i], err);
	return r;
}

int kstate_unbind(struct kernel *k, const struct kstate *ks, struct vpc_err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < ks->n_ports; i++) {
		r = kernel_port_del(k, ks->ports[i].dev, err);
		if (r == -ENOENT)
			r = 0;
	}
	for (size_t i = 0; !r && i < ks->n_vpcs; i++) {
		r = kernel_vpc_del(k, ks->vpcs[i].state.vni, err);
		if (r == -ENOENT)
			r = 0;
	}
	return r;
}
