import { describe, expect, test } from 'vitest';
import { desiredClient } from '../../../../src/acl/plan/desired-client.js';
import type { FirstLogin } from '../../../../src/acl/plan/first-logins.js';
import { NOTHING_DESIRED } from '../../../../src/acl/plan/login.js';
import type { ClaimStatus } from '../../../../src/plan/claim-status.js';
import { createSelection } from '../../../../src/plan/selection.js';
import { aclRule, claimed, client, desire, mapping, named, READ_CONFIG, settings } from '../acl-scene.js';

describe('a claimed service gives its identity', () => {
  const of = client('web', []);

  test('where login is on', () => {
    const { desired } = desire(of, { services: ['web', 'api'] });
    expect(desired.roles[0]).toMatchObject({ policies: [], serviceIdentities: ['api', 'web'] });
    expect(desired.bindingRules).toHaveLength(1);
  });

  test.each([
    ['vault', 'ProtectedDestination'],
    ['Web', 'InvalidServiceName'],
    ['web.1', 'InvalidServiceName'],
  ])('not to %j, and that is held', (service, reason) => {
    const { desired, holds } = desire(of, {
      services: [service],
      mapping: { protectedServices: ['vault'] },
    });
    expect(desired).toEqual(NOTHING_DESIRED);
    expect(holds.map((hold) => hold.reason)).toEqual([reason]);
    expect(holds[0]?.detail).toContain(`the service "${service}"`);
    expect(holds[0]?.detail).toMatch(/; (rename|remove) /);
  });

  test('to no client that acts for people, and that is held with the services and what to do', () => {
    const { desired, holds } = desire(of, {
      services: ['web', 'api'],
      mapping: { limits: { ...mapping().limits, workload: { never: [], onBehalfOf: 'human' } } },
    });
    expect(desired).toEqual(NOTHING_DESIRED);
    expect(holds).toMatchObject([
      { reason: 'UserTokenUnenforceable', detail: expect.stringMatching(/ api, web\. Give .* login: off/) },
    ]);
  });

  const standingOf = (claimStatuses: readonly ClaimStatus[] | undefined, had: readonly string[]) =>
    desiredClient({
      client: of,
      mapping: mapping(),
      settings: settings(),
      claimStatuses,
      former:
        had.length === 0
          ? undefined
          : { name: 'x', description: '', policies: [], serviceIdentities: [...had] },
      clientBlock: undefined,
    }).desired.roles[0]?.serviceIdentities;

  const service = named('web');
  test.each<readonly [string, readonly ClaimStatus[] | undefined, readonly string[] | undefined]>([
    ['whose instances disagree', [claimed(of, 'web', true)], ['web']],
    [
      'whose claim is not recorded',
      [{ kind: 'unrecorded', service, client: of, addNothing: false }],
      ['web'],
    ],
    ['whose directory was not read', [{ kind: 'unknown', service, client: of }], ['web']],
    ['while the catalog was not read', undefined, ['web']],
    ['that claims it no longer', [{ kind: 'none', service, vanished: false }], undefined],
    ['that claims another client', [claimed({ provider: 'main', clientId: 'api' }, 'web')], undefined],
    [
      'that the client does not name',
      [{ kind: 'refused', service, client: of, reason: 'ClaimUnconfirmed', detail: '' }],
      undefined,
    ],
  ])('%s: only what existed may stay', (_, claimStatuses, kept) => {
    expect(standingOf(claimStatuses, ['web'])).toEqual(kept);
    expect(standingOf(claimStatuses, [])).toBeUndefined();
  });
});

describe('a service without instances gives its identity to the client that names it', () => {
  const of = client('web', []);
  const first = (name: string, changes: Partial<FirstLogin> = {}): FirstLogin => ({
    service: named(name),
    rivals: 0,
    examples: [],
    isCertain: true,
    ...changes,
  });
  const rivals = { rivals: 1, examples: [{ provider: 'main', clientId: 'api' }] };
  const given = (
    firstLogins: readonly FirstLogin[],
    had: readonly string[] = [],
    changes: Partial<Parameters<typeof mapping>[0]> = {},
    claimStatuses: readonly ClaimStatus[] = [],
  ) =>
    desiredClient({
      client: of,
      mapping: mapping(changes),
      settings: settings({ firstLogin: true }),
      claimStatuses,
      firstLogins,
      former: { name: 'x', description: '', policies: [], serviceIdentities: had },
      clientBlock: undefined,
    });
  const delegated = {
    limits: { ...mapping().limits, workload: { never: [], onBehalfOf: 'human' as const } },
  };

  test.each<
    readonly [
      string,
      Parameters<typeof given>,
      identities: readonly string[] | undefined,
      reasons: readonly string[],
    ]
  >([
    ['it alone certainly names it', [[first('web')]], ['web'], []],
    ['another client names it, so it gains nothing', [[first('web', rivals)]], undefined, ['ClaimAmbiguous']],
    [
      'another client names it, and it has it',
      [[first('web', rivals)], ['web']],
      ['web'],
      ['ClaimAmbiguous'],
    ],
    ['it is not certain, so it gains nothing', [[first('web', { isCertain: false })]], undefined, []],
    ['it is not certain, and it has it', [[first('web', { isCertain: false })], ['web']], ['web'], []],
    [
      'the service is protected',
      [[first('vault')], ['vault'], { protectedServices: ['vault'] }],
      undefined,
      ['ProtectedDestination'],
    ],
    ['the name is invalid for an identity', [[first('Web')]], undefined, ['InvalidServiceName']],
    [
      'it is in another partition than the configured one',
      [[first('web')], [], { place: { partition: 'eu', namespace: 'default' } }],
      undefined,
      ['InvalidServiceName'],
    ],
    [
      'it is in the configured partition',
      [
        [{ ...first('web'), service: { ...named('web'), partition: 'eu' } }],
        [],
        { place: { partition: 'eu', namespace: 'default' } },
      ],
      ['web'],
      [],
    ],
    [
      'the client must act for a human',
      [[first('web')], [], delegated],
      undefined,
      ['UserTokenUnenforceable'],
    ],
    [
      'the service is outside the selection',
      [[first('web', rivals)], [], { select: createSelection({ services: ['api'] }) }],
      undefined,
      [],
    ],
  ])('%s: of services that it names', (_, input, identities, reasons) => {
    const { desired, holds, namedServices } = given(...input);
    expect(desired.roles[0]?.serviceIdentities).toEqual(identities);
    expect(namedServices).toEqual(identities ?? []);
    expect(holds.map(({ reason }) => reason)).toEqual(reasons);
  });

  test('and says who else names it', () => {
    expect(given([first('web', rivals)]).holds[0]?.detail).toContain(
      'another client ("main/api") also names it',
    );
    const many = { rivals: 5_000, examples: [] };
    expect(given([first('web', many)]).holds[0]?.detail).toContain('5000 other clients also name it');
  });

  test('beside the services that claim the client, which do not rest on the name', () => {
    const { desired, namedServices } = given([first('web')], [], {}, [claimed(of, 'api')]);
    expect(desired.roles[0]?.serviceIdentities).toEqual(['api', 'web']);
    expect(namedServices).toEqual(['web']);
  });
});

describe('people who log in by a client that names a service', () => {
  const people = client('web', ['config:read'], { grantTypes: ['authorization_code'] });
  const first: FirstLogin = { service: named('api'), rivals: 0, examples: [], isCertain: true };
  const given = (changes: Partial<Parameters<typeof desiredClient>[0]>) =>
    desiredClient({
      client: people,
      mapping: mapping({ rules: [aclRule('config:read', READ_CONFIG)] }),
      settings: settings({ firstLogin: true }),
      claimStatuses: [],
      firstLogins: [first],
      former: undefined,
      clientBlock: undefined,
      ...changes,
    });

  test('still log in: the name gives no identity', () => {
    const { desired, holds, namedServices, actorKind } = given({ existingProof: 'any' });
    expect(actorKind).toBe('human');
    expect(desired).toEqual(given({ firstLogins: [] }).desired);
    expect(desired.bindingRules[0]?.selector).not.toContain('own_token');
    expect(namedServices).toEqual([]);
    expect(holds).toMatchObject([{ reason: 'LoginUnverifiable', detail: expect.stringContaining('api') }]);
  });

  test.each<[string, Parameters<typeof given>[0]]>([
    ['it is a new client', {}],
    ['its tokens had to prove it already', { existingProof: 'own' }],
    ['an instance claims it', { existingProof: 'any', claimStatuses: [claimed(people, 'api')] }],
  ])('do not any more where %s', (_, changes) => {
    expect(given(changes).desired.roles[0]?.serviceIdentities).toEqual(['api']);
  });
});
