import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { serviceTokens } from '../../../src/acl/plan/service-tokens.js';
import type { GrantObjects } from '../../../src/acl/plan/token-power.js';
import { Authorizer } from '../../../src/embedded/consul/acl/authorizer.js';
import { parseAclRules } from '../../../src/embedded/consul/acl/rules.js';
import { type AclToken, MANAGEMENT_POLICY_ID } from '../../../src/model/acl.js';
import { aclToken } from './acl-scene.js';

function objectsOf(policies: Readonly<Record<string, string>>): GrantObjects {
  return {
    roles: [],
    policies: Object.entries(policies).map(([name, rules]) => ({
      id: name === 'all' ? MANAGEMENT_POLICY_ID : name,
      object: { name, description: '', rules },
      isAltered: false,
      modifyIndex: 1,
    })),
  };
}

describe('the tokens that a sidecar could run with', () => {
  const objects = objectsOf({
    all: '',
    every: 'service_prefix "" { policy = "write" }',
    some: 'service_prefix "we" { policy = "write" }',
    denied: 'service "web" { policy = "deny" }',
    reads: 'service_prefix "" { policy = "read" }',
    odd: 'namespace "x" { policy = "write" }',
  });
  const tokens = [
    aclToken('identity', { serviceIdentities: ['web'] }),
    aclToken('another', { serviceIdentities: ['api'] }),
    aclToken('management', { policies: ['all'] }),
    aclToken('every', { policies: ['every'] }),
    aclToken('some', { policies: ['some', 'reads'] }),
    aclToken('denied', { policies: ['denied', 'every'] }),
    aclToken('reads', { policies: ['reads'] }),
    aclToken('odd', { policies: ['odd'] }),
    aclToken('template', { templatedPolicies: ['builtin/service'] }),
  ];

  test('are those that may write the service: of its own, of every service, or of unknown services', () => {
    const web = serviceTokens(['web'], tokens, objects).get('web');
    const ids = (each: readonly AclToken[] | undefined) =>
      each?.map(({ accessorId }) => accessorId).toSorted();
    expect(ids(web?.own)).toEqual(['identity', 'some']);
    expect(ids(web?.wide)).toEqual(['every', 'management']);
    expect(ids(web?.unclear)).toEqual(['odd', 'template']);
  });

  test('are what Consul decides, over rules of any length and strength', () => {
    const rule = fc
      .tuple(
        fc.boolean(),
        fc.constantFrom('', 'w', 'we', 'web', 'webs'),
        fc.constantFrom('deny', 'read', 'write'),
      )
      .map(
        ([isPrefix, name, policy]) =>
          `service${isPrefix ? '_prefix' : ''} "${name}" { policy = "${policy}" }`,
      );
    fc.assert(
      fc.property(fc.uniqueArray(rule, { minLength: 1, maxLength: 5 }), (rules) => {
        const named = Object.fromEntries(rules.map((text, at) => [`p${at}`, text]));
        const only = aclToken('a', { policies: Object.keys(named) });
        const found = serviceTokens(['web'], [only], objectsOf(named)).get('web');
        const decider = new Authorizer('a', rules.map(parseAclRules), { named: false, acl: false });
        const may = (found?.own.length ?? 0) + (found?.wide.length ?? 0) === 1;
        expect(may).toBe(decider.isAllowed('service', 'write', 'web'));
        expect(found?.unclear).toEqual([]);
      }),
    );
  });
});
