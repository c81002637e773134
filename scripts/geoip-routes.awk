# SPDX-License-Identifier: Apache-2.0
#
# A real customer's wish: send each country's networks through its region's gateway. Used by scripts/demo.sh.
#
#   awk -f scripts/geoip-routes.awk -v regions=FILE /usr/share/zoneinfo/zone.tab /usr/share/tor/geoip > ROUTES
#
# Reads tzdata's zone.tab (country -> a zone such as Europe/Paris, whose first part is the region) and Debian's tor-geoipdb
# (`first,last,country`, addresses as integers). Writes `prefix nexthop-id` a line to standard output: each range is cut
# into the fewest prefixes; and to FILE `nexthop-id region` a line, ids from 1 in order of appearance.

function emit(first, last, id,    size, bits) {
	while (first <= last) {
		# The largest block that starts here and does not go past the end.
		size = 1; bits = 32
		while (bits > 0 && first % (2 * size) == 0 && first + 2 * size - 1 <= last) {
			size *= 2; bits--
		}
		printf "%d.%d.%d.%d/%d %d\n", first / 16777216, (first / 65536) % 256, (first / 256) % 256, first % 256, bits, id
		first += size
	}
}

function gateway(country,    region) {
	region = (country in region_of) ? region_of[country] : "Elsewhere"
	if (!(region in ids)) {
		ids[region] = ++n
		print n, region > regions
	}
	return ids[region]
}

/^#/ || NF == 0 { next }

FILENAME ~ /zone\.tab$/ {
	split($3, zone, "/")
	if (!($1 in region_of))
		region_of[$1] = zone[1]
	next
}

{
	split($0, range, ",")
	emit(range[1] + 0, range[2] + 0, gateway(range[3]))
}
