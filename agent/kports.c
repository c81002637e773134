// SPDX-License-Identifier: Apache-2.0
/*
 * The host's ports in the kernel; see kports.h.
 */
#include "kports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/log.h"
#include "metrics.h"

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
		 bool (*ready)(uint32_t vni, void *arg), void *arg, struct kports_step *ret_steps, size_t *ret_n,
		 size_t *ret_waiting)
{
	const struct vpc_port *old;
	size_t w, h, n = 0, waiting = 0;

	if (n_have)
		qsort(have, n_have, sizeof(*have), kernel_port_cmp);
	for (w = h = 0; h < n_have; h++) {
		while (w < n_want && strcmp(want[w].dev, have[h].conf.dev) < 0)
			w++;
		if (w == n_want || strcmp(want[w].dev, have[h].conf.dev) || want[w].vni != have[h].conf.vni)
			ret_steps[n++] = (struct kports_step){ .action = KPORTS_DEL, .port = &have[h].conf };
	}
	for (w = h = 0; w < n_want; w++) {
		while (h < n_have && strcmp(have[h].conf.dev, want[w].dev) < 0)
			h++;
		old = h < n_have && !strcmp(have[h].conf.dev, want[w].dev) ? &have[h].conf : NULL;
		if (old && vpc_port_equal(&want[w], old))
			continue;
		/* In another VPC: its deletion is a step already. */
		if (old && old->vni != want[w].vni)
			old = NULL;
		if (ready(want[w].vni, arg))
			ret_steps[n++] = (struct kports_step){ .action = KPORTS_SET, .port = &want[w], .old = old };
		else
			waiting++;
	}
	*ret_n = n;
	*ret_waiting = waiting;
}

static int port_del(struct kernel *kernel, const struct vpc_port *port, struct vpc_err *err)
{
	int res;

	res = METER_KERNEL("hostports", port_del, kernel, port->dev, err);
	if (res)
		return res;
	log_info("port %s: removed from VPC %u", port->dev, port->vni);
	return 0;
}

static int port_set(struct kernel *kernel, const struct vpc_port *port, struct vpc_err *err)
{
	char mac[VPC_MAC_STRLEN], prefix[VPC_PREFIX_STRLEN] = "no address";
	int res;

	res = METER_KERNEL("hostports", port_set, kernel, port, err);
	if (res)
		return res;
	if (port->n_addrs)
		vpc_prefix_format(&port->addrs[0], prefix);
	log_info("port %s: in VPC %u, table %u, %s, %s%s", port->dev, port->vni, port->table,
		 vpc_mac_format(port->mac, mac), prefix, port->n_addrs > 1 ? " and more" : "");
	return 0;
}

/*
 * One round over the ports still to be set. Return: 0, or the first failure; @ret_set: how many were set, @ret_taken:
 * how many failed for an address that another port has, which is not the end of it yet.
 */
static int set_round(struct kernel *kernel, struct kports_step *steps, size_t n, size_t *ret_set, size_t *ret_taken,
		     struct vpc_err *err)
{
	struct vpc_err one;
	size_t i, set = 0, taken = 0;
	int first = 0;

	for (i = 0; i < n; i++) {
		if (!steps[i].error)
			continue;
		one.text[0] = '\0';
		steps[i].error = port_set(kernel, steps[i].port, &one);
		if (steps[i].error && !first) {
			first = steps[i].error;
			*err = one;
		}
		set += !steps[i].error;
		taken += steps[i].error == -EEXIST;
	}
	*ret_set = set;
	*ret_taken = taken;
	return first;
}

/* -- ports that wait for each other's addresses -------------------------------------------------------------------- */

/* Whether @port wants an address that @other has. */
static bool wants_of(const struct vpc_port *port, const struct vpc_port *other)
{
	size_t i, j;

	if (port->vni != other->vni)
		return false;
	for (i = 0; i < port->n_addrs; i++) {
		for (j = 0; j < other->n_addrs; j++) {
			if (!vpc_prefix_cmp(&port->addrs[i], &other->addrs[j]))
				return true;
		}
	}
	return false;
}

/* In a circle, as far as is known: waits for one that is, and another one that is waits for it. */
static bool still_circling(const struct kports_step *steps, size_t n, const struct kports_step *step)
{
	bool waits = false, awaited = false;
	size_t i;

	for (i = 0; i < n && !(waits && awaited); i++) {
		if (!steps[i].out || &steps[i] == step)
			continue;
		waits |= wants_of(step->port, steps[i].old);
		awaited |= wants_of(steps[i].port, step->old);
	}
	return waits && awaited;
}

/* Takes the ports out that are in a circle, and no others. Return: whether there were any. */
static bool circles_break(struct kernel *kernel, struct kports_step *steps, size_t n)
{
	bool fewer = true, any = false;
	size_t i;

	for (i = 0; i < n; i++)
		steps[i].out = steps[i].error == -EEXIST && steps[i].old;
	while (fewer) {
		fewer = false;
		for (i = 0; i < n; i++) {
			if (steps[i].out && !still_circling(steps, n, &steps[i])) {
				steps[i].out = false;
				fewer = true;
			}
		}
	}
	for (i = 0; i < n; i++) {
		if (steps[i].out)
			steps[i].out = !METER_KERNEL("hostports", port_del, kernel, steps[i].port->dev, NULL);
		any |= steps[i].out;
	}
	return any;
}

/* A circle that could not be closed: who was taken out and is refused goes back, whoever got its address first. */
static void circles_restore(struct kernel *kernel, struct kports_step *steps, size_t n)
{
	struct vpc_err err = { "" };
	bool more = true;
	size_t i, j;

	while (more) {
		more = false;
		for (i = 0; i < n; i++) {
			for (j = 0; j < n && steps[i].out && steps[i].error; j++) {
				if (!steps[j].out || steps[j].error || !wants_of(steps[j].port, steps[i].old))
					continue;
				METER_KERNEL("hostports", port_del, kernel, steps[j].port->dev, NULL);
				steps[j].error = -EEXIST;
				more = true;
			}
		}
	}
	for (i = 0; i < n; i++) {
		if (steps[i].out && steps[i].error && port_set(kernel, steps[i].old, &err))
			log_err("port %s: cannot be put back: %s", steps[i].old->dev, err.text);
	}
}

static int set_all(struct kernel *kernel, struct kports_step *steps, size_t n, struct vpc_err *err)
{
	size_t set, taken, i;
	bool broken = false;
	int res;

	for (i = 0; i < n; i++)
		steps[i].error = -EINPROGRESS;
	for (;;) {
		res = set_round(kernel, steps, n, &set, &taken, err);
		if (!taken)
			break;
		if (set)
			continue;
		if (broken || !circles_break(kernel, steps, n))
			break;
		broken = true;
	}
	if (res && broken)
		circles_restore(kernel, steps, n);
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
