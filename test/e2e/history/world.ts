/** The world that a history changes; the same on both sides, and small, so that changes meet. */
const OWNER = 'history';
export const MARK = `scopemesh:${OWNER}`;

/** Services that claim a client, `<name>-app`; each is a destination as well. */
export const CALLERS: readonly string[] = ['web', 'api', 'jobs', 'robot', 'billing'];
/** Called by others only. */
const CALLED: readonly string[] = ['orders', 'ledger', 'reports', 'vault'];
export const SERVICES: readonly string[] = [...CALLERS, ...CALLED];

/**
 * A service with one edge, of `grace-probe` at `probe-target`, that goes together with a service whose last instance goes:
 * where the end of its grace is seen, that of the other has been seen.
 */
export const GRACE_PROBE = 'grace-probe';
export const PROBE_TARGET = 'probe-target';

/** Those that speak HTTP at the start; the others have no service-defaults. */
export const HTTP_FROM_THE_START: readonly string[] = ['orders', 'ledger'];

export const GRANTABLE: readonly string[] = [
  'orders:read',
  'orders:write',
  'ledger:read',
  'ledger:admin',
  'reports:read',
  'reports:connect',
  'vault:connect',
  'billing:connect',
  'api:connect',
  'unknown:scope',
];

/** The configuration but for servers and addresses. */
export const MAPPING = {
  owner: OWNER,
  mode: 'enforce',
  // Not below two seconds: the ends of graces are looked for once a second, and what came back and went again in
  // between would look as if it had never come.
  services: { claims: 'confirmed', claimGrace: '2s' },
  scopes: {
    'orders:read': { to: 'orders', methods: ['GET', 'HEAD'], path: '/v1/orders' },
    'orders:write': { to: 'orders', methods: ['POST', 'PUT'], path: '/v1/orders' },
    'ledger:read': [
      { to: 'ledger', methods: ['GET'], pathPrefix: '/v1/' },
      { to: 'orders', methods: ['GET'], pathExact: '/v1/totals' },
    ],
    'ledger:admin': { to: 'ledger' },
    'reports:read': { to: 'reports', methods: ['GET'], path: '/' },
    '{service}:connect': { to: '{service}' },
  },
  actors: {
    classify: [{ attribute: 'actor', equals: 'agent', kind: 'agent' }],
    agent: { never: ['*:write', '*:admin'] },
  },
  guards: { maxRevocations: { percent: 5, atLeast: 4, window: '30m' }, protected: ['vault'] },
  // What is compared is what events and watches cause: nothing that a timer would bring at its own time.
  resync: '6h',
};

export function clientOf(service: string): string {
  return `${service}-app`;
}

/** A client as the embedded identity provider takes it. */
export function clientBody(service: string, scopes: readonly string[]) {
  return {
    clientId: clientOf(service),
    grantTypes: ['client_credentials'],
    scopes,
    attributes: { 'consul-services': service },
  };
}
