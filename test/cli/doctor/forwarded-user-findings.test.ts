import { expect, it } from 'vitest';
import { forwardedUserFindings } from '../../../src/cli/doctor/forwarded-user-findings.js';
import type { Access, IntentionEntry } from '../../../src/model/intention.js';
import { WorldState } from '../../../src/state/world-state.js';
import { loginProvider, settings } from '../../acl/plan/acl-scene.js';
import { mapping, rule } from '../../plan/scene.js';

const ENTRY = 'scopemesh-pay-main-_users';
const HEADER = 'x-user-claims';
const PLACE = { partition: 'default', namespace: 'default' };

function worldWith(forwardUserAs?: string): WorldState {
  const provider = loginProvider(forwardUserAs === undefined ? {} : { forwardUserAs });
  const acl = settings({ providers: new Map([['main', provider]]) });
  const rules = [rule('orders', 'orders', { userRequired: true })];
  const claims = { claimGraceMs: 0, clientMeta: 'oauth-client-id', clientTag: 'oauth-client=' };
  return new WorldState(mapping({ owner: 'pay', acl, rules }), claims);
}

function putProvider({ userTokens }: WorldState, forwardHeader?: string): void {
  const content = {
    name: ENTRY,
    issuer: 'https://sso.example.com',
    audiences: ['consul'],
    jwksUri: 'https://sso.example.com/certs',
    ...(forwardHeader === undefined ? {} : { forwardHeader }),
    meta: {},
  };
  userTokens.putEntry(ENTRY, content, 1, 1);
}

let index = 0;
const ALLOW: Access = { kind: 'allow' };
const WITH_USER: Access = {
  kind: 'http',
  permissions: [{ pathPrefix: '/', jwt: { provider: ENTRY, verifyClaims: [] } }],
};

function put(
  world: WorldState,
  name: string,
  sources: Readonly<Record<string, Access>>,
  raw: IntentionEntry['raw'] = {},
): void {
  const destination = { ...PLACE, name };
  const each = { ...PLACE, description: '', isLegacy: false, raw: {} };
  world.putEntry(destination, {
    destination,
    sources: Object.entries(sources).map(([source, access]) => ({ ...each, name: source, access })),
    meta: {},
    raw,
    modifyIndex: ++index,
  });
}

it('doctor names the services whose proxies remove what a caller sent in the header', () => {
  expect(forwardedUserFindings(worldWith())).toEqual([]);
  const world = worldWith(HEADER);
  expect(forwardedUserFindings(world)[0]?.message).toContain('no intention requires');
  putProvider(world, HEADER);
  put(world, 'orders', { web: WITH_USER });
  put(world, 'billing', {}, { JWT: { Providers: [{ Name: 'foreign' }] } });
  const [finding, ...others] = forwardedUserFindings(world);
  expect(finding).toMatchObject({ id: 'users.header', severity: 'notice' });
  expect(finding?.message).toMatch(/^the proxies of orders remove the header x-user-claims/);
  expect(others).toEqual([]);
});

it('doctor does not say that the header is removed while the entry in Consul does not forward it', () => {
  const world = worldWith(HEADER);
  put(world, 'orders', { web: WITH_USER });
  const isNotRemoved = () =>
    expect(forwardedUserFindings(world)).toMatchObject([
      { id: 'users.header', severity: 'warning', message: expect.stringContaining('as the caller sent it') },
    ]);
  isNotRemoved();
  putProvider(world);
  isNotRemoved();
  putProvider(world, 'x-other');
  isNotRemoved();
});

it('doctor warns of sources without a token at a service of a user rule, which can forge the header later', () => {
  const world = worldWith(HEADER);
  putProvider(world, HEADER);
  const mixed = () => forwardedUserFindings(world).find(({ id }) => id === 'users.header.mixed')?.message;
  put(world, 'orders', { web: WITH_USER, old: { kind: 'deny' } });
  expect(mixed()).toBeUndefined();
  put(world, 'orders', { web: WITH_USER, batch: ALLOW });
  expect(mixed()).toContain('orders (batch)');
  // The last intention with a token is revoked.
  put(world, 'orders', { batch: ALLOW });
  expect(mixed()).toContain('orders (batch)');
  put(world, 'orders', { web: WITH_USER });
  put(world, '*', { web: ALLOW, cron: ALLOW });
  expect(mixed()).toMatch(/: orders \(cron\)$/);
});
