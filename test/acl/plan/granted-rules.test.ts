import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NOTHING_DESIRED } from '../../../src/acl/plan/login.js';
import { aclRule, client, desire, hostileText, mapping, READ_CONFIG } from './acl-scene.js';

const web = client('web', ['config:read']);

describe('a scope gives ACL rules', () => {
  test('exactly what the rule says, for every text of the scope', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          hostileText,
          hostileText.map((text) => `${text}:keys`),
        ),
        (scope) => {
          const { desired, holds } = desire(client('web', [scope]), {
            mapping: { rules: [aclRule('{name}:keys', 'key_prefix "apps/{name}/" { policy = "write" }')] },
          });
          const name = /^([a-z0-9][a-z0-9-]{0,127}):keys$/.exec(scope)?.[1];
          if (name !== undefined)
            expect(JSON.parse(desired.policies[0]?.rules ?? '')).toEqual({
              key_prefix: { [`apps/${name}/`]: { policy: 'write' } },
            });
          else
            expect([desired, holds.every(({ reason }) => reason === 'InvalidRules')]).toEqual([
              NOTHING_DESIRED,
              true,
            ]);
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each([
    ['service "{name}" { policy = "write" }', 'vault', 'ProtectedDestination'],
    ['service_prefix "{name}-" { policy = "write" }', 'vault', undefined],
    ['service_prefix "v{name}t" { policy = "read" }', 'aul', 'ProtectedDestination'],
    ['service_prefix "v{name}u" { policy = "read" }', 'a', 'ProtectedDestination'],
    ['service_prefix "v{name}" { policy = "write" }', 'a', 'InvalidRules'],
    ['service_prefix "v{name}u" { policy = "read" }', 'b', undefined],
    ['service "v{name}u" { policy = "read" }', 'a', undefined],
    ['service "{name}" { policy = "write" }', 'web', undefined],
    ['service "vault" { policy = "read" }', 'web', undefined],
  ])('%s with %j holds %j', (acl, name, reason) => {
    const { holds } = desire(client('web', [`${name}:x`]), {
      mapping: { rules: [aclRule('{name}:x', acl)], protectedServices: ['vault'] },
    });
    expect(holds.map((hold) => hold.reason)).toEqual(reason === undefined ? [] : [reason]);
  });

  test.each([
    [
      'that its kind may never use',
      { limits: { ...mapping().limits, workload: { never: ['config:*'] } } },
      'limited',
    ],
    [
      'that is for other kinds',
      { rules: [aclRule('config:read', READ_CONFIG, { actors: ['human'] })] },
      'limited',
    ],
    [
      'that asks for a user',
      { rules: [aclRule('config:read', READ_CONFIG, { userRequired: true })] },
      'UserTokenUnenforceable',
    ],
    ['whose rules cannot be read', { rules: [aclRule('config:read', 'nothing "a" {}')] }, 'InvalidRules'],
    ['of another API', { rules: [aclRule('config:read', READ_CONFIG, { api: 'x' })] }, 'nothing'],
    ['of another provider', { rules: [aclRule('config:read', READ_CONFIG, { provider: 'x' })] }, 'nothing'],
    ['where it is not said of which provider', { providers: ['main', 'x'] }, 'nothing'],
  ])('but none %s', (_, changes, expected) => {
    const { desired, holds, limited } = desire(web, { mapping: changes });
    expect(desired).toEqual(NOTHING_DESIRED);
    expect(limited).toEqual(expected === 'limited' ? ['config:read'] : []);
    expect(holds.map((hold) => hold.reason)).toEqual(
      ['limited', 'nothing'].includes(expected) ? [] : [expected],
    );
  });
});
