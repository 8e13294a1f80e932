import { describe, expect, it } from 'vitest';
import { recoverPendingJwtProviders, writeJwtProvider } from '../../src/apply/jwt-provider-write.js';
import type { DraftDecision } from '../../src/model/decision.js';
import type { ExistingJwtProvider, JwtProviderEntry } from '../../src/model/jwt-provider.js';
import {
  type GuardedJwtProvider,
  jwtProviderFacts,
  jwtProviderSubject,
} from '../../src/plan/jwt-provider-change.js';
import { entryText } from '../../src/plan/user-tokens.js';
import { NOW } from '../plan/scene.js';
import { CAUSE, NEVER, REJECTED, UNREACHABLE } from './apply-rig.js';
import { type TargetRig, targetRig } from './target-rig.js';

const KEY = 'jwt-providers';
const NAME = 'scopemesh-pay-main-_users';
const SUBJECT = jwtProviderSubject(NAME);
const entry = (issuer = 'https://sso'): JwtProviderEntry => ({
  name: NAME,
  issuer,
  audiences: ['mesh'],
  jwksUri: `${issuer}/certs`,
  meta: {},
});
const existing = (
  content: ExistingJwtProvider['content'] = entry(),
  modifyIndex = 7,
): ExistingJwtProvider => ({
  name: NAME,
  meta: {},
  content,
  modifyIndex,
});

const change = (
  before: ExistingJwtProvider | undefined,
  after: JwtProviderEntry | undefined,
  reason: GuardedJwtProvider['reason'] = 'ScopeGranted',
): GuardedJwtProvider => ({
  name: NAME,
  verb: after === undefined ? 'deleted' : before === undefined ? 'created' : 'updated',
  before,
  after,
  subject: SUBJECT,
  reason,
  narrows: before !== undefined,
  widens: before === undefined,
  isInferred: false,
});

function draftFor(of: GuardedJwtProvider, id: string, expectedIndex = 7): DraftDecision {
  return {
    id,
    type: `dev.scopemesh.jwt-provider.${of.verb}`,
    subject: SUBJECT,
    source: 'scopemesh/pay/test',
    ...jwtProviderFacts(of),
    cause: CAUSE,
    mappingRevision: 'sha256:test',
    expectedIndex,
    recordedAt: new Date(NOW).toISOString(),
  };
}

const write = (
  rig: TargetRig,
  each: GuardedJwtProvider,
  overtaken: readonly DraftDecision[] = [],
  cause = CAUSE,
  isAsPlanned?: () => boolean,
) => writeJwtProvider(KEY, each, overtaken, cause, rig.deps, NEVER, isAsPlanned);
const outcomes = ({ settled }: TargetRig) => settled.map(({ outcome, reason }) => `${outcome} ${reason}`);
const known = ({ world }: TargetRig) => world.userTokens.facts.entries?.get(NAME)?.content;

describe('the write of a jwt-provider', () => {
  it('is recorded, sent against what was read, settled and remembered', async () => {
    const rig = targetRig();
    const cause = { ...CAUSE, principal: { id: 'ann' } };
    expect(await write(rig, change(undefined, entry()), [], cause)).toEqual({ kind: 'written' });
    expect(rig.log).toEqual([
      `record ${KEY} ${NAME}`,
      `write ${NAME} at 0`,
      `settle ${KEY} ${NAME} applied`,
      'woke the relay',
    ]);
    expect(rig.settled).toMatchObject([
      {
        type: 'dev.scopemesh.jwt-provider.created',
        subject: SUBJECT,
        source: 'scopemesh/pay/test',
        action: 'grant',
        reason: 'ScopeGranted',
        scopes: [],
        principal: { id: 'ann' },
        before: null,
        after: { issuer: 'https://sso' },
        mappingRevision: 'sha256:test',
        consul: { modifyIndex: 50 },
      },
    ]);
    expect(rig.updates).toEqual([{ lastApplied: new Map([[SUBJECT, entryText(entry())]]) }]);
    expect(rig.world.userTokens.facts.entries?.get(NAME)).toMatchObject({
      content: entry(),
      modifyIndex: 50,
    });
    expect(rig.deps.contention.isContended(SUBJECT, NOW)).toBe(false);
  });

  it('that removes it forgets it', async () => {
    const rig = targetRig();
    rig.entries = [existing()];
    await write(rig, change(existing(), undefined, 'ScopeRevoked'));
    expect(rig.log).toContain(`delete ${NAME} at 7`);
    expect(rig.entries).toEqual([]);
    expect(rig.updates).toEqual([{ lastApplied: new Map([[SUBJECT, null]]) }]);
    expect(known(rig)).toBeUndefined();
    expect(Object.keys(rig.settled[0] ?? {})).not.toContain('principal');
  });

  it('that corrects what another writer did counts so, and is caused by nobody at the identity provider', async () => {
    const rig = targetRig();
    rig.entries = [existing('other')];
    await write(rig, change(existing('other'), entry(), 'DriftCorrected'));
    expect(rig.deps.contention.isContended(SUBJECT, NOW)).toBe(true);
    expect(rig.settled[0]?.cause.kind).toBe('consul-watch');
  });

  it('that Consul refuses is settled as refused and logged, and changes nothing here', async () => {
    const rig = targetRig();
    rig.before = () => {
      throw REJECTED;
    };
    expect(await write(rig, change(undefined, entry()))).toEqual({ kind: 'refused', error: REJECTED });
    expect(outcomes(rig)).toEqual(['failed ConsulRefused']);
    expect(rig.warnings).toEqual([expect.stringContaining('access that needs it stays closed')]);
    expect(known(rig)).toBeUndefined();
  });

  it('that loses the compare-and-set is read and planned again', async () => {
    const rig = targetRig();
    rig.entries = [existing(entry('https://other'), 9)];
    await expect(write(rig, change(existing(), entry()))).rejects.toMatchObject({
      code: 'ERR_CONSUL_CONFLICT',
      retriable: true,
      message: expect.stringContaining(NAME),
    });
    expect(outcomes(rig)).toEqual([]);
    expect(rig.pending.size).toBe(0);
    expect(known(rig)).toEqual(entry('https://other'));
  });

  it('is not made once a new plan would not make it, and leaves no decision', async () => {
    const rig = targetRig();
    const end = await write(rig, change(undefined, entry()), [], CAUSE, () => false);
    expect(end).toEqual({ kind: 'stale' });
    expect(rig.log).toEqual([`record ${KEY} ${NAME}`, `record ${KEY} `]);
    expect(rig.pending.size).toBe(0);
  });

  it('stays open where its answer is lost, and ends earlier ones where it is made', async () => {
    const rig = targetRig();
    rig.before = () => {
      throw UNREACHABLE;
    };
    await expect(write(rig, change(undefined, entry()))).rejects.toBe(UNREACHABLE);
    expect([...rig.pending.values()]).toMatchObject([
      { expectedIndex: 0, recordedAt: new Date(NOW).toISOString() },
    ]);
    rig.before = () => {};
    const each = change(undefined, entry());
    await write(rig, each, [draftFor(each, 'lost', 0)]);
    expect(outcomes(rig)).toEqual(['failed Interrupted', 'applied ScopeGranted']);
  });
});

describe('a write of a jwt-provider that a crash left open', () => {
  async function recovered(rig: TargetRig, ...pending: readonly DraftDecision[]) {
    await rig.leave(KEY, ...pending);
    const open = await recoverPendingJwtProviders(KEY, pending, rig.deps, NEVER);
    return { open: open.map(({ id }) => id), outcomes: outcomes(rig) };
  }

  it('is made where the entry is as wanted, and remembered as what is there', async () => {
    const rig = targetRig();
    rig.entries = [{ ...existing(entry('https://x')), name: 'another' }, existing(entry(), 8)];
    const found = await recovered(rig, draftFor(change(existing(entry('https://old')), entry()), 'a'));
    expect(found).toEqual({ open: [], outcomes: ['applied MappingChanged'] });
    expect(rig.updates).toEqual([{ lastApplied: new Map([[SUBJECT, entryText(entry())]]) }]);
    expect(known(rig)).toEqual(entry());
  });

  it('that removes it is made where it is gone', async () => {
    const rig = targetRig();
    expect(await recovered(rig, draftFor(change(existing(), undefined), 'a'))).toEqual({
      open: [],
      outcomes: ['applied ScopeRevoked'],
    });
    expect(rig.updates).toEqual([{ lastApplied: new Map([[SUBJECT, null]]) }]);
  });

  it('is open while its request may come, and was not made after that', async () => {
    const rig = targetRig();
    rig.entries = [existing(entry('https://old'))];
    const draft = draftFor(change(existing(entry('https://old')), entry()), 'a');
    expect(await recovered(rig, draft)).toEqual({ open: ['a'], outcomes: [] });
    rig.nowMs = NOW + 30_000;
    expect(await recovered(rig, draft)).toEqual({ open: [], outcomes: ['failed Interrupted'] });
    expect(rig.updates).toEqual([{ lastApplied: new Map() }]);
  });

  it('is unknown where the entry has something that scopemesh does not write', async () => {
    const rig = targetRig();
    rig.entries = [existing('other', 8)];
    const found = await recovered(rig, draftFor(change(existing(), entry('https://new')), 'a'));
    expect(found.outcomes).toEqual(['unknown Interrupted']);
    expect(rig.updates).toEqual([{ lastApplied: new Map() }]);
  });

  it('of none reads nothing', async () => {
    const rig = targetRig();
    expect(await recoverPendingJwtProviders(KEY, [], rig.deps, NEVER)).toEqual([]);
    expect(rig.log).toEqual([]);
  });
});
