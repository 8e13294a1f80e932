import { beforeEach, describe, expect, it } from 'vitest';
import { holdTriggers, recordHolds, suppressedClaimTriggers } from '../../../src/apply/record-holds.js';
import type { HoldReason } from '../../../src/model/decision.js';
import { clientKey } from '../../../src/model/key.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { fingerprintOf, holdKey } from '../../../src/plan/holds.js';
import type { Hold } from '../../../src/plan/plan.js';
import type { KeyRecord, RecordedHold } from '../../../src/queue/journal.js';
import type { ReconcilerDeps } from '../../../src/reconcile/deps.js';
import { HoldBudget } from '../../../src/state/hold-budget.js';
import { WorldState } from '../../../src/state/world-state.js';
import { claiming, client, mapping, NOW, SETTINGS } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../../reconcile/deps.js';
import { CAUSE, KEY } from '../apply-rig.js';

const edge = (source: string, reason: HoldReason, changes: Partial<Hold> = {}): Hold => ({
  subject: `intention/default/default/orders/${source}`,
  resource: {
    kind: 'intention',
    source,
    destination: 'orders',
    namespace: 'default',
    partition: 'default',
  },
  reason,
  detail: 'why',
  action: 'grant',
  scopes: ['orders'],
  ...changes,
});
const claim = (clientId: string, service: string): Hold => ({
  subject: `claim/main/${clientId}/${service}`,
  resource: { kind: 'claim', name: service, namespace: 'default', partition: 'default' },
  reason: 'ClaimTaken',
  detail: 'another client has it',
  action: 'grant',
  scopes: [],
});
const known = (hold: Pick<Hold, 'subject' | 'reason'>, fingerprint = ''): RecordedHold => ({
  subject: hold.subject,
  reason: hold.reason,
  decisionId: 'before',
  since: '',
  detail: '',
  fingerprint,
});
const recordOf = (...holds: readonly RecordedHold[]): KeyRecord => ({
  pending: [],
  lastApplied: new Map(),
  holds: new Map(holds.map((hold) => [holdKey(hold), hold])),
});
const FULL = { burst: 1, everyMs: 600_000 };

let world: WorldState;
let made: ReturnType<typeof depsOf>;
let deps: ReconcilerDeps;
let isLow: boolean;
let log: string[];
beforeEach(() => {
  world = worldWithTwo();
  made = depsOf(world, {});
  isLow = false;
  log = [];
  deps = {
    ...made.deps,
    claimHolds: new HoldBudget(FULL),
    markHolds: new HoldBudget(FULL),
    space: { isLow: () => isLow },
    metrics: {
      ...noMetrics,
      count: (name, labels = {}) => log.push([name, ...Object.values(labels)].join(' ')),
    },
    logger: { ...silentLogger, warn: (fields, text) => log.push(`${text} ${JSON.stringify(fields)}`) },
  };
});

const decided = () => made.decisions.map(({ type, reason }) => `${type.split('.').at(-1)} ${reason}`);
const holds = async () => (await deps.journal.read(KEY)).holds;
const record = (record: KeyRecord, ...now: readonly Hold[]) => recordHolds(KEY, record, now, CAUSE, deps);

describe('a hold that begins', () => {
  it('is a decision, a line of the log, and what a ruling is compared with', async () => {
    const hold = edge('web', 'RevocationLimit');
    await record(recordOf(), hold);
    expect(decided()).toEqual(['held RevocationLimit']);
    const [decision] = made.decisions;
    expect([...(await holds())]).toEqual([
      [
        holdKey(hold),
        {
          subject: hold.subject,
          reason: 'RevocationLimit',
          decisionId: decision?.id,
          since: new Date(NOW).toISOString(),
          detail: 'why',
          fingerprint: fingerprintOf(hold),
          // What a person decides about.
          change: { action: 'grant', scopes: ['orders'], before: null, after: null },
        },
      ],
    ]);
    const fields = { subject: hold.subject, reason: hold.reason, detail: 'why', decision: decision?.id };
    expect(log).toContain(`a change is held ${JSON.stringify(fields)}`);
  });

  it('is planned where only the mode forbids the change', async () => {
    await record(recordOf(), edge('web', 'ModeForbids'));
    expect(decided()).toEqual(['planned ModeForbids']);
  });

  it('is recorded once, and again only as another one', async () => {
    const hold = edge('web', 'RevocationLimit');
    await record(recordOf(known(hold, fingerprintOf(hold))), hold);
    expect([decided(), log]).toEqual([[], []]);
    await record(recordOf(known(hold, 'another')), hold);
    expect(decided()).toEqual(['held RevocationLimit']);
  });

  it.each([
    ['names the client of a quarantine', 'ClientQuarantined', { provider: 'main', clientId: 'web' }],
    ['names no client of another reason', 'Frozen', undefined],
  ] as const)('%s', async (_, reason, named) => {
    const of = { provider: 'main', clientId: 'web', actorKind: 'workload' } as const;
    await record(recordOf(), edge('web', reason, { client: of }), edge('api', reason));
    expect([...(await holds()).values()].map((each) => each.client)).toEqual([named, undefined]);
  });
});

describe('while the store is low', () => {
  beforeEach(() => {
    isLow = true;
  });

  it.each([
    ['of the mass guard is recorded, also of a change', edge('web', 'RevocationLimit'), true],
    ['of a revocation is recorded', edge('web', 'ForeignSource', { action: 'revoke' }), true],
    ['of a grant waits', edge('web', 'ForeignSource'), false],
    ['of a mark without a record waits', edge('web', 'MarkUnrecorded', { action: 'revoke' }), false],
  ])('a hold %s', async (_, hold, isRecorded) => {
    await record(recordOf(), hold);
    expect(made.decisions).toHaveLength(isRecorded ? 1 : 0);
  });

  it('no hold ends', async () => {
    await record(recordOf(known(edge('web', 'Frozen'))));
    expect(decided()).toEqual([]);
  });
});

describe('holds that others can make without end', () => {
  const more = async (hold: Hold, nowMs: number) => {
    deps = { ...deps, clock: { ...deps.clock, now: () => nowMs } };
    await record(recordOf(), hold);
  };

  it.each([
    ['claims of one service', 'claim', claim],
    ['marks at one destination', 'mark', (source: string) => edge(source, 'MarkUnrecorded')],
  ] as const)('are recorded only so often and counted: %s', async (_, kind, of) => {
    await more(of('web', 'web'), NOW);
    expect(made.decisions.at(-1)?.detail).not.toContain('more holds');
    for (const name of ['a', 'b']) await more(of(name, 'web'), NOW);
    expect(made.decisions).toHaveLength(1);
    const metric = `scopemesh_decisions_suppressed_total ${kind}`;
    expect(log.filter((line) => line.startsWith('scopemesh_decisions_suppressed'))).toEqual([metric, metric]);
    await more(of('c', 'web'), NOW + 600_000);
    expect(made.decisions.at(-1)?.detail).toMatch(/; 2 more holds of this service were not recorded$/);
    // What is compared with later holds has no count.
    expect([...(await holds()).values()].at(-1)?.detail).not.toContain('more holds');
  });

  it('use nothing of what is there for another service, in any place', async () => {
    const resource = (name: string, partition: string, namespace: string) =>
      ({ kind: 'claim', name, namespace, partition }) as const;
    for (const [name, at] of [
      ['web', resource('web', 'default', 'default')],
      ['api', resource('api', 'default', 'default')],
      ['far', resource('web', 'eu', 'default')],
      ['own', resource('web', 'default', 'team')],
    ] as const)
      await record(recordOf(), { ...claim(name, 'web'), resource: at });
    expect(made.decisions).toHaveLength(4);
  });

  it('and no other hold is bounded', async () => {
    for (const name of ['a', 'b', 'c']) await record(recordOf(), edge(name, 'RevocationLimit'));
    expect(made.decisions).toHaveLength(3);
  });
});

describe('a hold that comes and goes', () => {
  const unreadable: Hold = { ...edge('web', 'ClientUnreadable'), subject: 'client/main/web', action: 'none' };
  const MINUTE_MS = 60_000;
  /** One run of the job, with what the runs before it recorded. */
  const runAt = async (nowMs: number, ...held: readonly Hold[]) => {
    deps = { ...deps, clock: { ...deps.clock, now: () => nowMs } };
    await record({ ...recordOf(), holds: await holds() }, ...held);
  };

  it.each([unreadable, edge('web', 'RevocationLimit', { action: 'revoke' })])(
    'is one fact with a count: $reason',
    async (hold) => {
      for (let turn = 0; turn < 100; turn++) {
        await runAt(NOW, hold);
        for (let more = 0; more < 3; more++) await runAt(NOW);
      }
      const [held, released] = [`held ${hold.reason}`, 'released HoldEnded'];
      expect(decided()).toEqual([...Array.from({ length: 5 }, () => [held, released]).flat(), held]);
      expect(log.filter((line) => line === 'scopemesh_decisions_suppressed_total end')).toHaveLength(94);
      await runAt(NOW + 10 * MINUTE_MS);
      expect(decided().at(-1)).toBe(released);
      expect(made.decisions.at(-1)?.detail).toMatch(/; it was gone and came back 94 times before$/);
      expect((await holds()).size).toBe(0);
    },
  );

  it.each(['Frozen', 'ClientQuarantined'] as const)(
    'ends each time if its end opens something: %s',
    async (reason) => {
      for (let turn = 0; turn < 20; turn++) {
        await runAt(NOW, edge('web', reason));
        await runAt(NOW);
      }
      expect(decided()).toHaveLength(40);
    },
  );

  it('ends each time that a person or a change decided it', async () => {
    const hold = edge('web', 'RevocationLimit', { action: 'revoke' });
    for (let turn = 0; turn < 20; turn++) {
      await runAt(NOW, hold);
      await recordHolds(
        KEY,
        { ...recordOf(), holds: await holds() },
        [],
        CAUSE,
        deps,
        undefined,
        new Set([hold.subject]),
      );
    }
    expect(decided()).toHaveLength(40);
  });
});

describe('a claim whose hold was not recorded', () => {
  const suppressed = () => suppressedClaimTriggers(CAUSE, deps);
  const take = async (...services: readonly string[]) => {
    for (const service of services)
      for (const clientId of ['web', 'api']) await record(recordOf(), claim(clientId, service));
    log = [];
  };
  const later = () => {
    deps = { ...deps, clock: { ...deps.clock, now: () => NOW + 600_000 } };
  };

  it('is no reason to look at anything while there is none', async () => {
    expect([suppressed(), log]).toEqual([[], []]);
  });

  it('is looked at again once there is room, and the log says how many there are', async () => {
    await take('web');
    expect(suppressed()).toEqual([]);
    const text = 'services change their claims too often: not every hold of a claim is recorded';
    const fields = { services: 1, holds: 1, examples: ['default/default/web'] };
    expect(log).toEqual([`${text} ${JSON.stringify(fields)}`]);
    later();
    expect(suppressed()).toEqual([{ key: clientKey('main', 'web'), cause: CAUSE }]);
  });

  it('is looked at by nobody if its service is unknown or claims nothing', async () => {
    world.putCatalog(
      { services: [claiming('idle')], protocols: new Map(), defaultProtocol: 'http' },
      deps.clock.now(),
    );
    await take('unknown', 'idle');
    later();
    expect(suppressed()).toEqual([]);
  });

  it('is one of at most five that the log names', async () => {
    await take('a', 'b', 'c', 'd', 'e', 'f');
    suppressed();
    expect(log[0]).toContain('"services":6,"holds":6');
    expect(log[0]).toMatch(/"examples":\["default\/default\/a",.*"default\/default\/e"\]/);
  });
});

describe('a hold that is there no more', () => {
  it('ends, with the decision before those that begin', async () => {
    await record(recordOf(known(edge('web', 'Frozen'))), edge('web', 'RevocationLimit'));
    expect(decided()).toEqual(['released HoldEnded', 'held RevocationLimit']);
    expect([...(await holds()).keys()]).toEqual([holdKey(edge('web', 'RevocationLimit'))]);
  });

  it('stays if another part of the job records it, or if it is there', async () => {
    const hold = edge('web', 'Frozen');
    const before = recordOf(known(hold, fingerprintOf(hold)));
    await recordHolds(KEY, before, [], CAUSE, deps, () => false);
    await recordHolds(KEY, before, [hold], CAUSE, deps);
    expect(decided()).toEqual([]);
  });

  it('was a plan that the mode forbids: its end is a plan, and none where the change is made', async () => {
    const before = recordOf(known(edge('web', 'ModeForbids')));
    await record(before);
    expect(made.decisions.map(({ type, reason, action }) => [type, reason, action])).toEqual([
      ['dev.scopemesh.intention.planned', 'ModeForbids', 'none'],
    ]);
    await recordHolds(KEY, before, [], CAUSE, deps, undefined, new Set([edge('web', 'Frozen').subject]));
    expect(made.decisions).toHaveLength(1);
    expect([...(await holds())]).toEqual([]);
  });

  it('was a plan of something else than an edge, and ends without a decision', async () => {
    const role = { subject: 'acl-role/scopemesh-pay-main-web', reason: 'ModeForbids' } as const;
    await record(recordOf(known(role)));
    expect(made.decisions).toEqual([]);
  });
});

describe('a hold whose cause cannot be known now', () => {
  const ends = async (subject: string) => {
    const before = made.decisions.length;
    await record(recordOf(known({ subject, reason: 'Frozen' })));
    return made.decisions.length > before;
  };

  it('stays while the catalog is unread', async () => {
    const { deps: other, decisions } = depsOf(new WorldState(mapping({}), SETTINGS), {});
    await recordHolds(KEY, recordOf(known(edge('web', 'Frozen'))), [], CAUSE, other);
    expect(decisions).toEqual([]);
  });

  it.each(['claim/main/web/web', 'client/main/web'])(
    'stays while the directory is unread: %s',
    async (of) => {
      expect(await ends(of)).toBe(true);
      world.forgetDirectory('main');
      expect(await ends(of)).toBe(false);
    },
  );

  it.each(['claim/former/web/web', 'client/former/web'])(
    'ends with a provider that is not configured any more: %s',
    async (of) => {
      expect(await ends(of)).toBe(true);
    },
  );

  it('ends if it is about ACL objects, although the directory is unread', async () => {
    world.forgetDirectory('main');
    expect(await ends('acl-role/scopemesh-pay-main-web')).toBe(true);
  });

  it('stays if it is about the edge of a service whose claim is unknown', async () => {
    expect(await ends(edge('web', 'Frozen').subject)).toBe(true);
    world.forgetDirectory('main');
    expect(await ends(edge('web', 'Frozen').subject)).toBe(false);
  });

  it('stays if it is about the edge of a client that was read alone', async () => {
    world.forgetDirectory('main');
    const web = client('web', ['orders']);
    world.putClient({ provider: 'main', clientId: 'web' }, web, world.beginRead());
    expect(await ends(edge('web', 'Frozen').subject)).toBe(false);
  });

  it('ends if it is about the edge of a service without a claim, or of none', async () => {
    world.putCatalog(
      { services: [claiming('idle')], protocols: new Map(), defaultProtocol: 'http' },
      deps.clock.now(),
    );
    world.forgetDirectory('main');
    expect(await ends(edge('idle', 'Frozen').subject)).toBe(true);
    expect(await ends(edge('nowhere', 'Frozen').subject)).toBe(true);
  });
});

it('every key with a recorded hold is looked at', async () => {
  const overview = async () => ({
    holds: [
      { ...known(edge('web', 'Frozen')), key: KEY },
      { ...known(edge('api', 'Frozen')), key: KEY },
      { ...known({ subject: 'client/main/web', reason: 'ClientQuarantined' }), key: 'client/main/web' },
    ],
    pendingKeys: [],
    holdCounts: {},
    outboxLength: 0,
  });
  const triggers = await holdTriggers(CAUSE, { journal: { overview } });
  expect(triggers).toEqual([
    {
      key: { kind: 'destination', partition: 'default', namespace: 'default', service: 'orders' },
      cause: CAUSE,
    },
    { key: clientKey('main', 'web'), cause: CAUSE },
  ]);
});
