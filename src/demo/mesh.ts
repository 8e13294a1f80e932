import type { EmbeddedClient } from '../embedded/identity-provider/client-store.js';

export interface DemoService {
  readonly name: string;
  /** The OAuth client that it claims; none for a service that calls no other service. */
  readonly client?: string;
  readonly protocol: 'http' | 'tcp';
  /** A short note for the screen. */
  readonly note?: string;
  /** Its answers by path; other paths get a general answer. */
  readonly answers?: Readonly<Record<string, unknown>>;
}

/** A small shop. Who may call whom follows from the scopes of `CLIENTS` and the rules of `SCOPE_RULES`. */
export const SERVICES: readonly DemoService[] = [
  { name: 'web', client: 'web-app', protocol: 'http', note: 'people' },
  { name: 'checkout', client: 'checkout', protocol: 'http' },
  {
    name: 'orders',
    client: 'orders',
    protocol: 'http',
    answers: { '/v1/orders': [{ id: 4711, item: 'kettle', state: 'paid' }] },
  },
  { name: 'payments', client: 'payments', protocol: 'http', answers: { '/v1/charges': { charged: true } } },
  { name: 'reports', client: 'reports-job', protocol: 'http', note: 'a nightly job' },
  { name: 'assistant', client: 'assistant', protocol: 'http', note: 'an AI agent' },
  { name: 'shipping', client: 'shipping', protocol: 'http' },
  { name: 'inventory', protocol: 'http', answers: { '/v1/stock': { kettle: 12 } } },
  { name: 'ledger', protocol: 'tcp' },
  { name: 'vault', protocol: 'http' },
];

export const CLIENTS: readonly EmbeddedClient[] = [
  client('web-app', 'Web shop', 'web', ['orders:read', 'inventory:read', 'vault:connect'], {
    grantTypes: ['authorization_code', 'refresh_token'],
  }),
  client('checkout', 'Checkout', 'checkout', ['orders:write', 'payments:charge', 'inventory:read']),
  client('orders', 'Orders', 'orders', ['shipping:connect', 'ledger:connect']),
  client('payments', 'Payments', 'payments', ['ledger:connect']),
  client('reports-job', 'Nightly reports', 'reports', ['orders:read', 'payments:read']),
  client('assistant', 'Shopping assistant', 'assistant', ['orders:read', 'payments:charge'], {
    actor: 'agent',
  }),
  client('shipping', 'Shipping', 'shipping', ['inventory:read']),
];

/** The mapping in the configuration file of the demo. */
export const SCOPE_RULES = `scopes: # what a scope opens in the mesh
  "orders:read": { to: orders, methods: [GET, HEAD], path: /v1/orders }
  "orders:write": { to: orders, methods: [POST, PUT, DELETE], path: /v1/orders }
  "inventory:read": { to: inventory, methods: [GET, HEAD], path: /v1/stock }
  "payments:read": { to: payments, methods: [GET, HEAD], path: /v1/charges }
  "payments:charge": { to: payments, methods: [POST], path: /v1/charges }
  "{service}:connect": { to: "{service}" } # everything, at L4

actors:
  classify: [{ attribute: actor, equals: agent, kind: agent }]
  agent: { never: ["payments:*", "*:write"] } # even if the identity provider grants these scopes to an AI agent

guards:
  protected: [vault] # never opened, even for a client with the scope vault:connect
  breakGlass: { longest: 4h } # scopemesh grant may open an edge that the identity provider does not grant
`;

/** One request through the sidecar of a service. */
interface DemoCall {
  readonly from: string;
  readonly to: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
}

/** The expected status of calls once Consul matches the identity provider. The demo is then ready. */
export const AT_START: readonly (DemoCall & { readonly status: 200 | 403 })[] = [
  { from: 'web', to: 'orders', method: 'GET', path: '/v1/orders', status: 200 },
  { from: 'web', to: 'orders', method: 'POST', path: '/v1/orders', status: 403 },
  { from: 'web', to: 'inventory', method: 'GET', path: '/v1/stock', status: 200 },
  { from: 'web', to: 'vault', method: 'GET', path: '/', status: 403 },
  { from: 'checkout', to: 'orders', method: 'POST', path: '/v1/orders', status: 200 },
  { from: 'checkout', to: 'payments', method: 'POST', path: '/v1/charges', status: 200 },
  { from: 'orders', to: 'shipping', method: 'GET', path: '/', status: 200 },
  { from: 'orders', to: 'ledger', method: 'GET', path: '/', status: 200 },
  { from: 'payments', to: 'ledger', method: 'GET', path: '/', status: 200 },
  { from: 'reports', to: 'orders', method: 'GET', path: '/v1/orders', status: 200 },
  { from: 'reports', to: 'payments', method: 'GET', path: '/v1/charges', status: 200 },
  { from: 'assistant', to: 'orders', method: 'GET', path: '/v1/orders', status: 200 },
  { from: 'assistant', to: 'payments', method: 'POST', path: '/v1/charges', status: 403 },
  { from: 'shipping', to: 'inventory', method: 'GET', path: '/v1/stock', status: 200 },
];

function client(
  clientId: string,
  name: string,
  serviceName: string,
  scopes: readonly string[],
  more: { readonly grantTypes?: readonly string[]; readonly actor?: string } = {},
): EmbeddedClient {
  const { grantTypes, actor } = more;
  return {
    clientId,
    name,
    scopes,
    ...(grantTypes === undefined ? {} : { grantTypes }),
    attributes: { 'consul-services': serviceName, ...(actor === undefined ? {} : { actor }) },
  };
}
