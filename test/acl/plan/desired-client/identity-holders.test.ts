import { describe, expect, it } from 'vitest';
import { desiredClient } from '../../../../src/acl/plan/desired-client.js';
import {
  type FirstLoginFacts,
  firstLogins,
  isGained,
  isYielded,
} from '../../../../src/acl/plan/first-logins.js';
import { clientName } from '../../../../src/plan/object-names.js';
import { clientText } from '../../../../src/plan/world.js';
import { aclRule, claimed, client, desire, mapping, named, READ_CONFIG, settings } from '../acl-scene.js';

const WEB = { provider: 'main', clientId: 'web' };
const login = (changes: Partial<Parameters<typeof isGained>[0]> = {}) => ({
  service: named('web'),
  isCertain: true,
  rivals: 0,
  examples: [],
  ...changes,
});

describe('an identity before any instance is registered', () => {
  it('is gained only for certain, without a rival and without another holder', () => {
    expect(isGained(login())).toBe(true);
    expect(isGained(login({ holders: [] }))).toBe(true);
    expect(isGained(login({ isCertain: false }))).toBe(false);
    expect(isGained(login({ rivals: 1 }))).toBe(false);
    expect(isGained(login({ holders: ['a-role'] }))).toBe(false);
  });

  it('is given up only to another owner of scopemesh whose role sorts first', () => {
    const of = (...holders: readonly string[]) => isYielded(WEB, 'pay', login({ holders }));
    expect(clientName('pay', WEB)).toBe('scopemesh-pay-main-web');
    expect(of('scopemesh-a-main-web')).toBe(true);
    expect(of('SCOPEMESH-A-main-web')).toBe(true);
    expect(of('scopemesh-z-main-web')).toBe(false);
    expect(of('a-role')).toBe(false);
    expect(of('scopemesh-pay-main-api')).toBe(false);
    expect(isYielded(WEB, 'pay', login())).toBe(false);
  });

  it('is not given where another role has it, and the hold names the first roles', () => {
    const of = (holders: readonly string[], former?: readonly string[]) =>
      desiredClient({
        client: client('web', []),
        mapping: mapping(),
        settings: settings({ firstLogin: true }),
        claimStatuses: [],
        firstLogins: [login({ holders })],
        former:
          former === undefined
            ? undefined
            : { name: 'x', description: '', policies: [], serviceIdentities: former },
        existingTtlSeconds: undefined,
        clientBlock: undefined,
      });
    const identities = (...args: Parameters<typeof of>) =>
      of(...args).desired.roles[0]?.serviceIdentities ?? [];
    expect(identities([])).toEqual(['web']);
    expect(identities(['a-role'])).toEqual([]);
    expect(of(['a-role']).holds).toMatchObject([
      { reason: 'ClaimAmbiguous', detail: expect.stringContaining('"a-role"') },
    ]);
    expect(identities(['a-role'], ['web'])).toEqual(['web']);
    expect(of(['a-role'], ['web']).holds).toEqual([]);
    expect(identities(['scopemesh-a-main-web'], ['web'])).toEqual([]);
    expect(of(['scopemesh-a-main-web'], ['web']).holds).toMatchObject([{ reason: 'ClaimAmbiguous' }]);
  });

  it('is of one client alone, of all that name it at configured providers', () => {
    const others = (count: number) =>
      new Map(
        ['web', ...Array.from({ length: count }, (_, at) => `c${String(at).padStart(2, '0')}`)].map(
          (clientId) => {
            const id = { provider: 'main', clientId };
            return [clientText(id), id] as const;
          },
        ),
      );
    const of = (named_: ReadonlyMap<string, typeof WEB>, changes: Partial<FirstLoginFacts> = {}) =>
      firstLogins(client('web', []), {
        mapping: mapping({ acl: settings({ firstLogin: true }) }),
        isComplete: true,
        claimStatuses: new Map(),
        isRegistered: () => false,
        namedBy: () => named_,
        ...changes,
      });
    expect(of(others(0))).toMatchObject([{ rivals: 0, examples: [], isCertain: true }]);
    expect(of(others(4))).toMatchObject([
      { rivals: 4, examples: ['c00', 'c01', 'c02'].map((clientId) => ({ provider: 'main', clientId })) },
    ]);
    expect(of(others(19))[0]).toMatchObject({ rivals: 19, examples: [{}, {}, {}] });
    expect(of(others(20))[0]).toMatchObject({ rivals: 20, examples: [] });
    const far = { provider: 'far', clientId: 'web' };
    expect(of(new Map([...others(0), [clientText(far), far]]))[0]?.rivals).toBe(0);
    expect(of(others(0), { isComplete: false })[0]?.isCertain).toBe(false);
    expect(of(others(0), { isRegistered: () => true })).toEqual([]);
    const outside = { kind: 'none', service: named('web'), vanished: true, isOutside: true } as const;
    const key = 'default/default/web';
    expect(of(others(0), { claimStatuses: new Map([[key, outside]]) })).toEqual([]);
    expect(of(others(0), { claimStatuses: new Map([[key, claimed(WEB, 'web')]]) })).toEqual([]);
    const { isOutside: _, ...none } = outside;
    expect(of(others(0), { claimStatuses: new Map([[key, none]]) })).toHaveLength(1);
    expect(
      firstLogins(client('web', [], { enabled: false }), {
        ...({} as FirstLoginFacts),
        mapping: mapping({ acl: settings({ firstLogin: true }) }),
      }),
    ).toEqual([]);
  });
});

describe('a client in quarantine', () => {
  const closed = { clientBlock: 'ClientQuarantined' as const };
  it('is held where it would have ACL objects, by rules or by an identity, and not otherwise', () => {
    const reasons = (...args: Parameters<typeof desire>) => desire(...args).holds.map(({ reason }) => reason);
    expect(reasons(client('web', ['config:read']), closed)).toEqual(['ClientQuarantined']);
    expect(reasons(client('web', []), { ...closed, services: ['web'] })).toEqual(['ClientQuarantined']);
    expect(reasons(client('web', []), closed)).toEqual([]);
    const off = { ...closed, services: ['web'], settings: { login: false } };
    expect(reasons(client('web', []), off)).toEqual([]);
    const rules = { rules: [aclRule('config:read', READ_CONFIG)] };
    expect(reasons(client('web', ['config:read']), { ...off, mapping: rules })).toEqual([
      'ClientQuarantined',
    ]);
  });
});
