import type { DaemonOptions, Rig } from './daemon.js';
import { ordersRig } from './orders-rig.js';
import type { Worker } from './reconcile-rig.js';
import { until } from './until.js';

export const JWT_PROVIDER = 'scopemesh-payments-main-_users';
export const WITH_USER = `GET+HEAD /v1/orders and below user ${JWT_PROVIDER}`;

export interface RawJwtProvider {
  readonly Name: string;
  readonly ModifyIndex: number;
  readonly Meta?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** `orders-rig` with a rule that requires the user, on a Consul that can require one. */
export function usersRig(options: DaemonOptions = {}): Promise<Rig> {
  return ordersRig({
    consulVersion: '1.16.1',
    ...options,
    prepare: async (rig) => {
      rig.writeFile(requiringUsers(true), provider(rig));
      await options.prepare?.(rig);
    },
  });
}

export function provider(rig: Rig) {
  return { issuer: rig.idp.issuer, audience: 'consul' };
}

export function requiringUsers(isRequired: boolean) {
  const user = isRequired ? { user: 'required' } : {};
  return {
    scopes: { 'orders:read': { to: 'orders', methods: ['GET', 'HEAD'], path: '/v1/orders', ...user } },
  };
}

export async function jwtProviders(rig: Rig): Promise<readonly RawJwtProvider[]> {
  return Object(await rig.mesh.request('GET', '/v1/config/jwt-provider'));
}

export function hasJwtProvider(rig: Rig, isThere: boolean): Promise<true> {
  return until(`a jwt-provider ${isThere ? 'exists' : 'is gone'}`, async () =>
    (await jwtProviders(rig)).length > 0 === isThere ? true : undefined,
  );
}

/** The writes of intentions and jwt-providers that came through to Consul, in order. */
export function writes(rig: Rig): readonly string[] {
  return rig.proxy.writes.flatMap(({ method, body }) => {
    const kind = method === 'DELETE' ? 'gone' : String(JSON.parse(body).Kind);
    return kind === 'service-defaults' ? [] : [kind];
  });
}

/** `type outcome reason` of each settled decision on an intention or a jwt-provider. */
export async function decisionsInShort(worker: Worker): Promise<readonly string[]> {
  return (await worker.settled())
    .filter(({ subject }) => /^(jwt-provider|intention)\//.test(subject))
    .map(({ type, outcome, reason }) => `${type.replace('dev.scopemesh.', '')} ${outcome} ${reason}`);
}
