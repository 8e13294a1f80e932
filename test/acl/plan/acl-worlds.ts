import fc from 'fast-check';
import { desiredPeople } from '../../../src/acl/plan/desired-people.js';
import type { DesiredAcl } from '../../../src/acl/plan/login.js';
import type { OAuthClient } from '../../../src/model/client.js';
import { aclRule, client, desire, ISSUER, loginProvider, mapping, settings, together } from './acl-scene.js';
import type { AclStore, Principal } from './acl-store.js';

const CLIENTS = ['web', 'Web', 'api', 'a"b', 'auth0|1'] as const;
const SCOPES = ['config:read', 'orders:write', 'web:keys'] as const;
const SUBJECTS = ['auth0|1', 'a@b.c', 'web'] as const;
const GROUPS = ['oncall', 'admins'] as const;
const SERVICES = ['web', 'api'] as const;

const RULES = [
  aclRule('config:read', 'key_prefix "config/" { policy = "read" }'),
  aclRule('orders:write', 'key "orders" { policy = "write" } service "orders" { policy = "read" }'),
  aclRule('{name}:keys', 'key_prefix "{name}/" { policy = "write" }'),
];
const GROUP_RULES = [
  { group: 'oncall', acl: 'service_prefix "" { policy = "read" }' },
  { group: 'admins', acl: 'operator = "read"' },
];

/** What the identity provider, the catalog and the configuration say together. */
export const someDesired: fc.Arbitrary<DesiredAcl> = fc
  .record({
    clients: fc.uniqueArray(
      fc.record({
        clientId: fc.constantFrom(...CLIENTS),
        scopes: fc.uniqueArray(fc.constantFrom(...SCOPES), { maxLength: 3 }),
        services: fc.uniqueArray(fc.constantFrom(...SERVICES), { maxLength: 1 }),
        enabled: fc.integer({ min: 0, max: 5 }).map((at) => at > 0),
        lifetime: fc.constantFrom(60, 300, 3600),
        isPeoples: fc.boolean(),
      }),
      { maxLength: 4, selector: (each) => each.clientId },
    ),
    audience: fc.constantFrom('consul', 'consul', 'consul', 'other'),
    login: fc.boolean(),
    members: fc.dictionary(
      fc.constantFrom(...GROUPS),
      fc.uniqueArray(fc.constantFrom(...SUBJECTS), { maxLength: 3 }),
      { noNullPrototype: true },
    ),
    groups: fc.subarray([...GROUP_RULES]),
  })
  .map(({ clients, audience, login, members, groups }) => {
    const where = settings({
      login,
      groups,
      providers: new Map([['main', loginProvider({ audience })]]),
    });
    const people = desiredPeople({
      provider: 'main',
      mapping: mapping(),
      settings: where,
      members: new Map(Object.entries(members)),
    });
    return together(
      ...clients.map(({ clientId, scopes, services, enabled, lifetime, isPeoples }) => {
        const of: OAuthClient = client(clientId, scopes, {
          enabled,
          accessTokenLifetimeSeconds: lifetime,
          grantTypes: [isPeoples ? 'authorization_code' : 'client_credentials'],
        });
        return desire(of, { mapping: { rules: RULES }, settings: where, services }).desired;
      }),
      people.desired ?? together(),
    );
  });

/** Everybody who could try: clients for themselves, people at clients, people with groups, of either audience. */
export const PRINCIPALS: readonly Principal[] = ['consul', 'other'].flatMap((audience) =>
  [
    ...CLIENTS.flatMap((azp) => [
      { azp, client_id: azp, sub: `service-account-${azp}` },
      { azp, sub: 'a@b.c' },
    ]),
    ...SUBJECTS.map((sub) => ({ azp: 'portal', sub, groups: ['oncall'] })),
    { azp: 'portal', sub: 'a@b.c', groups: ['oncall', 'admins'] },
    { azp: 'portal', sub: 'mallory', groups: ['oncall', 'admins'] },
  ].map((claims) => ({ issuer: ISSUER, audience, claims })),
);

/** Something that somebody did by hand to one of our objects, or beside them. */
export type Tampering = (store: AclStore) => void;

const at = <T>(all: ReadonlyMap<string, T>, index: number): readonly [string, T] | undefined =>
  all.size === 0 ? undefined : [...all][index % all.size];

export const someTampering: fc.Arbitrary<Tampering> = fc
  .tuple(fc.integer({ min: 0, max: 13 }), fc.nat(20))
  .map(([what, index]) => (store) => {
    const policy = at(store.policies, index);
    const role = at(store.roles, index);
    const method = at(store.methods, index);
    const rule = at(store.rules, index);
    if (what === 0 && policy !== undefined)
      store.policies.set(policy[0], { ...policy[1], rules: '{"operator":"write"}' });
    if (what === 1 && role !== undefined && policy !== undefined)
      store.roles.set(role[0], {
        ...role[1],
        policyIds: [...new Set([...role[1].policyIds, policy[0]])],
      });
    if (what === 2 && role !== undefined) store.roles.set(role[0], { ...role[1], policyIds: [] });
    if (what === 3 && role !== undefined)
      store.roles.set(role[0], { ...role[1], serviceIdentities: ['vault'] });
    if (what === 4 && rule !== undefined)
      store.rules.set(rule[0], { ...rule[1], selector: '"subject" in value or "client_id" in value' });
    if (what === 5 && rule !== undefined)
      store.write(undefined, { kind: 'acl-binding-rule', object: rule[1] });
    if (what === 6 && rule !== undefined && role !== undefined)
      store.rules.set(rule[0], { ...rule[1], bindName: role[1].name });
    if (what === 7 && method !== undefined)
      store.methods.set(method[0], {
        ...method[1],
        config: { ...method[1].config, boundAudiences: [] },
      });
    if (what === 8 && method !== undefined)
      store.methods.set(method[0], { ...method[1], maxTokenTtlSeconds: index % 2 === 0 ? 0 : 86_400 });
    if (what === 9 && method !== undefined) store.remove('acl-auth-method', method[0]);
    if (what === 10 && role !== undefined) store.remove('acl-role', role[0]);
    if (what === 11 && role !== undefined) store.roles.set(role[0], { ...role[1], isAltered: true });
    if (what === 12 && method !== undefined) store.methods.set(method[0], { ...method[1], isAltered: true });
    if (what === 13 && role !== undefined)
      store.roles.set(role[0], { ...role[1], description: 'scopemesh:pay by hand' });
  });

/** An object of somebody else where one of ours may be wanted. */
export const someForeign: fc.Arbitrary<Tampering> = fc
  .tuple(
    fc.constantFrom('policy', 'role', 'method'),
    fc.nat(20),
    fc.constantFrom('', 'scopemesh:payments', 'Mine'),
  )
  .map(([kind, index, description]) => (store) => {
    const disown = <T extends object>(all: Map<string, T>) => {
      const one = at(all, index);
      if (one !== undefined) all.set(one[0], { ...one[1], description });
    };
    if (kind === 'policy') disown(store.policies);
    else if (kind === 'role') disown(store.roles);
    else disown(store.methods);
  });
