import { describe, expect, it } from 'vitest';
import { sessionDraft } from '../../../src/acl/apply/session-draft.js';
import { reconcilePeople } from '../../../src/acl/job/people.js';
import { endSessions, isSessionSubject } from '../../../src/acl/job/sessions.js';
import type { RevocationOrder } from '../../../src/model/order.js';
import { peopleName, personName } from '../../../src/plan/object-names.js';
import { NEVER } from '../../apply/apply-rig.js';
import { client, NOW } from '../../plan/scene.js';
import { aclToken, failed } from '../apply/memory-acl.js';
import { READ_CONFIG } from '../plan/acl-scene.js';
import { type AclWorld, aclWorld, denied, jobOf, NAME } from './acl-world.js';

const KEY = { kind: 'provider', name: 'main' } as const;
const PEOPLE = peopleName('pay', 'main');
const roleOf = (subject: string) => personName('pay', 'main', subject, 'oncall');
const AT = new Date(NOW).toISOString();
const CAUSE = { kind: 'webhook', receivedAt: AT } as const;
const session = (changes: Partial<RevocationOrder> = {}): RevocationOrder => ({
  kind: 'session-revoked',
  provider: 'main',
  at: AT,
  cause: CAUSE,
  ...changes,
});
const ofPerson = (id: string, subject: string, createdAtMs = NOW - 60_000) =>
  aclToken(id, {
    authMethod: PEOPLE,
    roles: [roleOf(subject)],
    createdAt: new Date(createdAtMs).toISOString(),
  });

function withTokens(...tokens: readonly ReturnType<typeof aclToken>[]): AclWorld {
  const it = aclWorld({
    settings: { groups: [{ group: 'oncall', acl: READ_CONFIG }] },
    clients: [client('web', [], { grantTypes: ['authorization_code'] }), client('bot', [])],
  });
  it.tokens = [...tokens];
  return it;
}
const end = (it: AclWorld, ...orders: readonly RevocationOrder[]) =>
  endSessions(KEY, jobOf(orders.map((order) => ({ order }))), it.job, NEVER);
const left = (it: AclWorld) => it.tokens.map(({ accessorId }) => accessorId);

describe('an ended session', () => {
  it('ends the tokens of the person that were issued before it or shortly after, by one decision', async () => {
    const it = withTokens(
      ofPerson('old', 'ann'),
      ofPerson('late', 'ann', NOW + 4_999),
      ofPerson('new', 'ann', NOW + 5_000),
      ofPerson('ben', 'ben'),
    );
    it.job.acl.noteAgentCache({ role: 30, policy: 20, token: 10 }, NOW);
    await end(it, session({ subject: 'ann', cause: { ...CAUSE, principal: { id: 'root' } } }));
    expect(left(it)).toEqual(['new', 'ben']);
    expect(it.decided()).toMatchObject([
      {
        type: 'dev.scopemesh.acl-token.deleted',
        source: 'scopemesh/pay/test',
        action: 'revoke',
        outcome: 'applied',
        reason: 'SessionRevoked',
        person: { provider: 'main', subject: 'ann', actorKind: 'human' },
        principal: { id: 'root' },
        cause: CAUSE,
        before: { issuedBefore: AT },
        after: null,
        residual: { agentCache: { roleSeconds: 30 }, accessTokensUntil: 'unknown' },
        mappingRevision: 'sha256:test',
        detail: expect.stringMatching(/^ended 2 live tokens; .*; an access token that was issued before/),
      },
    ]);
    expect((await it.job.journal.read('provider/main')).pending).toEqual([]);
    expect(it.counted).toContain('scopemesh_acl_tokens_ended_total SessionRevoked 2');
  });

  it('of a client at which people sign in ends all its tokens, and of a program none of a person', async () => {
    const it = withTokens(aclToken('web'), aclToken('bot', { authMethod: 'scopemesh-pay-main-bot' }));
    await end(it, session({ subject: 'ann', clientId: 'bot' }));
    expect(left(it)).toEqual(['web', 'bot']);
    expect(it.decided()).toEqual([]);
    await end(it, session({ clientId: 'web' }));
    expect(left(it)).toEqual(['bot']);
    expect(it.decided()[0]).toMatchObject({
      resource: { kind: 'acl-token', name: NAME },
      client: { provider: 'main', clientId: 'web', actorKind: 'human' },
    });
    expect(Object.keys(it.decided()[0] ?? {})).not.toContain('person');
    expect(Object.keys(it.decided()[0] ?? {})).not.toContain('principal');
  });

  it('that names nobody ends the tokens of all people', async () => {
    const it = withTokens(ofPerson('ann', 'ann'), ofPerson('ben', 'ben'));
    await end(it, session());
    expect(left(it)).toEqual([]);
    expect(it.decided()).toHaveLength(1);
  });

  it('that comes twice is carried out once, and another instant is another session', async () => {
    const it = withTokens(ofPerson('a', 'ann'));
    await end(it, session({ subject: 'ann' }), session({ subject: 'ann' }));
    const lists = () => it.requests().filter((line) => line.startsWith('list')).length;
    expect(lists()).toBe(2);
    it.forget();
    await end(
      it,
      session({ subject: 'ann' }),
      session({ subject: 'ann', at: new Date(NOW + 1).toISOString() }),
    );
    expect(lists()).toBe(2);
    await end(it, session({ subject: 'ann' }), session({ subject: 'ben' }), session({ internalId: 'x' }));
    expect(lists()).toBe(4);
  });

  it('is no other order', async () => {
    const it = withTokens(ofPerson('a', 'ann'));
    await endSessions(
      KEY,
      jobOf([{}, { order: session({ kind: 'client-disabled', subject: 'ann' }) }]),
      it.job,
      NEVER,
    );
    expect(left(it)).toEqual(['a']);
    expect(it.log).toEqual([]);
  });

  it('that fails keeps no other from being carried out, and is carried out again by the same decision', async () => {
    const it = withTokens(ofPerson('a', 'ann'), ofPerson('b', 'ben'));
    it.before = async (line) => {
      if (line === 'end a') throw failed('ERR_CONSUL_UNREACHABLE', 'away');
    };
    const orders = [session({ subject: 'ann' }), session({ subject: 'ben' })];
    await expect(end(it, ...orders)).rejects.toThrow('away');
    expect(left(it)).toEqual(['a']);
    expect((await it.job.journal.read('provider/main')).pending).toHaveLength(1);
    it.before = async () => {};
    it.forget();
    await end(it, ...orders);
    expect(left(it)).toEqual([]);
    expect(it.decided().map(({ detail }) => detail?.split(';')[0])).toEqual(['ended its live tokens']);
    expect((await it.job.journal.read('provider/main')).pending).toEqual([]);
  });

  it('is nothing to Consul where the mapping gives no tokens', async () => {
    const it = aclWorld({ mapping: { rules: [] } });
    it.tokens = [ofPerson('a', 'ann')];
    await end(it, session({ subject: 'ann' }));
    expect(left(it)).toEqual(['a']);
    expect(it.log).toEqual([]);
  });

  it('is given up where Consul denies it and the mapping wants no ACL objects any more', async () => {
    const it = withTokens(ofPerson('a', 'ann'));
    await it.job.acl.noteWrite(it.job.keyValues);
    it.setMapping({ rules: [], acl: { ...it.world.mapping.acl, groups: [] } });
    it.before = () => Promise.reject(denied);
    await end(it, session());
    expect(it.warnings).toEqual([expect.stringContaining('may be left')]);
  });
});

describe('an ended session in a mode that ends no tokens', () => {
  it.each(['observe', 'extend'] as const)(
    'leaves them in mode %s, and says once how many stay',
    async (mode) => {
      const it = withTokens(ofPerson('a', 'ann'), ofPerson('new', 'ann', NOW + 5_000), ofPerson('b', 'ben'));
      it.setMapping({ mode });
      const order = session({ subject: 'ann' });
      await end(it, order);
      await end(it, order);
      expect(left(it)).toEqual(['a', 'new', 'b']);
      expect(it.decided()).toMatchObject([
        {
          outcome: 'observed',
          reason: 'ModeForbids',
          action: 'revoke',
          person: { subject: 'ann' },
          detail: `mode is ${mode}: 1 live token of an ended session stay valid`,
        },
      ]);
    },
  );

  it('says it of several, and of a client, and nothing where there is none', async () => {
    const it = withTokens(aclToken('a'), aclToken('b'));
    it.setMapping({ mode: 'extend' });
    await end(it, session({ subject: 'ann' }));
    expect(it.decided()).toEqual([]);
    await end(it, session({ clientId: 'web' }));
    expect(it.decided()[0]?.detail).toContain('2 live tokens of');
    expect(it.decided()[0]?.client).toMatchObject({ clientId: 'web' });
    expect(Object.keys(it.decided()[0] ?? {})).not.toContain('person');
  });
});

it('the hold of a session ends with the first job of people without its order', async () => {
  const it = withTokens(ofPerson('a', 'ann'));
  it.setMapping({ mode: 'extend' });
  it.state.members = () => new Map([['oncall', []]]);
  const order = { order: session({ subject: 'ann' }), members: true };
  await endSessions(KEY, jobOf([order]), it.job, NEVER);
  const held = async () =>
    [...(await it.job.journal.read('provider/main')).holds.values()].filter(({ subject }) =>
      subject.includes('session'),
    ).length;
  await reconcilePeople(KEY, jobOf([order]), it.job, NEVER);
  expect(await held()).toBe(1);
  await reconcilePeople(KEY, jobOf([{ members: true }]), it.job, NEVER);
  expect(await held()).toBe(0);
});

it('the hold of a session is of the job that has its order', () => {
  const it = withTokens();
  const job = jobOf([{ order: session({ subject: 'ann' }) }]);
  expect(isSessionSubject(`acl-token/${PEOPLE}/session/ann`, job, it.job)).toBe(true);
  expect(isSessionSubject(`acl-token/${PEOPLE}/session/ben`, job, it.job)).toBe(false);
  expect(isSessionSubject(`acl-token/${PEOPLE}/session/ann`, jobOf(), it.job)).toBe(false);
});

describe('a draft of a session that an interrupted run left', () => {
  const leaveOne = async () => {
    const it = withTokens(ofPerson('old', 'ann'));
    const order = session({ subject: 'ann' });
    await it.job.journal.record('provider/main', [sessionDraft(order, it.job)]);
    return { it, order, pending: async () => (await it.job.journal.read('provider/main')).pending };
  };

  it('is taken over by its own order and by no later one', async () => {
    const { it, order, pending } = await leaveOne();
    const later = session({ subject: 'ann', at: new Date(NOW + 60_000).toISOString() });
    await end(it, later);
    expect(it.decided()).toMatchObject([{ before: { issuedBefore: later.at }, outcome: 'applied' }]);
    expect(await pending()).toHaveLength(1);
    await end(it, order);
    expect(it.decided().at(-1)).toMatchObject({ before: { issuedBefore: AT }, outcome: 'applied' });
    expect(await pending()).toEqual([]);
  });

  it('ends as interrupted in a mode that ends no tokens', async () => {
    const { it, order, pending } = await leaveOne();
    it.setMapping({ mode: 'observe' });
    await end(it, order);
    expect(it.tokens).toHaveLength(1);
    expect(it.decided()).toMatchObject([
      { outcome: 'failed', reason: 'Interrupted' },
      { outcome: 'observed', reason: 'ModeForbids' },
    ]);
    expect(await pending()).toEqual([]);
  });
});
