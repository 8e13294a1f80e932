import { expect, it } from 'vitest';
import { forwardedUserFindings } from '../../../src/cli/doctor/forwarded-user-findings.js';
import { WorldState } from '../../../src/state/world-state.js';
import { loginProvider, settings } from '../../plan/acl/acl-scene.js';
import { mapping } from '../../plan/scene.js';

function worldWith(forwardUserAs?: string): WorldState {
  const provider = loginProvider(forwardUserAs === undefined ? {} : { forwardUserAs });
  const acl = settings({ providers: new Map([['main', provider]]) });
  const claims = { claimGraceMs: 0, clientMeta: 'oauth-client-id', clientTag: 'oauth-client=' };
  return new WorldState(mapping({ owner: 'pay', acl }), claims);
}

it('doctor names the services whose proxies remove what a caller sent in the header', () => {
  expect(forwardedUserFindings(worldWith())).toEqual([]);
  const world = worldWith('x-user-claims');
  expect(forwardedUserFindings(world)[0]?.message).toContain('no intention requires');
  const place = { partition: 'default', namespace: 'default' };
  for (const [name, provider] of [
    ['orders', 'scopemesh-pay-main-_users'],
    ['billing', 'foreign'],
  ] as const)
    world.putEntry(
      { ...place, name },
      {
        destination: { ...place, name },
        sources: [],
        meta: {},
        raw: { JWT: { Providers: [{ Name: provider }] } },
        modifyIndex: 1,
      },
    );
  const [finding, ...others] = forwardedUserFindings(world);
  expect(finding).toMatchObject({ id: 'users.header', severity: 'notice' });
  expect(finding?.message).toMatch(/^the proxies of orders remove the header x-user-claims/);
  expect(others).toEqual([]);
});
