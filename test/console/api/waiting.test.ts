import { describe, expect, it } from 'vitest';
import { Waiting } from '../../../src/console/answers.js';
import type { ConsoleParts } from '../../../src/console/api/parts.js';
import { listWaiting, quarantineId, readWaiting, waitingRow } from '../../../src/console/api/waiting.js';
import type { Caller, PersonsRole } from '../../../src/daemon/rights.js';
import { requestBreakGlass } from '../../../src/operator/break-glass.js';
import { startDeny } from '../../../src/operator/denies.js';
import { startFreeze } from '../../../src/operator/freezes.js';
import { createRulings } from '../../../src/operator/rulings.js';
import { fingerprintOf, holdKey } from '../../../src/plan/holds.js';
import type { Hold } from '../../../src/plan/plan.js';
import { FailedReads } from '../../../src/state/failed-reads.js';
import { mapping, NOW, rule } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../../reconcile/deps.js';
import { signal } from './console-world.js';

const WEB = { provider: 'main', clientId: 'web' };
const HELD: Hold = {
  subject: 'intention/default/default/orders/web',
  reason: 'RevocationLimit',
  detail: 'too many',
  action: 'revoke',
  scopes: ['orders'],
  resource: { kind: 'intention', name: 'orders' },
};
const ANA = { id: 'oidc:main/ana', note: 'ana' };
const BOB = { id: 'oidc:main/bob', note: 'bob' };
const EDGE = { source: 'web', destination: 'orders', partition: 'default', namespace: 'default' };
const PAGE = { limit: 100 };

const as = (principal: typeof ANA, ...roles: readonly PersonsRole[]): Caller => ({
  kind: 'person',
  person: { principal, roles, endsAt: NOW },
});
const APPROVER = as(ANA, 'approver');
const OTHER = as(BOB, 'approver', 'operator');

/** A leader with two approvers, a held removal and one that no person decides. */
async function start() {
  const world = worldWithTwo();
  const breakGlass = { longestMs: 3_600_000, never: [] };
  world.setMapping(mapping({ approvers: 2, breakGlass, rules: [rule('billing', 'billing')] }));
  const deps = { ...depsOf(world, {}).deps, newId: () => '01JDXK4T0QJ5W3M8V7Z2R6N9PB' };
  const hold = (reason: Hold['reason'], decisionId: string) => ({
    ...{ subject: HELD.subject, reason, decisionId, since: new Date(NOW).toISOString() },
    fingerprint: fingerprintOf(HELD),
    change: {
      action: 'revoke' as const,
      scopes: ['orders'],
      before: { access: 'allow' as const },
      after: null,
    },
  });
  const holds = [hold('RevocationLimit', 'hold-1'), hold('ProtocolUnsuitable', 'hold-2')];
  const update = { holds: new Map(holds.map((each) => [holdKey(each), each])) };
  await deps.journal.settle('destination/default/default/orders', [], update);
  const live = { deps: { ...deps, reads: new FailedReads(), consul: { unreadable: () => [] } } };
  const parts = {
    config: { consul: {} },
    store: { journal: deps.journal },
    newest: async () => 'newest',
    live: () => live,
  } as unknown as ConsoleParts;
  const list = async (caller: Caller) => {
    const all = Waiting.parse(await listWaiting(parts, PAGE, signal, caller));
    return new Map(all.rows.map((row) => [row.kind, row]));
  };
  return { deps, world, parts, list, rulings: createRulings(deps) };
}

describe('what waits for a person', () => {
  it('is a held change with before and after, and not a hold that ends by itself', async () => {
    const { parts } = await start();
    const { rows, total } = await listWaiting(parts, PAGE, signal, APPROVER);
    expect(total).toBe(1);
    expect(rows).toMatchObject([
      {
        id: 'hold-1',
        kind: 'hold',
        isOpen: true,
        from: 'web',
        to: 'orders',
        action: 'revoke',
        before: { access: 'allow' },
        after: null,
        approvers: 2,
        firstApproval: null,
        may: { approve: true, reject: true },
      },
    ]);
    await expect(readWaiting(parts, 'hold-2', signal, APPROVER)).rejects.toThrow('any more');
  });

  it('names who approved first, who may not be the second, and is another thing to look at then', async () => {
    const { parts, list, rulings } = await start();
    const before = (await list(OTHER)).get('hold');
    await rulings.onHold('hold-1', 'approve', { ...ANA, comment: 'checked' }, false);
    const own = (await list(APPROVER)).get('hold');
    expect(own).toMatchObject({
      firstApproval: { by: 'oidc:main/ana (ana)', comment: 'checked' },
      isMine: true,
      may: { approve: expect.stringContaining('another person'), reject: true },
    });
    const others = await waitingRow(parts, 'hold-1', signal, OTHER);
    expect(others).toMatchObject({ isMine: false, may: { approve: true } });
    // What both see has one fingerprint, whatever each may do.
    expect(others?.fingerprint).toBe(own?.fingerprint);
    expect(others?.fingerprint).not.toBe(before?.fingerprint);
    const viewer = await waitingRow(parts, 'hold-1', signal, as(BOB, 'viewer'));
    expect(viewer?.may).toEqual({
      approve: expect.stringContaining('approver'),
      reject: expect.stringContaining('approver'),
    });
  });

  it('is what persons closed, froze and asked for, and who asked does not approve', async () => {
    const { deps, world, list } = await start();
    world.setClientBlock(WEB, 'ClientQuarantined');
    const forMs = 60_000;
    await startDeny(EDGE, { reason: 'odd calls', forMs }, BOB, deps);
    await startFreeze({ reason: 'release', forMs }, BOB, deps);
    await requestBreakGlass(
      { ...EDGE, source: 'api', destination: 'billing', reason: 'incident', forMs },
      BOB,
      deps,
    );
    const rows = await list(OTHER);
    expect(rows.get('quarantine')).toMatchObject({ id: quarantineId(WEB), may: { release: true } });
    expect(rows.get('deny')).toMatchObject({ detail: 'odd calls', by: 'oidc:main/bob (bob)', isMine: true });
    expect(rows.get('freeze')).toMatchObject({ detail: 'release', until: expect.any(String) });
    expect(rows.get('break-glass')).toMatchObject({
      isOpen: true,
      may: { approve: expect.stringContaining('another person'), endBreakGlass: true },
    });
    expect((await list(APPROVER)).get('break-glass')?.may.approve).toBe(true);
    expect((await list(as(ANA, 'viewer'))).get('freeze')?.may.unfreeze).toContain('operator');
  });
});
