import { expect, test } from 'vitest';
import { AclState } from '../../../src/acl/apply/acl-state.js';
import { warnOfFirstLogins } from '../../../src/acl/job/warn-of-first-logins.js';
import { planClientAcl } from '../../../src/acl/state/plan-client-acl.js';
import { WorldState } from '../../../src/state/world-state.js';
import { client, mapping, NOW, SETTINGS } from '../../plan/scene.js';
import { settings } from '../plan/acl-scene.js';

test('the first comparison with clients that gain a login by a name alone warns of some of them, once', () => {
  const world = new WorldState(mapping({ acl: settings({ firstLogin: true }) }), SETTINGS);
  const acl = new AclState();
  const actual = { policies: [], roles: [], authMethods: [], bindingRules: [] };
  world.putCatalog({ services: [], protocols: new Map(), defaultProtocol: 'http' }, NOW);
  acl.cache.replaceAll(actual, world.beginRead());
  const clients = Array.from({ length: 30 }, (_, index) => client(`web-${index}`, []));
  world.putDirectory('main', clients, world.beginRead(), NOW);
  const facts = {
    actual,
    lastApplied: new Map(),
    evidence: [],
    grantReason: 'ScopeGranted',
    plansNarrowing: true,
  } as const;
  const plans = clients.map((each) => planClientAcl(each, facts, { world, acl }, NOW));
  const warnings: unknown[] = [];
  const logger = { warn: (...each: readonly unknown[]) => warnings.push(each) } as never;
  warnOfFirstLogins([], { acl, logger });
  expect(warnings).toEqual([]);
  warnOfFirstLogins(plans, { acl, logger });
  warnOfFirstLogins(plans, { acl, logger });
  expect(warnings).toMatchObject([[{ count: 30 }, expect.stringContaining('login: registered')]]);
  expect(warnings).toMatchObject([
    [
      { logins: Array.from({ length: 20 }, (_, index) => ({ services: [`web-${index}`] })) },
      expect.anything(),
    ],
  ]);
});
