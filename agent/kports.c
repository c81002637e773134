// SPDX-License-Identifier: Apache-2.0
/*
 * The host's ports in the kernel; see kports.h.
 */
#include "kports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/log.h"

static int port_cmp(const void *a, const void *b)
{
	return strcmp(((const struct vpc_port *)a)->dev, ((const struct vpc_port *)b)->dev);
}

static int kernel_port_cmp(const void *a, const void *b)
{
	return strcmp(((const struct kernel_port *)a)->conf.dev, ((const struct kernel_port *)b)->conf.dev);
}

void kports_sort(struct vpc_port *ports, size_t n)
{
	if (n)
		qsort(ports, n, sizeof(*ports), port_cmp);
}

void kports_plan(const struct vpc_port *want, size_t n_want, struct kernel_port *have, size_t n_have,
		 bool (*has_content)(uint32_t vni, void *arg), void *arg, struct kports_step *ret_steps, size_t *ret_n,
		 size_t *ret_waiting)
{
	size_t w, h, n = 0, waiting = 0;

	if (n_have)
		qsort(have, n_have, sizeof(*have), kernel_port_cmp);
	for (w = h = 0; h < n_have; h++) {
		while (w < n_want && strcmp(want[w].dev, have[h].conf.dev) < 0)
			w++;
		if (w == n_want || strcmp(want[w].dev, have[h].conf.dev) || want[w].vni != have[h].conf.vni)
			ret_steps[n++] = (struct kports_step){ KPORTS_DEL, &have[h].conf };
	}
	for (w = h = 0; w < n_want; w++) {
		while (h < n_have && strcmp(have[h].conf.dev, want[w].dev) < 0)
			h++;
		if (h < n_have && !strcmp(have[h].conf.dev, want[w].dev) && vpc_port_equal(&want[w], &have[h].conf))
			continue;
		if (has_content(want[w].vni, arg))
			ret_steps[n++] = (struct kports_step){ KPORTS_SET, &want[w] };
		else
			waiting++;
	}
	*ret_n = n;
	*ret_waiting = waiting;
}

static int port_del(struct kernel *kernel, const struct vpc_port *port, struct vpc_err *err)
{
	int res;

	res = kernel_port_del(kernel, port->dev, err);
	if (res)
		return res;
	log_info("port %s: removed from VPC %u", port->dev, port->vni);
	return 0;
}

static int port_set(struct kernel *kernel, const struct vpc_port *port, struct vpc_err *err)
{
	char mac[VPC_MAC_STRLEN], prefix[VPC_PREFIX_STRLEN] = "no address";
	int res;

	res = kernel_port_set(kernel, port, err);
	if (res)
		return res;
	if (port->n_addrs)
		vpc_prefix_format(&port->addrs[0], prefix);
	log_info("port %s: in VPC %u, table %u, %s, %s%s", port->dev, port->vni, port->table,
		 vpc_mac_format(port->mac, mac), prefix, port->n_addrs > 1 ? " and more" : "");
	return 0;
}

/*
 * One round over the ports still to be set; those done are taken out of @steps. An address that another port still
 * has is not a failure yet. Return: 0, or the first failure; @ret_n: how many are left, @ret_taken: of these, for an
 * address.
 */
static int set_round(struct kernel *kernel, struct kports_step *steps, size_t n, size_t *ret_n, size_t *ret_taken,
		     struct vpc_err *err)
{
	struct vpc_err one;
	size_t i, left = 0, taken = 0;
	int res, first = 0;

	for (i = 0; i < n; i++) {
		one.text[0] = '\0';
		res = port_set(kernel, steps[i].port, &one);
		if (!res)
			continue;
		if (!first) {
			first = res;
			if (err)
				*err = one;
		}
		taken += res == -EEXIST;
		steps[left++] = steps[i];
	}
	*ret_n = left;
	*ret_taken = taken;
	return first;
}

static int set_all(struct kernel *kernel, struct kports_step *steps, size_t n, struct vpc_err *err)
{
	size_t left = n, before, taken, i;
	bool broken = false;
	int res = 0;

	while (left) {
		before = left;
		res = set_round(kernel, steps, before, &left, &taken, err);
		if (!taken || !left)
			break;
		if (left < before)
			continue;
		/* Each waits for another one: out with those that wait, once; they come back in the next round. */
		if (broken || left < 2)
			break;
		broken = true;
		for (i = 0; i < left; i++)
			kernel_port_del(kernel, steps[i].port->dev, NULL);
	}
	return res;
}

int kports_run(struct kernel *kernel, struct kports_step *steps, size_t n, struct vpc_err *err)
{
	size_t i, n_del = 0;
	struct vpc_err one;
	int res, first = 0;

	while (n_del < n && steps[n_del].action == KPORTS_DEL)
		n_del++;
	for (i = 0; i < n_del; i++) {
		one.text[0] = '\0';
		res = port_del(kernel, steps[i].port, &one);
		if (res && !first) {
			first = res;
			*err = one;
		}
	}
	one.text[0] = '\0';
	res = set_all(kernel, steps + n_del, n - n_del, &one);
	if (res && !first) {
		first = res;
		*err = one;
	}
	return first;
}
