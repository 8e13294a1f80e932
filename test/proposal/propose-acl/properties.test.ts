import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rulesOf } from '../../../src/acl/plan/granted-rules.js';
import { parseRules } from '../../../src/acl/plan/rules-text.js';
import { Authorizer } from '../../../src/embedded/consul/acl/authorizer.js';
import { namedResources, parseAclRules, scalarResources } from '../../../src/embedded/consul/acl/rules.js';
import type { AclToken } from '../../../src/model/acl.js';
import { classify } from '../../../src/plan/actor.js';
import { createPatternCompiler } from '../../../src/plan/pattern.js';
import { aclToken, identityRules } from '../../acl/plan/acl-scene.js';
import { client, mapping } from '../../plan/scene.js';
import { acl, claimOf, policyOf, proposed, roleOf } from '../scene-proposal-acl.js';

const NAMES = ['', 'a', 'ab'] as const;
const LEVELS = ['deny', 'read', 'write'] as const;
const ruleText = fc
  .tuple(
    fc.constantFrom('key', 'service', 'node'),
    fc.boolean(),
    fc.constantFrom(...NAMES),
    fc.constantFrom(...LEVELS),
  )
  .map(
    ([word, isPrefix, on, policy]) => `${word}${isPrefix ? '_prefix' : ''} "${on}" { policy = "${policy}" }`,
  );
const POLICIES = ['a-read', 'ab-write', 'all'] as const;
const SCOPES = ['a:read', 'a', 'ab:write', 'all', 'other'] as const;
const CLIENTS = ['web', 'job', 'bot'] as const;

/** How a token may look that is of a client, and one that is of no client and looks like it. */
const LOOKS: Readonly<Record<'own' | 'alike', (id: string) => fc.Arbitrary<Partial<AclToken>>>> = {
  own: (id) =>
    fc.oneof(
      fc.constantFrom(id, `token of ${id}`, `client=${id}, by Ann`).map((description) => ({ description })),
      fc.constant({ roles: [id] }),
      fc.constant({ serviceIdentities: [`${id}-service`] }),
    ),
  alike: (id) =>
    fc.oneof(
      fc
        .constantFrom(`key for ${id}`, `token of ${id} of KV`, `${id}: x`, `client=${id}-2`)
        .map((description) => ({ description })),
      fc.constantFrom([id], [`${id}-service`, 'x']).map((serviceIdentities) => ({ serviceIdentities })),
      fc.constantFrom(...CLIENTS).map((other) => ({ description: `${id} and ${other}` })),
    ),
};
const CLAIMS = CLIENTS.flatMap((id) => [claimOf(`${id}-service`, 'claim', id), claimOf(id, 'name', id)]);

const someAcl = fc.record({
  policies: fc.tuple(...POLICIES.map(() => fc.uniqueArray(ruleText, { minLength: 1, maxLength: 2 }))),
  clients: fc.tuple(
    ...CLIENTS.map((id) =>
      fc
        .tuple(fc.subarray([...SCOPES]), fc.constantFrom(true, true, false))
        .map(([scopes, enabled]) => client(id, scopes, { enabled })),
    ),
  ),
  tokens: fc.uniqueArray(
    fc.tuple(fc.constantFrom(...CLIENTS), fc.constantFrom('own', 'own', 'alike')).chain(([id, kind]) =>
      fc.record({
        holder: fc.constant(kind === 'own' ? id : undefined),
        looks: LOOKS[kind](id),
        policies: fc.subarray([...POLICIES], { minLength: 1 }),
      }),
    ),
    { maxLength: 6, selector: (each) => JSON.stringify(each) },
  ),
});

describe('a proposal of acl: rules for any Consul', () => {
  it('gives no client a right that none of its tokens has, as Consul decides', () => {
    const decider = (rules: readonly string[]) =>
      new Authorizer('a', rules.map(parseAclRules), { named: false, acl: false });
    const compile = createPatternCompiler();
    let given = 0;
    fc.assert(
      fc.property(someAcl, ({ policies, clients, tokens }) => {
        const rulesOfPolicy = new Map(POLICIES.map((name, at) => [name, (policies[at] ?? []).join('\n')]));
        const objects = {
          policies: [...rulesOfPolicy].map(([name, text]) => policyOf(name, text)),
          roles: CLIENTS.map((id) => roleOf(id, [])),
        };
        const all = tokens.map(({ looks, policies: of }, at) =>
          aclToken(`t${at}`, { ...looks, policies: of }),
        );
        const { rules } = proposed({ clients, tokens: all, objects, claims: CLAIMS });
        const after = mapping({ acl, rules: rules.map(({ rule }) => rule) });
        for (const each of clients) {
          const enabled = { ...each, enabled: true };
          const got = rulesOf(enabled, classify(each, after), after, compile, parseRules).policies;
          if (got.length === 0) continue;
          given++;
          const next = decider(got.map(({ rules: text }) => text));
          const had = tokens
            .filter(({ holder }) => holder === each.clientId)
            .map(({ policies: of, looks }) =>
              decider([
                ...of.map((name) => rulesOfPolicy.get(name) ?? ''),
                ...(looks.serviceIdentities ?? []).map(identityRules),
              ]),
            );
          for (const resource of [...scalarResources, ...namedResources, 'intention'] as const)
            for (const access of ['read', 'list', 'write'] as const)
              for (const on of ['', 'a', 'ab', 'abc', 'b', '*'])
                if (next.isAllowed(resource, access, on))
                  expect([
                    resource,
                    access,
                    on,
                    had.some((one) => one.isAllowed(resource, access, on)),
                  ]).toEqual([resource, access, on, true]);
        }
      }),
      { numRuns: 60 },
    );
    expect(given).toBeGreaterThan(0);
  });
});
