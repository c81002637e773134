#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The fleet's page ("vpc_reconcile fleet --html") in a real browser, headless Chromium: "make report-screenshot". A private
# MariaDB is filled with sixty hosts' last day: some lag, drift, could not compare, fall silent; the same difference is on
# many; one host tries to write into the page. What the browser made of it is looked at here (tables and rows, nothing
# that was asked of the network, no script, nothing wider than the window); the pictures are for you to look at:
# build/report/{light,dark,narrow}.png.

# shellcheck source=../servers.sh
. "$(dirname "${BASH_SOURCE[0]}")/../servers.sh"
browser=$(command -v chromium || command -v chromium-browser) || { echo "page.sh: no browser: apt-get install chromium" >&2; exit 1; }
dir=$top/build/report
fail() { echo "page.sh: $*" >&2; exit 1; }

servers mariadb
trap 'servers_end; rm -rf "$dir/svc" "$dir/profile"' EXIT
conf "$dir/svc/conf" "$VPC_CDB_USER" "$VPC_CDB_PASSWORD"
build/vpcctl -c "$dir/svc/conf" db init > /dev/null

# -- a day ---------------------------------------------------------------------------------------------------------------

# run HOST BEGAN LAST RESULT LAGGING DRIFTED FAILED DRIFTS LAG_MS REASON: minutes before now, of 40 VPCs.
run() {
	echo "INSERT INTO reconcile_run VALUES ('$1', @now - $2 * 60000, @now - $3 * 60000, 60, '$4', 40 - $5 - $6 - $7, $5, $6, $7, $8, $9, 17700, $RANDOM, '${10:-}');"
}
# diff HOST SEQ VNI CLASS LEG OBJECT WANT HAVE CHANGE
diff() { echo "INSERT INTO reconcile_diff VALUES ('$1', $2, $3, '$4', '$5', '$6', '$7', '$8', '$9', @now - 5400000);"; }
{
	echo "SET @now = FLOOR(UNIX_TIMESTAMP(NOW(3)) * 1000);"
	for i in $(seq -w 60); do
		h=compute-$i.cell-a
		echo "INSERT INTO host (name, family, vtep, udp_port) VALUES ('$h', 4, UNHEX(CONCAT('C00002', LPAD(HEX($((10#$i))), 2, '0'))), 4789);"
		n=$((10#$i))
		if ((n % 9 == 0)); then
			run "$h" 1440 300 consistent 0 0 0 0 0
			run "$h" 300 240 lagging 3 0 0 0 184000
			run "$h" 240 0 consistent 0 0 0 0 0
		elif ((n <= 14)); then
			run "$h" 1440 95 consistent 0 0 0 0 0
			run "$h" 95 0 drifted 0 1 0 2 0
			diff "$h" 1 100 different 'ZooKeeper to agent' 'route table 1 172.16.4.0/24' 'nexthop 7' 'nexthop 8' 01JDZ6T5
			diff "$h" 2 100 missing 'ZooKeeper to agent' 'route table 1 172.16.9.0/24' 'nexthop 7' '' 01JDZ6T5
		elif ((n == 20)); then
			run "$h" 1440 30 consistent 0 0 0 0 0
			run "$h" 30 0 drifted 0 1 0 1 0
			diff "$h" 1 4711 digest 'kernel against itself' 'digest of what forwarding reads' 60a1c0ffee00112233445566778899aa 1fe3c0ffee00112233445566778899aa ''
		elif ((n == 21)); then
			run "$h" 600 0 drifted 0 1 0 1 0
			diff "$h" 1 0 foreign 'ports against CDB' '<script>alert(1)</script><img src=http://192.0.2.1/x>' '' '02:00:00:00:00:66' ''
		elif ((n == 30)); then
			run "$h" 1440 400 consistent 0 0 0 0 0
			run "$h" 400 0 failed 0 0 40 0 0 'netlink: the module is not loaded; load it with modprobe vpc'
		elif ((n == 40 || n == 41)); then
			run "$h" 1440 130 consistent 0 0 0 0 0
		elif ((n == 50)); then
			run "$h" 1440 12 consistent 0 0 0 0 0
			run "$h" 12 0 lagging 5 0 0 0 734000
		elif ((n != 60)); then
			run "$h" 1440 0 consistent 0 0 0 0 0
		fi
	done
} > "$dir/svc/day.sql"
sql "source $dir/svc/day.sql"
status=0
build/vpc_reconcile fleet -c "$dir/svc/conf" --html "$dir/fleet.html" > "$dir/fleet.txt" || status=$?
[[ $status = 1 ]] || fail "the fleet's status is $status, with drift it should be 1"

# -- the browser -----------------------------------------------------------------------------------------------------------

# Whatever name or address the page would ask for is written into the log and leads nowhere.
chrome() {
	timeout 120 "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --disable-extensions \
		--disable-background-networking --user-data-dir="$dir/profile" --host-resolver-rules='MAP * ~NOTFOUND' \
		--log-net-log="$dir/net.json" "$@" 2> "$dir/browser.log"
}
page=file://$dir/fleet.html
chrome --dump-dom "$page" > "$dir/dom.html"
# A page of our own around it, which asks for its size: the page itself has no script.
cat > "$dir/frame.html" <<-END
	<!DOCTYPE html><title>?</title><iframe id=f width=390 height=800 src=fleet.html></iframe>
	<script>onload=()=>{let d=document.getElementById('f').contentDocument.documentElement;
	document.title=d?d.scrollWidth+' of '+d.clientWidth:'no access'}</script>
END
chrome --allow-file-access-from-files --dump-dom "file://$dir/frame.html" > "$dir/frame-dom.html"
chrome --window-size=1200,1700 --screenshot="$dir/light.png" "$page"
chrome --window-size=1200,1700 --force-dark-mode --enable-features=WebContentsForceDark --blink-settings=preferredColorScheme=0 \
	--screenshot="$dir/dark.png" "$page"
chrome --window-size=500,1700 --screenshot="$dir/narrow.png" "$page"

count() { grep -oE "$1" "$dir/dom.html" | wc -l; }
(($(count '<rect') > 96)) || fail "the chart has $(count '<rect') rectangles"
(($(count '<table') >= 2)) || fail "there are $(count '<table') tables"
(($(count '<script') == 0 && $(count '<img') == 0)) || fail "the page has a script or a picture: somebody wrote into it"
grep -q '&lt;script&gt;alert(1)' "$dir/dom.html" || fail "what tried to be a script is not shown as text"
for text in 'compute-20.cell-a' 'route table 1 172.16.4.0/24' 'kernel against itself' 'the module is not loaded'; do
	grep -qF "$text" "$dir/dom.html" || fail "\"$text\" is not on the page"
done
read -r wide _ seen < <(grep -oE '<title>[0-9]+ of [0-9]+' "$dir/frame-dom.html" | sed 's/<title>//') || fail "the frame has no size"
((wide <= seen)) || fail "in a window of $seen pixels the page is $wide wide"
! grep -q '192\.0\.2\.1' "$dir/net.json" || fail "the browser asked for something from elsewhere"
for picture in light dark narrow; do
	[[ $(head -c 8 "$dir/$picture.png" | od -An -tx1 | tr -d ' \n') = 89504e470d0a1a0a ]] || fail "$picture.png is no picture"
	(($(stat -c %s "$dir/$picture.png") > 20000)) || fail "$picture.png is empty"
done
rm -f "$dir/net.json" "$dir/frame.html" "$dir/frame-dom.html"
echo "the page is right; look at $dir/light.png, dark.png, narrow.png"
