import { expect, test } from 'vitest';
import { firstLoginFindings } from '../../../src/cli/doctor/first-login-findings.js';
import type { Mapping } from '../../../src/model/rule.js';
import { WorldState } from '../../../src/state/world-state.js';
import { settings } from '../../acl/plan/acl-scene.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entry,
  mapping,
  NOW,
  ourSource,
  SETTINGS,
  source,
} from '../../plan/scene.js';

function found(changes: Partial<Mapping> = {}) {
  const acl = settings({ firstLogin: true });
  const world = new WorldState(mapping({ acl, protectedServices: ['vault'], ...changes }), SETTINGS);
  const ids = ['web', 'shop', 'vault', 'old'];
  const clients = [
    ...ids.map((id) => client(id, [])),
    client('older', [], { attributes: { 'consul-services': 'old' } }),
  ];
  world.putDirectory('main', clients, world.beginRead(), NOW);
  world.putCatalog(
    { services: [claiming('web', 'web')], protocols: new Map(), defaultProtocol: 'http' },
    NOW,
  );
  const allows = [source('shop', ALLOW), source('web', ALLOW), ourSource('old', ALLOW)];
  world.putEntries([entry('billing', ...allows), entry('orders', source('shop', DENY))], NOW);
  return firstLoginFindings(world, NOW).map(({ id, severity, message }) => [id, severity, message]);
}

test('names the clients that may log in before a registration, and what others allow their services', () => {
  expect(found()).toEqual([
    ['logins.first', 'notice', expect.stringMatching(/they alone name it: main\/shop as shop$/)],
    [
      'logins.foreign',
      'warning',
      'main/shop as shop may log in before a registration, and intentions that scopemesh does not own allow shop to call billing',
    ],
  ]);
});

test('says nothing where a login needs a registration', () => {
  expect(found({ acl: settings() })).toEqual([]);
  expect(found({ claims: 'first' })).toEqual([]);
});
