#!/bin/sh
# Turns a fresh Debian root ($1) into a machine image. Runs as a mmdebstrap hook; $2 is the folder of files.
# Never touch $1/dev here: the machine's own /dev/shm and /dev/pts are mounted in it.
set -eu
root=$1
files=$2

install -m 755 "$files/lab-init" "$root/usr/local/sbin/lab-init"
install -m 644 "$files/lab-init.service" "$root/etc/systemd/system/lab-init.service"
install -m 644 -D "$files/journald.conf" "$root/etc/systemd/journald.conf.d/lab.conf"
install -m 440 "$files/sudoers" "$root/etc/sudoers.d/90-cloud-init-users"

chroot "$root" useradd --create-home --shell /bin/bash --comment Debian admin
chroot "$root" systemctl --quiet enable lab-init.service

# Services start when a boot script says so; lab-init starts sshd when its keys are there.
for unit in ssh.service ssh.socket mariadb.service mariadb.socket mysql.service haproxy.service getty@tty1.service \
  apt-daily.timer apt-daily-upgrade.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service \
  dpkg-db-backup.timer systemd-pstore.service; do
  chroot "$root" systemctl --quiet disable "$unit" 2>/dev/null || true
done
# Units that need hardware or rights a container has not.
chroot "$root" systemctl --quiet mask getty.target console-getty.service systemd-remount-fs.service \
  systemd-logind.service dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount \
  sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount

# What must differ between two machines, and what belongs to the building machine.
rm -rf "$root"/etc/ssh/ssh_host_* "$root"/var/log/journal "$root/var/lib/mysql/auto.cnf" "$root"/var/cache/apt/*
rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap"
: >"$root/etc/machine-id"
: >"$root/etc/resolv.conf"
: >"$root/etc/hostname"
