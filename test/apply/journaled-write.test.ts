import { beforeEach, describe, expect, it } from 'vitest';
import {
  isRefusal,
  type JournaledRequest,
  type JournaledWrite,
  journaledWrite,
} from '../../src/apply/journaled-write.js';
import { type ErrorCode, SyncError } from '../../src/errors.js';
import { NOW } from '../plan/scene.js';
import { type ApplyRig, applyRig, draft, KEY, NEVER, REJECTED, UNREACHABLE } from './apply-rig.js';

let rig: ApplyRig;
beforeEach(() => {
  rig = applyRig();
});

/** One request with two decisions. */
const writing = (of: Partial<JournaledRequest> = {}, more: Partial<JournaledWrite> = {}): JournaledWrite => ({
  key: KEY,
  requests: [
    {
      drafts: [draft('web', rig), draft('api', rig)],
      send: async () => {
        rig.log.push('send');
        return { kind: 'written', modifyIndex: 9 };
      },
      ...of,
    },
  ],
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
    await journaledWrite(writing({}, { overtaken }), rig.deps, NEVER);
    expect(rig.log.at(-2)).toBe(`settle ${KEY} old failed+web applied+api applied`);
    expect(rig.settled[0]).toMatchObject({ reason: 'Interrupted' });
    const send = async () => ({ kind: 'conflict' }) as const;
    await journaledWrite(writing({ send }, { overtaken }), rig.deps, NEVER);
    expect(rig.settled.filter(({ resource }) => resource.source === 'old')).toHaveLength(1);
  });

  it('leaves those writes open where its own answer is lost, too', async () => {
    const overtaken = [draft('old', rig)];
    await rig.deps.journal.record(KEY, overtaken);
    const write = writing({ send: () => Promise.reject(UNREACHABLE) }, { overtaken });
    await expect(journaledWrite(write, rig.deps, NEVER)).rejects.toBe(UNREACHABLE);
    expect(rig.settled).toEqual([]);
    expect(rig.pending.size).toBe(3);
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
    const end = journaledWrite(writing({}, { reserve }), rig.deps, NEVER);
    await new Promise(setImmediate);
    expect(rig.log).toEqual([`record ${KEY} web+api`]);
    made();
    expect(await end).toEqual({ kind: 'written' });
  });

  it('settles what was sent before the plan changed, and withdraws the rest and what only it made necessary', async () => {
    const stale: JournaledRequest = {
      drafts: [draft('api', rig)],
      send: () => Promise.reject(new Error('sent')),
      within: async () => 'stale',
    };
    const ahead = [draft('later', rig)];
    const sent = { drafts: [draft('web', rig)], send: async () => ({ kind: 'written' }) as const };
    const both = { key: KEY, requests: [sent, stale], ahead };
    expect(await journaledWrite(both, rig.deps, NEVER)).toEqual({ kind: 'stale' });
    expect(rig.log).toContain(`settle ${KEY} web applied`);
    expect([...rig.pending.values()]).toEqual(ahead);
    rig.pending.clear();
    rig.settled.length = 0;
    const none = { key: KEY, requests: [stale, sent], ahead };
    expect(await journaledWrite(none, rig.deps, NEVER)).toEqual({ kind: 'stale' });
    expect(rig.settled).toEqual([]);
    expect(rig.pending.size).toBe(0);
  });

  it('withdraws what it made necessary where it ends before anything was sent, and keeps that where it may be sent', async () => {
    const ahead = [draft('later', rig)];
    const within = () => Promise.reject(new Error('lost'));
    await expect(journaledWrite(writing({ within }, { ahead }), rig.deps, NEVER)).rejects.toThrow('lost');
    expect(rig.pending.size).toBe(0);
    const write = writing({ send: () => Promise.reject(UNREACHABLE) }, { ahead });
    await expect(journaledWrite(write, rig.deps, NEVER)).rejects.toBe(UNREACHABLE);
    expect([...rig.pending.values()].map(({ id }) => id)).toContain(ahead[0]?.id);
  });

  it.each(['record', 'reserve'] as const)('sends nothing where the %s fails', async (step) => {
    const fail = () => Promise.reject(new Error('no disk'));
    const { deps } = rig;
    const broken = step === 'record' ? { ...deps, journal: { ...deps.journal, record: fail } } : deps;
    const write = writing({}, step === 'reserve' ? { reserve: fail } : {});
    await expect(journaledWrite(write, broken, NEVER)).rejects.toThrow('no disk');
    expect(rig.log).not.toContain('send');
  });

  it('takes the place of drafts that were never sent, in the step of its record', async () => {
    const old = draft('old', rig);
    await rig.deps.journal.record(KEY, [old]);
    await journaledWrite(writing({}, { replaced: [old.id] }), rig.deps, NEVER);
    expect(rig.pending.size).toBe(0);
    expect(rig.settled.map(({ id }) => id)).not.toContain(old.id);
  });

  it('sends nothing that is no longer as planned, and its drafts end without a decision', async () => {
    const ahead = [draft('later', rig)];
    const end = await journaledWrite(writing({}, { ahead, isAsPlanned: () => false }), rig.deps, NEVER);
    expect(end).toEqual({ kind: 'stale' });
    expect(rig.log).toEqual([`record ${KEY} web+api+later`, `record ${KEY} `]);
    expect(rig.pending.size).toBe(0);
    expect(rig.settled).toEqual([]);
  });

  it('leaves the drafts of what is no longer as planned for the next record, where the caller says so', async () => {
    const isStale = { isAsPlanned: () => false, keeps: ['stale' as const] };
    expect(await journaledWrite(writing({}, isStale), rig.deps, NEVER)).toEqual({ kind: 'stale' });
    expect(rig.log).toEqual([`record ${KEY} web+api`]);
    expect(rig.pending.size).toBe(2);
  });

  it('asks whether it is as planned after the record, not before', async () => {
    const isAsPlanned = () => {
      rig.log.push('asked');
      return true;
    };
    await journaledWrite(writing({}, { isAsPlanned }), rig.deps, NEVER);
    expect(rig.log.slice(0, 3)).toEqual([`record ${KEY} web+api`, 'asked', 'send']);
  });

  it('that loses the compare-and-set has no decision, and remembers nothing as written', async () => {
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
    expect(end).toMatchObject({ kind: 'conflict', error: { code: 'ERR_CONSUL_CONFLICT', retriable: true } });
    expect([rig.settled, rig.updates]).toEqual([[], []]);
    expect(rig.pending.size).toBe(0);
    expect(rig.counted).toEqual(['scopemesh_consul_conflicts_total']);
    expect(isKnown).toBe(false);
  });

  it('remembers what it wrote in the step of the settlement', async () => {
    const lastApplied = new Map([['s', 'x']]);
    await journaledWrite(writing({ lastApplied }), rig.deps, NEVER);
    expect(rig.updates).toEqual([{ lastApplied }]);
  });

  it('that Consul refuses is settled as refused, with what Consul said', async () => {
    const end = await journaledWrite(writing({ send: () => Promise.reject(REJECTED) }), rig.deps, NEVER);
    expect(end).toEqual({ kind: 'refused', error: REJECTED });
    expect(rig.settled).toMatchObject([
      { outcome: 'failed', reason: 'ConsulRefused', detail: 'Consul refuses it' },
      { outcome: 'failed', reason: 'ConsulRefused', detail: 'Consul refuses it' },
    ]);
    expect(rig.updates).toEqual([{}]);
    expect(rig.pending.size).toBe(0);
  });

  it('that Consul refuses leaves its drafts for its parts, where the caller says so', async () => {
    const write = writing({ send: () => Promise.reject(REJECTED) }, { keeps: ['refused'] });
    expect(await journaledWrite(write, rig.deps, NEVER)).toEqual({ kind: 'refused', error: REJECTED });
    expect(rig.settled).toEqual([]);
    expect(rig.pending.size).toBe(2);
  });

  it('that failed for no reason of its own keeps the reason of its change', async () => {
    const send = async () => ({ kind: 'failed', detail: 'none was left' }) as const;
    expect(await journaledWrite(writing({ send }), rig.deps, NEVER)).toEqual({ kind: 'failed' });
    expect(rig.settled[0]).toMatchObject({
      outcome: 'failed',
      reason: 'ScopeGranted',
      detail: 'none was left',
    });
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
    const send: JournaledRequest['send'] = async (signal) => {
      handed = signal;
      return { kind: 'written' };
    };
    await journaledWrite(writing({ send }), rig.deps, stop.signal);
    expect(handed).toBe(stop.signal);
  });
});

describe('a write of several requests', () => {
  const request = (name: string, more: Partial<JournaledRequest> = {}): JournaledRequest => ({
    drafts: [draft(name, rig)],
    lastApplied: new Map([[name, 'digest']]),
    send: async () => {
      rig.log.push(`send ${name}`);
      return { kind: 'written' };
    },
    ...more,
  });
  const failing = (error: unknown) => ({ send: () => Promise.reject(error) });
  const nothing = { within: async () => undefined };
  const write = (...requests: readonly JournaledRequest[]) =>
    journaledWrite({ key: KEY, requests }, rig.deps, NEVER);
  const log = () => rig.log.filter((line) => line !== 'woke the relay');

  it('is recorded before its first request and settled after its last', async () => {
    await write(request('a'), request('b'));
    expect(log()).toEqual([`record ${KEY} a+b`, 'send a', 'send b', `settle ${KEY} a applied+b applied`]);
  });

  it('withdraws what there was no need to send, without a decision', async () => {
    expect(await write(request('a', nothing), request('b'))).toEqual({ kind: 'written' });
    expect(log()).toEqual([`record ${KEY} a+b`, 'send b', `settle ${KEY} b applied`, `record ${KEY} `]);
    expect(rig.pending.size).toBe(0);
  });

  it('ends at a refusal, settles it, and withdraws the rest', async () => {
    const end = await write(request('a'), request('b', failing(REJECTED)), request('c'));
    expect(end).toEqual({ kind: 'refused', error: REJECTED });
    expect(log()).toEqual([
      `record ${KEY} a+b+c`,
      'send a',
      `settle ${KEY} a applied+b failed`,
      `record ${KEY} `,
    ]);
    expect(rig.pending.size).toBe(0);
  });

  it('remembers the content of what was made, and of nothing else', async () => {
    await write(request('a'), request('b', nothing), request('c', failing(REJECTED)));
    expect(rig.updates).toEqual([{ lastApplied: new Map([['a', 'digest']]) }]);
  });

  it('takes an error about a conflict for a lost compare-and-set', async () => {
    const conflict = new SyncError('ERR_CONSUL_CONFLICT', 'mine', { retriable: true });
    expect(await write(request('a', failing(conflict)))).toEqual({ kind: 'conflict', error: conflict });
    expect(rig.settled).toMatchObject([{ outcome: 'failed', reason: 'Conflict', detail: 'mine' }]);
  });

  it('leaves a request pending that may have been carried out, and withdraws the rest', async () => {
    await expect(write(request('a', failing(UNREACHABLE)), request('b'))).rejects.toBe(UNREACHABLE);
    expect(log()).toEqual([`record ${KEY} a+b`, `record ${KEY} `]);
    expect([...rig.pending.values()].map(({ resource }) => resource.source)).toEqual(['a']);
  });

  // A refusal of anything but the request says nothing about it.
  it.each([UNREACHABLE, REJECTED, new SyncError('ERR_CONSUL_CONFLICT', 'of another', { retriable: true })])(
    'leaves nothing pending of a request that found no place to be sent, whatever the error says: %s',
    async (error) => {
      const noPlace = { within: () => Promise.reject(error) };
      await expect(write(request('a', noPlace), request('b'))).rejects.toBe(error);
      expect(rig.pending.size).toBe(0);
      expect(rig.settled).toEqual([]);
    },
  );
});

describe('a refusal', () => {
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
