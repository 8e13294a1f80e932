import type { Explanation } from '../../src/plan/explain.js';
import type { Hold } from '../../src/plan/plan.js';
import { ALLOW, named } from '../plan/scene.js';

export const web = named('web');
export const CLIENT = { provider: 'main', clientId: 'web-app' };
export const VIEW: NonNullable<Explanation['client']> = {
  ...CLIENT,
  actorKind: 'workload',
  isReadable: true,
  exists: true,
  enabled: true,
  closure: undefined,
  grants: [{ name: 'orders:read' }],
  limited: [],
};

/** `web` wants what its scope opens, and nothing is written yet. */
export const CLOSED: Explanation = {
  source: web,
  destination: named('orders'),
  request: undefined,
  verdict: 'denied',
  candidates: [],
  defaultPolicy: 'deny',
  claim: { kind: 'claimed', service: web, client: CLIENT, addNothing: false },
  client: VIEW,
  openings: [{ scope: 'orders:read', access: ALLOW }],
  desired: ALLOW,
  denied: undefined,
  breakGlass: [],
  holds: [],
  awaitsJwtProvider: false,
  pending: undefined,
};

export const HOLD: Hold = {
  subject: 'intention/default/default/orders/web',
  resource: { kind: 'intention', source: 'web', destination: 'orders' },
  reason: 'Frozen',
  detail: 'a freeze is in effect',
  action: 'grant',
  scopes: ['orders:read'],
};
