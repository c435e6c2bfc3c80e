/** Where the two HAProxy instances of a host keep their files: the front end's and the local TCP proxy's. */

export interface Layout {
  /** systemd unit, without `.service`. */
  readonly unit: string;
  readonly configFile: string;
  /** Folder of Ridgeline's own files beside the configuration: maps, pages, certificates, lock, `.prev`. */
  readonly directory: string;
  readonly adminSocket: string;
  readonly masterSocket: string;
  readonly stateFile: string;
}

/** Debian's own instance. */
export const frontEndLayout: Layout = {
  unit: 'haproxy',
  configFile: '/etc/haproxy/haproxy.cfg',
  directory: '/etc/haproxy/ridgeline',
  adminSocket: '/run/haproxy/admin.sock',
  masterSocket: '/run/haproxy-master.sock',
  stateFile: '/var/lib/haproxy/ridgeline.state',
};

/** A second instance on application servers: plain TCP, moved by the controller and never by a health check. */
export const localProxyLayout: Layout = {
  unit: 'ridgeline-proxy',
  configFile: '/etc/ridgeline-proxy/haproxy.cfg',
  directory: '/etc/ridgeline-proxy/ridgeline',
  adminSocket: '/run/ridgeline-proxy/admin.sock',
  masterSocket: '/run/ridgeline-proxy/master.sock',
  stateFile: '/var/lib/haproxy/ridgeline-proxy.state',
};
