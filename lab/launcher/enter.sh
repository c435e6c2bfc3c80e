#!/bin/bash
# Process 1 of the lab's own mount, network and process namespaces: sets them up, then keeps the API process running.
# It is a shell because process 1 must reap, which Node does not: a dead host would not look dead for seconds.
# usage: enter.sh NODE DAEMON READY_FILE GATEWAY/PREFIX NAME_SERVER METADATA CGROUP
set -eu
node=$1 daemon=$2 ready=$3 gateway=$4 name_server=$5 metadata=$6 cgroup=$7

# A plain cgroup2 whatever the computer has (v1, v2 or both): no controllers needed to freeze, kill and count.
umount --lazy /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$cgroup"
# Names of network namespaces and crun's records are the lab's own, and vanish with it.
mount -t tmpfs tmpfs /run
mkdir /run/netns

ip link set lo up
ip link add br0 type bridge
ip link set br0 address 02:4d:0a:4d:00:01
ip address add "$gateway" dev br0
ip address add "$name_server/32" dev br0
ip address add "$metadata/32" dev br0
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 2>/dev/null || true
ip link set br0 up
: >/run/network-ready

# `lab restart-api` sends USR1: the API process is killed, the hosts live on, and a new one takes over.
api=
trap 'kill -KILL "$api" 2>/dev/null || true' USR1
while true; do
  "$node" "$daemon" &
  api=$!
  while kill -0 "$api" 2>/dev/null; do wait "$api" || true; done
  # One that never served anybody will not do so the next time either; `lab up` shows what it said.
  [ -e "$ready" ] || exit 1
  echo "enter.sh: the API process ended; starting it again" >&2
  sleep 0.2
done
