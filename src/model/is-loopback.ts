const IPV4 = /^(?:::ffff:)?127(?:\.(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){3}$/;

/** Whether a host name or address, in a URL or alone, means this machine without a resolver. */
export function isLoopback(host: string): boolean {
  const [, address = host] = /^\[([0-9a-f:.]+)\]$/.exec(host) ?? [];
  return host === 'localhost' || address === '::1' || IPV4.test(address);
}

/** Whether a `Host` header, with or without a port, names this machine and nothing else. */
export function isLoopbackHost(header: string): boolean {
  const [, host] = /^(\[[0-9a-f:.]+\]|[^:@[\]]+)(?::\d{1,5})?$/.exec(header.toLowerCase()) ?? [];
  return host !== undefined && isLoopback(host);
}
