import { SyncError } from '../../errors.js';

/** Where Consul's HTTP API is. */
export interface Address {
  readonly origin: string;
  /** Before the path of each request. */
  readonly prefix: string;
  readonly socketPath?: string;
}

/** `http://host:port` or `https://…`, where a path is kept as a prefix, or `unix:///path`. Throws ERR_CONFIG. */
export function parseAddress(text: string): Address {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:')
    return { origin: url.origin, prefix: url.pathname.replace(/\/+$/, '') };
  if (url?.protocol === 'unix:' && url.host === '' && url.pathname.length > 1)
    return { origin: 'http://localhost', prefix: '', socketPath: decodeURIComponent(url.pathname) };
  // The message omits the address, which may contain a password.
  const message =
    'consul.address: write a URL such as http://127.0.0.1:8500, https://consul.example.com or unix:///run/consul/http.sock';
  throw new SyncError('ERR_CONFIG', message, { retriable: false });
}
