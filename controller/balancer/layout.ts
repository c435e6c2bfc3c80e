/** Where the two HAProxy instances of a host keep their files: the front end's and the local TCP proxy's. */

/** Names and paths of one HAProxy service on a host; two of them never share any. */
export interface Layout {
  /** systemd unit, without `.service`. */
  readonly unit: string;
  /** Text of the unit, installed with the first configuration; absent where the package brings one. */
  readonly unitText?: string;
  /** Look for other processes on its ports: they can be reached from outside, and a stray one would answer clients. */
  readonly guardsPorts: boolean;
  readonly configFile: string;
  /** Folder of Ridgeline's own files beside the configuration: maps, pages, certificates, lock, `.previous`. */
  readonly directory: string;
  readonly adminSocket: string;
  readonly masterSocket: string;
  readonly stateFile: string;
}

/** Debian's own instance. */
export const frontEndLayout: Layout = {
  unit: 'haproxy',
  guardsPorts: true,
  configFile: '/etc/haproxy/haproxy.cfg',
  directory: '/etc/haproxy/ridgeline',
  adminSocket: '/run/haproxy/admin.sock',
  masterSocket: '/run/haproxy-master.sock',
  stateFile: '/var/lib/haproxy/ridgeline.state',
};

/** A second instance on application servers: plain TCP, on a loopback address of the host. */
export const localProxyLayout: Layout = {
  unit: 'ridgeline-proxy',
  guardsPorts: false,
  unitText: `[Unit]
Description=Ridgeline local proxy
After=network-online.target

[Service]
Type=notify
RuntimeDirectory=ridgeline-proxy
ExecStart=/usr/sbin/haproxy -Ws -f /etc/ridgeline-proxy/haproxy.cfg -p /run/ridgeline-proxy/haproxy.pid -S /run/ridgeline-proxy/master.sock
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
Restart=always
SuccessExitStatus=143

[Install]
WantedBy=multi-user.target
`,
  configFile: '/etc/ridgeline-proxy/haproxy.cfg',
  directory: '/etc/ridgeline-proxy/ridgeline',
  adminSocket: '/run/ridgeline-proxy/admin.sock',
  masterSocket: '/run/ridgeline-proxy/master.sock',
  stateFile: '/var/lib/haproxy/ridgeline-proxy.state',
};
