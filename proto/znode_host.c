// SPDX-License-Identifier: Apache-2.0
/*
 * Codec of a host's nodes: "ports" (what it must have; the publisher writes, the agent reads) and "status" (what
 * it has; the agent writes, operators read).
 */
#include "znode.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"
#include "json.h"

/* A member that is there when the address is. */
static void write_addr(struct json_writer *w, const char *member, const struct vpc_addr *addr)
{
	char buf[VPC_ADDR_STRLEN];

	if (!addr->family)
		return;
	vpc_json_raw(w, member);
	vpc_json_string(w, vpc_addr_format(addr, buf));
}

static void write_port(struct json_writer *w, const struct vpc_port *port)
{
	char buf[VPC_PREFIX_STRLEN];
	size_t i;

	vpc_json_raw(w, "{\"id\":");
	vpc_json_u64(w, port->id);
	vpc_json_raw(w, ",\"vni\":");
	vpc_json_u64(w, port->vni);
	vpc_json_raw(w, ",\"dev\":");
	vpc_json_string(w, port->dev);
	vpc_json_raw(w, ",\"mac\":");
	vpc_json_string(w, vpc_mac_format(port->mac, buf));
	vpc_json_raw(w, ",\"table\":");
	vpc_json_u64(w, port->table);
	vpc_json_raw(w, ",\"flags\":");
	vpc_json_u64(w, port->flags);
	write_addr(w, ",\"gateway\":", &port->gateway4);
	write_addr(w, ",\"gateway6\":", &port->gateway6);
	if (port->subnet6.family) {
		vpc_json_raw(w, ",\"subnet6\":");
		vpc_json_string(w, vpc_prefix_format(&port->subnet6, buf));
	}
	vpc_json_raw(w, ",\"addrs\":[");
	for (i = 0; i < port->n_addrs; i++) {
		vpc_json_raw(w, i ? "," : "");
		vpc_json_string(w, vpc_prefix_format(&port->addrs[i], buf));
	}
	vpc_json_raw(w, "]}");
}

int vpc_host_ports_format(const struct vpc_host_ports *ports, char **ret, size_t *ret_len)
{
	bool v4 = ports->vtep4.family;
	struct json_writer w;
	size_t i;

	vpc_json_init(&w, VPC_ZNODE_PORTS_MAX);
	vpc_json_raw(&w, "{\"v\":1,\"host\":");
	vpc_json_string(&w, ports->host);
	vpc_json_raw(&w, ",\"revision\":");
	vpc_json_u64(&w, ports->revision);
	write_addr(&w, ",\"vtep\":", v4 ? &ports->vtep4 : &ports->vtep6);
	if (v4)
		write_addr(&w, ",\"vtep6\":", &ports->vtep6);
	vpc_json_raw(&w, ",\"udp_port\":");
	vpc_json_u64(&w, ports->udp_port);
	vpc_json_raw(&w, ",\"ports\":[");
	for (i = 0; i < ports->n_ports && !w.error; i++) {
		vpc_json_raw(&w, i ? "," : "");
		write_port(&w, &ports->ports[i]);
	}
	for (i = 0; i < ports->n_vpcs && !w.error; i++) {
		vpc_json_raw(&w, i ? "," : "],\"vpcs\":[");
		vpc_json_u64(&w, ports->vpcs[i]);
	}
	vpc_json_raw(&w, "]}");
	return vpc_json_finish(&w, ret, ret_len);
}

static int get_host(json_object *obj, char *ret, struct vpc_err *err)
{
	int r;

	r = vpc_json_get_string(obj, NULL, "host", 1, VPC_HOST_NAME_MAX + 1, ret, err);
	if (r)
		return r;
	if (!vpc_host_name_valid(ret))
		return vpc_err_set(err, -EINVAL, "host: '%s' is not a host name", ret);
	return 0;
}

/* A name that the kernel would take: 1..15 characters, no '/', no space, not "." or "..". */
static int get_dev(json_object *obj, const struct json_at *at, char *ret, struct vpc_err *err)
{
	char dev[16];
	int r;

	r = vpc_json_get_string(obj, at, "dev", 1, sizeof(dev), dev, err);
	if (r)
		return r;
	if (strpbrk(dev, "/ :") || !strcmp(dev, ".") || !strcmp(dev, ".."))
		return vpc_json_bad(err, -EINVAL, at, "dev", "'%s' is not a device name", dev);
	strcpy(ret, dev);
	return 0;
}

/*
 * Two addresses, one a family: @first of either, @second6 of IPv6 where @first is IPv4. Both may be absent. What has
 * only one of IPv6 says so in @first, as it did before there were two.
 */
static int get_pair(json_object *obj, const struct json_at *at, const char *first, const char *second6,
		    struct vpc_addr *ret4, struct vpc_addr *ret6, struct vpc_err *err)
{
	struct vpc_addr a = { 0 }, b = { 0 };
	int r = 0;

	if (json_object_object_get_ex(obj, first, NULL))
		r = vpc_json_get_addr(obj, at, first, &a, err);
	if (!r && json_object_object_get_ex(obj, second6, NULL))
		r = vpc_json_get_addr(obj, at, second6, &b, err);
	if (r)
		return r;
	if (b.family == AF_INET)
		return vpc_json_bad(err, -EINVAL, at, second6, "not an IPv6 address");
	if (a.family == AF_INET6 && b.family)
		return vpc_json_bad(err, -EINVAL, at, second6, "%s is an IPv6 address already", first);
	if (a.family == AF_INET6)
		b = a;
	else
		*ret4 = a;
	*ret6 = b;
	return 0;
}

static int get_subnet6(json_object *obj, const struct json_at *at, struct vpc_prefix *ret, struct vpc_err *err)
{
	json_object *value;
	struct vpc_prefix prefix;
	int r;

	if (!json_object_object_get_ex(obj, "subnet6", &value))
		return 0;
	r = vpc_json_as_prefix(value, at, "subnet6", &prefix, err);
	if (!r && prefix.family != AF_INET6)
		r = vpc_json_bad(err, -EINVAL, at, "subnet6", "not an IPv6 prefix");
	if (!r)
		*ret = prefix;
	return r;
}

static int get_addrs(json_object *obj, const struct json_at *at, struct vpc_port *port, struct vpc_err *err)
{
	json_object *array;
	size_t n;
	int r;

	r = vpc_json_get(obj, at, "addrs", json_type_array, &array, err);
	if (r)
		return r;
	n = json_object_array_length(array);
	if (n > VPC_PORT_ADDRS_MAX)
		return vpc_json_bad(err, -EINVAL, at, "addrs", "%zu addresses, at most %d are allowed", n,
				    VPC_PORT_ADDRS_MAX);
	port->addrs = n ? calloc(n, sizeof(*port->addrs)) : NULL;
	if (n && !port->addrs)
		return vpc_json_bad(err, -ENOMEM, at, "addrs", "out of memory");
	for (; port->n_addrs < n; port->n_addrs++) {
		r = vpc_json_as_prefix(json_object_array_get_idx(array, port->n_addrs), at, "addrs",
				       &port->addrs[port->n_addrs], err);
		if (r)
			return r;
	}
	return 0;
}

/* Into @port, which the caller clears on failure too. */
static int parse_port(json_object *obj, const struct json_at *at, struct vpc_port *port, struct vpc_err *err)
{
	int r;

	if (!json_object_is_type(obj, json_type_object))
		return vpc_json_bad(err, -EINVAL, at, NULL, "%s, object expected",
				    json_type_to_name(json_object_get_type(obj)));
	r = vpc_json_get_u32(obj, at, "id", 1, UINT32_MAX, &port->id, err);
	if (!r)
		r = vpc_json_get_u32(obj, at, "vni", 1, VPC_VNI_MAX, &port->vni, err);
	if (!r)
		r = get_dev(obj, at, port->dev, err);
	if (!r)
		r = vpc_json_get_mac(obj, at, "mac", port->mac, err);
	if (!r && (port->mac[0] & 1))
		r = vpc_json_bad(err, -EINVAL, at, "mac", "a multicast address cannot be a port's");
	if (!r)
		r = vpc_json_get_u32(obj, at, "table", 0, UINT32_MAX, &port->table, err);
	if (!r)
		r = vpc_json_get_u32(obj, at, "flags", 0, UINT32_MAX, &port->flags, err);
	if (!r && (port->flags & ~__VPC_PORT_F_ALL))
		r = vpc_json_bad(err, -EINVAL, at, "flags", "0x%x has flags that this program does not know",
				 port->flags);
	if (!r)
		r = get_pair(obj, at, "gateway", "gateway6", &port->gateway4, &port->gateway6, err);
	if (!r)
		r = get_subnet6(obj, at, &port->subnet6, err);
	if (!r)
		r = get_addrs(obj, at, port, err);
	return r;
}

struct port_key {
	const char *dev;
	uint32_t id;
};

static int cmp_key_dev(const void *a, const void *b)
{
	return strcmp(((const struct port_key *)a)->dev, ((const struct port_key *)b)->dev);
}

static int cmp_key_id(const void *a, const void *b)
{
	uint32_t x = ((const struct port_key *)a)->id, y = ((const struct port_key *)b)->id;

	return x < y ? -1 : x > y;
}

static int check_unique_ports(const struct vpc_host_ports *ports, struct vpc_err *err)
{
	_cleanup_free_ struct port_key *keys = calloc(ports->n_ports + 1, sizeof(*keys));
	size_t i;

	if (!keys)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < ports->n_ports; i++)
		keys[i] = (struct port_key){ .dev = ports->ports[i].dev, .id = ports->ports[i].id };
	qsort(keys, ports->n_ports, sizeof(*keys), cmp_key_dev);
	for (i = 1; i < ports->n_ports; i++)
		if (!cmp_key_dev(&keys[i - 1], &keys[i]))
			return vpc_err_set(err, -EINVAL, "ports: device '%s' is named twice", keys[i].dev);
	qsort(keys, ports->n_ports, sizeof(*keys), cmp_key_id);
	for (i = 1; i < ports->n_ports; i++)
		if (!cmp_key_id(&keys[i - 1], &keys[i]))
			return vpc_err_set(err, -EINVAL, "ports: id %" PRIu32 " is named twice", keys[i].id);
	return 0;
}

static int parse_ports(json_object *obj, struct vpc_host_ports *ports, struct vpc_err *err)
{
	struct json_at at = { .array = "ports" };
	json_object *array;
	size_t n;
	int r;

	r = vpc_json_get(obj, NULL, "ports", json_type_array, &array, err);
	if (r)
		return r;
	n = json_object_array_length(array);
	ports->ports = n ? calloc(n, sizeof(*ports->ports)) : NULL;
	if (n && !ports->ports)
		return vpc_err_set(err, -ENOMEM, "ports: out of memory");
	ports->n_ports = n;
	for (; at.index < n; at.index++) {
		r = parse_port(json_object_array_get_idx(array, at.index), &at, &ports->ports[at.index], err);
		if (r)
			return r;
	}
	return check_unique_ports(ports, err);
}

static int parse_vpcs(json_object *obj, struct vpc_host_ports *ports, struct vpc_err *err)
{
	struct json_at at = { .array = "vpcs" };
	json_object *array;
	size_t n;
	int r;

	if (!json_object_object_get_ex(obj, "vpcs", NULL))
		return 0;
	r = vpc_json_get(obj, NULL, "vpcs", json_type_array, &array, err);
	if (r)
		return r;
	n = json_object_array_length(array);
	ports->vpcs = n ? calloc(n, sizeof(*ports->vpcs)) : NULL;
	if (n && !ports->vpcs)
		return vpc_err_set(err, -ENOMEM, "vpcs: out of memory");
	for (; at.index < n; at.index++) {
		r = vpc_json_as_u32(json_object_array_get_idx(array, at.index), &at, NULL, 1, VPC_VNI_MAX,
				    &ports->vpcs[at.index], err);
		if (!r && at.index && ports->vpcs[at.index] <= ports->vpcs[at.index - 1])
			r = vpc_json_bad(err, -EINVAL, &at, NULL, "not ascending");
		if (r)
			return r;
	}
	ports->n_vpcs = n;
	return 0;
}

int vpc_host_ports_parse(const char *data, size_t len, struct vpc_host_ports *ret, struct vpc_err *err)
{
	_cleanup_json_ json_object *obj = NULL;
	struct vpc_host_ports ports = {};
	uint32_t udp_port = 0;
	int r;

	r = vpc_json_parse(data, len, VPC_ZNODE_PORTS_MAX, &obj, err);
	if (!r)
		r = get_host(obj, ports.host, err);
	if (!r)
		r = vpc_json_get_u64(obj, NULL, "revision", 0, INT64_MAX, &ports.revision, err);
	if (!r)
		r = get_pair(obj, NULL, "vtep", "vtep6", &ports.vtep4, &ports.vtep6, err);
	if (!r && !json_object_object_get_ex(obj, "vtep", NULL))
		r = vpc_err_set(err, -EINVAL, "vtep: missing");
	if (!r)
		r = vpc_json_get_u32(obj, NULL, "udp_port", 1, UINT16_MAX, &udp_port, err);
	if (!r)
		r = parse_ports(obj, &ports, err);
	if (!r)
		r = parse_vpcs(obj, &ports, err);
	ports.udp_port = udp_port;
	if (r)
		vpc_host_ports_clear(&ports);
	else
		*ret = ports;
	return r;
}

void vpc_host_ports_clear(struct vpc_host_ports *ports)
{
	size_t i;

	for (i = 0; i < ports->n_ports; i++)
		vpc_port_clear(&ports->ports[i]);
	free(ports->ports);
	free(ports->vpcs);
	memset(ports, 0, sizeof(*ports));
}

static void write_recent(struct json_writer *w, const struct vpc_status_change *change, bool first)
{
	vpc_json_raw(w, first ? "],\"recent\":[[" : ",[");
	vpc_json_u64(w, change->vni);
	vpc_json_raw(w, ",");
	vpc_json_u64(w, change->base);
	vpc_json_raw(w, ",");
	vpc_json_u64(w, change->epoch);
	vpc_json_raw(w, ",");
	vpc_json_string(w, change->change);
	vpc_json_raw(w, ",");
	vpc_json_u64(w, change->seen_ms);
	vpc_json_raw(w, ",");
	vpc_json_u64(w, change->applied_ms);
	vpc_json_raw(w, "]");
}

int vpc_host_status_format(const struct vpc_host_status *status, char **ret, size_t *ret_len)
{
	struct json_writer w;
	char instance[17];
	size_t i;

	snprintf(instance, sizeof(instance), "%016" PRIx64, status->instance);
	vpc_json_init(&w, VPC_ZNODE_STATUS_MAX);
	vpc_json_raw(&w, "{\"v\":1,\"host\":");
	vpc_json_string(&w, status->host);
	vpc_json_raw(&w, ",\"boot_id\":");
	vpc_json_string(&w, status->boot_id);
	vpc_json_raw(&w, ",\"instance\":");
	vpc_json_string(&w, instance);
	vpc_json_raw(&w, ",\"revision\":");
	vpc_json_u64(&w, status->revision);
	vpc_json_raw(&w, ",\"time\":");
	vpc_json_u64(&w, status->time_ms);
	vpc_json_raw(&w, ",\"vpcs\":[");
	for (i = 0; i < status->n_vpcs && !w.error; i++) {
		vpc_json_raw(&w, i ? ",[" : "[");
		vpc_json_u64(&w, status->vpcs[i].vni);
		vpc_json_raw(&w, ",");
		vpc_json_u64(&w, status->vpcs[i].epoch);
		vpc_json_raw(&w, ",");
		vpc_json_digest(&w, &status->vpcs[i].digest);
		vpc_json_raw(&w, "]");
	}
	for (i = 0; i < status->n_recent && !w.error; i++)
		write_recent(&w, &status->recent[i], !i);
	vpc_json_raw(&w, "]}");
	return vpc_json_finish(&w, ret, ret_len);
}

static int get_instance(json_object *obj, uint64_t *ret, struct vpc_err *err)
{
	char text[17];
	int r;

	r = vpc_json_get_string(obj, NULL, "instance", 16, sizeof(text), text, err);
	if (r)
		return r;
	if (strspn(text, "0123456789abcdef") != 16)
		return vpc_err_set(err, -EINVAL, "instance: '%s' is not 16 hex digits", text);
	*ret = strtoull(text, NULL, 16);
	return 0;
}

static int parse_status_vpc(json_object *value, const struct json_at *at, struct vpc_status_vpc *ret,
			    struct vpc_err *err)
{
	const char *digest;
	int r;

	r = vpc_json_as_tuple(value, at, 3, err);
	if (!r)
		r = vpc_json_as_u32(json_object_array_get_idx(value, 0), at, "vni", 1, VPC_VNI_MAX, &ret->vni, err);
	if (!r)
		r = vpc_json_as_u64(json_object_array_get_idx(value, 1), at, "epoch", 0, INT64_MAX, &ret->epoch, err);
	if (!r)
		r = vpc_json_as_text(json_object_array_get_idx(value, 2), at, "digest", &digest, err);
	if (!r && vpc_digest_parse(digest, &ret->digest))
		r = vpc_json_bad(err, -EINVAL, at, "digest", "'%.40s' is not a digest of 32 hex digits", digest);
	return r;
}

static int parse_status_vpcs(json_object *obj, struct vpc_host_status *status, struct vpc_err *err)
{
	struct json_at at = { .array = "vpcs" };
	json_object *array;
	size_t n;
	int r;

	r = vpc_json_get(obj, NULL, "vpcs", json_type_array, &array, err);
	if (r)
		return r;
	n = json_object_array_length(array);
	status->vpcs = n ? calloc(n, sizeof(*status->vpcs)) : NULL;
	if (n && !status->vpcs)
		return vpc_err_set(err, -ENOMEM, "vpcs: out of memory");
	status->n_vpcs = n;
	for (; at.index < n; at.index++) {
		r = parse_status_vpc(json_object_array_get_idx(array, at.index), &at, &status->vpcs[at.index], err);
		if (r)
			return r;
	}
	return 0;
}

static int parse_recent(json_object *value, const struct json_at *at, struct vpc_status_change *ret,
			struct vpc_err *err)
{
	const char *change;
	int r;

	r = vpc_json_as_tuple(value, at, 6, err);
	if (!r)
		r = vpc_json_as_u32(json_object_array_get_idx(value, 0), at, "vni", 1, VPC_VNI_MAX, &ret->vni, err);
	if (!r)
		r = vpc_json_as_u64(json_object_array_get_idx(value, 1), at, "base", 0, INT64_MAX, &ret->base, err);
	if (!r)
		r = vpc_json_as_u64(json_object_array_get_idx(value, 2), at, "epoch", 0, INT64_MAX, &ret->epoch, err);
	if (!r)
		r = vpc_json_as_text(json_object_array_get_idx(value, 3), at, "change", &change, err);
	if (!r)
		r = vpc_json_as_u64(json_object_array_get_idx(value, 4), at, "seen", 0, INT64_MAX, &ret->seen_ms, err);
	if (!r)
		r = vpc_json_as_u64(json_object_array_get_idx(value, 5), at, "applied", 0, INT64_MAX, &ret->applied_ms,
				    err);
	if (r)
		return r;
	if (strlen(change) > VPC_CHANGE_MAX)
		return vpc_json_bad(err, -EINVAL, at, "change", "longer than %d characters", VPC_CHANGE_MAX);
	strcpy(ret->change, change);
	return 0;
}

static int parse_recents(json_object *obj, struct vpc_host_status *status, struct vpc_err *err)
{
	struct json_at at = { .array = "recent" };
	json_object *array;
	size_t n;
	int r;

	if (!json_object_object_get_ex(obj, "recent", NULL))
		return 0;
	r = vpc_json_get(obj, NULL, "recent", json_type_array, &array, err);
	if (r)
		return r;
	n = json_object_array_length(array);
	if (n > VPC_STATUS_RECENT_MAX)
		return vpc_err_set(err, -EINVAL, "recent: %zu changes, at most %d are kept", n, VPC_STATUS_RECENT_MAX);
	status->recent = n ? calloc(n, sizeof(*status->recent)) : NULL;
	if (n && !status->recent)
		return vpc_err_set(err, -ENOMEM, "recent: out of memory");
	status->n_recent = n;
	for (; at.index < n; at.index++) {
		r = parse_recent(json_object_array_get_idx(array, at.index), &at, &status->recent[at.index], err);
		if (r)
			return r;
	}
	return 0;
}

int vpc_host_status_parse(const char *data, size_t len, struct vpc_host_status *ret, struct vpc_err *err)
{
	_cleanup_json_ json_object *obj = NULL;
	struct vpc_host_status status = {};
	int r;

	r = vpc_json_parse(data, len, VPC_ZNODE_STATUS_MAX, &obj, err);
	if (!r)
		r = get_host(obj, status.host, err);
	if (!r)
		r = vpc_json_get_string(obj, NULL, "boot_id", 1, sizeof(status.boot_id), status.boot_id, err);
	if (!r)
		r = get_instance(obj, &status.instance, err);
	if (!r)
		r = vpc_json_get_u64(obj, NULL, "revision", 0, INT64_MAX, &status.revision, err);
	if (!r)
		r = vpc_json_get_u64(obj, NULL, "time", 0, INT64_MAX, &status.time_ms, err);
	if (!r)
		r = parse_status_vpcs(obj, &status, err);
	if (!r)
		r = parse_recents(obj, &status, err);
	if (r)
		vpc_host_status_clear(&status);
	else
		*ret = status;
	return r;
}

void vpc_host_status_clear(struct vpc_host_status *status)
{
	free(status->vpcs);
	free(status->recent);
	memset(status, 0, sizeof(*status));
}

/* -- alive --------------------------------------------------------------------------------------------------------- */

int vpc_alive_format(const struct vpc_alive *alive, char **ret, size_t *ret_len)
{
	struct json_writer w;

	vpc_json_init(&w, VPC_ZNODE_ALIVE_MAX);
	vpc_json_raw(&w, "{\"v\":1,\"boot_id\":");
	vpc_json_string(&w, alive->boot_id);
	vpc_json_raw(&w, ",\"netns\":");
	vpc_json_u64(&w, alive->netns);
	vpc_json_raw(&w, ",\"token\":");
	vpc_json_string(&w, alive->token);
	vpc_json_raw(&w, ",\"node\":");
	vpc_json_string(&w, alive->node);
	vpc_json_raw(&w, ",\"pid\":");
	vpc_json_u64(&w, alive->pid);
	vpc_json_raw(&w, "}");
	return vpc_json_finish(&w, ret, ret_len);
}

int vpc_alive_parse(const char *data, size_t len, struct vpc_alive *ret, struct vpc_err *err)
{
	_cleanup_json_ json_object *obj = NULL;
	struct vpc_alive alive = {};
	int r;

	r = vpc_json_parse(data, len, VPC_ZNODE_ALIVE_MAX, &obj, err);
	if (!r)
		r = vpc_json_get_string(obj, NULL, "boot_id", 1, sizeof(alive.boot_id), alive.boot_id, err);
	if (!r)
		r = vpc_json_get_u64(obj, NULL, "netns", 0, INT64_MAX, &alive.netns, err);
	if (!r)
		r = vpc_json_get_string(obj, NULL, "token", 16, sizeof(alive.token), alive.token, err);
	if (!r)
		r = vpc_json_get_string(obj, NULL, "node", 0, sizeof(alive.node), alive.node, err);
	if (!r)
		r = vpc_json_get_u32(obj, NULL, "pid", 0, UINT32_MAX, &alive.pid, err);
	if (!r)
		*ret = alive;
	return r;
}
