import { beforeEach, describe, expect, it } from 'vitest';
import {
  isRefusal,
  type JournaledWrite,
  journaledWrite,
  settleRefused,
} from '../../src/apply/journaled-write.js';
import { type ErrorCode, SyncError } from '../../src/errors.js';
import { NOW } from '../plan/scene.js';
import { type ApplyRig, applyRig, draft, KEY, NEVER, REJECTED, UNREACHABLE } from './apply-rig.js';

let rig: ApplyRig;
beforeEach(() => {
  rig = applyRig();
});

const writing = (more: Partial<JournaledWrite> = {}): JournaledWrite => ({
  key: KEY,
  drafts: [draft('web', rig), draft('api', rig)],
  send: async () => {
    rig.log.push('send');
    return { kind: 'written', modifyIndex: 9 };
  },
  ...more,
});

describe('a journaled write', () => {
  it('records all its decisions, sends, and settles them in one step each, in this order', async () => {
    const onWritten = (index: number | undefined) => rig.log.push(`known at ${index}`);
    expect(await journaledWrite(writing({ onWritten }), rig.deps, NEVER)).toEqual({ kind: 'written' });
    expect(rig.log).toEqual([
      `record ${KEY} web+api`,
      'send',
      'known at 9',
      `settle ${KEY} web applied+api applied`,
      'woke the relay',
    ]);
    expect(rig.pending.size).toBe(0);
  });

  it('settles in the same step the earlier writes whose answer was lost, where it is made and only there', async () => {
    const overtaken = [{ ...draft('old', rig), recordedAt: new Date(NOW).toISOString() }];
    await journaledWrite(writing({ overtaken }), rig.deps, NEVER);
    expect(rig.log.at(-2)).toBe(`settle ${KEY} old failed+web applied+api applied`);
    expect(rig.settled[0]).toMatchObject({ reason: 'Interrupted' });
    const send = async () => ({ kind: 'conflict' }) as const;
    await journaledWrite(writing({ overtaken, send }), rig.deps, NEVER);
    expect(rig.log.at(-2)).toBe(`settle ${KEY} web failed+api failed`);
  });

  it('gives each decision its index in Consul, its time, and how long its event waited', async () => {
    await journaledWrite(writing(), rig.deps, NEVER);
    for (const each of rig.settled)
      expect(each).toMatchObject({
        outcome: 'applied',
        reason: 'ScopeGranted',
        time: new Date(NOW).toISOString(),
        consul: { modifyIndex: 9 },
        latencyMs: 1_500,
      });
  });

  it('sends nothing before both the record and the reservation are durable', async () => {
    let made = () => {};
    const reserve = () =>
      new Promise<void>((resolve) => {
        made = resolve;
      });
    const end = journaledWrite(writing({ reserve }), rig.deps, NEVER);
    await new Promise(setImmediate);
    expect(rig.log).toEqual([`record ${KEY} web+api`]);
    made();
    expect(await end).toEqual({ kind: 'written' });
  });

  it.each(['record', 'reserve'] as const)('sends nothing where the %s fails', async (step) => {
    const fail = () => Promise.reject(new Error('no disk'));
    const { deps } = rig;
    const broken = step === 'record' ? { ...deps, journal: { ...deps.journal, record: fail } } : deps;
    const write = writing(step === 'reserve' ? { reserve: fail } : {});
    await expect(journaledWrite(write, broken, NEVER)).rejects.toThrow('no disk');
    expect(rig.log).not.toContain('send');
  });

  it('takes the place of drafts that were never sent, in the step of its record', async () => {
    const old = draft('old', rig);
    await rig.deps.journal.record(KEY, [old]);
    await journaledWrite(writing({ replaced: [old.id] }), rig.deps, NEVER);
    expect(rig.pending.size).toBe(0);
    expect(rig.settled.map(({ id }) => id)).not.toContain(old.id);
  });

  it('sends nothing that is no longer as planned, and leaves its drafts for the next record', async () => {
    const end = await journaledWrite(writing({ isAsPlanned: () => false }), rig.deps, NEVER);
    expect(end).toEqual({ kind: 'stale' });
    expect(rig.log).toEqual([`record ${KEY} web+api`]);
    expect(rig.pending.size).toBe(2);
  });

  it('asks whether it is as planned after the record, not before', async () => {
    const isAsPlanned = () => {
      rig.log.push('asked');
      return true;
    };
    await journaledWrite(writing({ isAsPlanned }), rig.deps, NEVER);
    expect(rig.log.slice(0, 3)).toEqual([`record ${KEY} web+api`, 'asked', 'send']);
  });

  it('that loses the compare-and-set is settled as failed, and remembers nothing as written', async () => {
    let isKnown = false;
    const end = await journaledWrite(
      writing({
        send: async () => ({ kind: 'conflict' }),
        lastApplied: new Map([['s', 'x']]),
        onWritten: () => {
          isKnown = true;
        },
      }),
      rig.deps,
      NEVER,
    );
    expect(end).toEqual({ kind: 'conflict' });
    expect(rig.settled.map(({ outcome, reason, type }) => `${outcome} ${reason} ${type}`)).toEqual(
      Array(2).fill('failed Conflict dev.scopemesh.intention.failed'),
    );
    expect(rig.settled[0]?.detail).toContain('planned again');
    expect(rig.updates).toEqual([{}]);
    expect(isKnown).toBe(false);
  });

  it('remembers what it wrote in the step of the settlement', async () => {
    const lastApplied = new Map([['s', 'x']]);
    await journaledWrite(writing({ lastApplied }), rig.deps, NEVER);
    expect(rig.updates).toEqual([{ lastApplied }]);
  });

  it('that Consul refuses settles nothing itself: its parts or its refusal are settled by the caller', async () => {
    const end = await journaledWrite(writing({ send: () => Promise.reject(REJECTED) }), rig.deps, NEVER);
    expect(end).toEqual({ kind: 'refused', error: REJECTED });
    expect(rig.settled).toEqual([]);
    expect(rig.pending.size).toBe(2);
  });

  it.each([UNREACHABLE, new Error('a fault of ours')])(
    'whose answer is not known throws, and its drafts stay to be judged by what is read: %s',
    async (error) => {
      const write = writing({ send: () => Promise.reject(error) });
      await expect(journaledWrite(write, rig.deps, NEVER)).rejects.toBe(error);
      expect(rig.settled).toEqual([]);
      expect(rig.pending.size).toBe(2);
    },
  );

  it('hands its signal to what it sends', async () => {
    const stop = new AbortController();
    let handed: AbortSignal | undefined;
    const send: JournaledWrite['send'] = async (signal) => {
      handed = signal;
      return { kind: 'written' };
    };
    await journaledWrite(writing({ send }), rig.deps, stop.signal);
    expect(handed).toBe(stop.signal);
  });
});

describe('a refusal', () => {
  it('is settled as refused, with what Consul said', async () => {
    await settleRefused(KEY, [draft('web', rig)], REJECTED, rig.deps);
    expect(rig.settled).toMatchObject([
      { outcome: 'failed', reason: 'ConsulRefused', detail: 'Consul refuses it' },
    ]);
    expect(rig.updates).toEqual([{}]);
  });

  it('is only what says for certain that nothing was written', () => {
    const codes: readonly ErrorCode[] = [
      'ERR_CONSUL_REJECTED',
      'ERR_CONSUL_DENIED',
      'ERR_CONSUL_UNREACHABLE',
      'ERR_CONSUL_INCOMPLETE',
      'ERR_CONSUL_CONFLICT',
      'ERR_TIMEOUT',
      'ERR_INTERNAL',
    ];
    const refusals = codes.filter((code) => isRefusal(new SyncError(code, '', { retriable: false })));
    expect(refusals).toEqual(['ERR_CONSUL_REJECTED', 'ERR_CONSUL_DENIED']);
  });
});
