import { describe, expect, test } from 'vitest';
import type { OAuthClient } from '../../../src/model/client.js';
import { clientText } from '../../../src/plan/world.js';
import { WorldState } from '../../../src/state/world-state.js';
import { claiming, client, mapping, NOW, rule, SETTINGS } from '../../plan/scene.js';

const WEB = { provider: 'main', clientId: 'web' };
const LIMITS = {
  human: { never: [] },
  workload: { never: [] },
  agent: { never: ['orders'] },
};

/** Whether `web` may do less once its directory says something else of it. */
function loses(before: OAuthClient, after: OAuthClient | undefined): boolean {
  const rules = [rule('orders', 'orders'), rule('billing', 'billing')];
  const classify = [{ attribute: 'actor', equals: 'agent', kind: 'agent' as const }];
  const world = new WorldState(mapping({ rules, limits: LIMITS, classify }), SETTINGS);
  world.putCatalog(
    { services: [claiming('web', 'web')], protocols: new Map(), defaultProtocol: 'http' },
    NOW,
  );
  world.putDirectory('main', [before], world.beginRead(), NOW);
  return world.putClient(WEB, after, world.beginRead()).losing.has(clientText(WEB));
}

const web = (scopes: readonly string[], attributes: Readonly<Record<string, string>> = {}) =>
  client('web', scopes, { attributes: { 'consul-services': 'web', ...attributes } });

describe('a client may do less', () => {
  test.each<readonly [string, OAuthClient | undefined]>([
    ['without a scope', web([])],
    ['as a kind that may not use the scope', web(['orders'], { actor: 'agent' })],
    ['where it no longer names the service', web(['orders'], { 'consul-services': 'api' })],
    ['gone', undefined],
    ['disabled', { ...web(['orders']), enabled: false }],
    ['with another scope instead', web(['billing'])],
  ])('%s', (_, after) => {
    expect(loses(web(['orders']), after)).toBe(true);
  });

  // Such a scope may open ACL rules.
  const api = { ...web(['x', 'y']), grants: [{ name: 'x' }, { name: 'y' }, { api: 'a', name: 'z' }] };
  test.each<readonly [string, OAuthClient]>([
    ['without one of two scopes', { ...api, grants: api.grants.slice(1) }],
    ['with the same scope at another API', { ...api, grants: [...api.grants.slice(0, 2), { name: 'z' }] }],
    ['disabled', { ...api, enabled: false }],
  ])('that opens no destination, %s', (_, after) => {
    expect([loses(api, after), loses(api, { ...api, name: 'Web' })]).toEqual([true, false]);
  });

  test('but not when it is known at first', () => {
    const world = new WorldState(mapping(), SETTINGS);
    const touched = world.putDirectory('main', [web(['x'])], world.beginRead(), NOW);
    expect([touched.clients, touched.losing.size]).toEqual([[WEB], 0]);
  });

  test.each<readonly [string, OAuthClient, OAuthClient]>([
    ['more scopes', web(['orders']), web(['orders', 'billing'])],
    ['another name', web(['orders']), { ...web(['orders']), name: 'Web' }],
    ['the service named at last', web(['orders'], { 'consul-services': '' }), web(['orders'])],
    ['a kind that may use the scope at last', web(['orders'], { actor: 'agent' }), web(['orders'])],
  ])('and not with %s', (_, before, after) => {
    expect(loses(before, after)).toBe(false);
  });
});
