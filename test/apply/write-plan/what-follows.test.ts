import { beforeEach, describe, expect, it } from 'vitest';
import { draftOf } from '../../../src/apply/decision-drafts.js';
import { writePlan } from '../../../src/apply/write-plan.js';
import type { WriteResult } from '../../../src/consul/consul.js';
import type { Trigger } from '../../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { toLastAppliedText } from '../../../src/plan/last-applied.js';
import type { Change } from '../../../src/plan/plan.js';
import type { ReconcilerDeps } from '../../../src/reconcile/deps.js';
import { Contention } from '../../../src/state/contention.js';
import { ALLOW, entry, keyOf, NOW, named, source } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../../reconcile/deps.js';
import { applyRig, CAUSE, change, entryOf, KEY, loss, NEVER, ORDERS, REJECTED } from '../apply-rig.js';

let made: ReturnType<typeof depsOf>;
let world: ReturnType<typeof worldWithTwo>;
let contention: Contention;
let late: readonly Trigger[];
/** What came to the journal, the store, Consul, the log and the metrics, in order. */
let log: string[];
/** The answer to each write of the entry, by the sources that it has. */
let answer: (sources: readonly string[]) => WriteResult;

beforeEach(() => {
  world = worldWithTwo();
  made = depsOf(world, {});
  contention = new Contention({ limit: 1, windowMs: 1_000 });
  late = [];
  log = [];
  answer = () => ({ kind: 'written', modifyIndex: 8 });
});

const { subject } = loss('web');
const isOpen = () => made.deps.window.underWay(NOW);

async function write(
  changes: readonly Change[],
  more: Partial<Parameters<typeof writePlan>[0]> = {},
): ReturnType<typeof writePlan> {
  const { deps } = made;
  const watched: ReconcilerDeps = {
    ...deps,
    contention,
    queue: { ...deps.queue, late: () => late },
    journal: {
      ...deps.journal,
      record: async (key, drafts, replaced) => {
        log.push(`record ${drafts.length}, replace ${replaced?.join('+')}`);
        await deps.journal.record(key, drafts, replaced);
      },
    },
    keyValues: {
      ...deps.keyValues,
      set: async (name, value) => {
        log.push(`store ${name}`);
        await deps.keyValues.set(name, value);
      },
    },
    consul: {
      ...deps.consul,
      intentions: {
        ...deps.consul.intentions,
        read: async () => world.entries.get(keyOf('orders')),
        write: async (_to, _base, sources) => {
          const names = sources.map(({ name }) => name);
          log.push(`write ${names.join('+')}, ${isOpen()} reserved`);
          return answer(names);
        },
      },
    },
    logger: {
      ...silentLogger,
      info: (fields, text) => log.push(`${text} ${JSON.stringify(fields)}`),
    },
    metrics: { ...noMetrics, gauge: (name, value) => log.push(`${name} ${value}`) },
  };
  return writePlan(
    {
      key: KEY,
      destination: ORDERS,
      entry: entryOf('web', 'api'),
      changes,
      replaced: [],
      overtaken: [],
      baseOf: async () => ({ base: entryOf('web', 'api') }),
      ...more,
    },
    () => CAUSE,
    watched,
    NEVER,
  );
}

describe('a plan without changes', () => {
  it('writes nothing, and ends drafts that an earlier plan recorded and never sent', async () => {
    expect(await write([], { replaced: ['a', 'b'] })).toEqual({ kind: 'done' });
    expect(log).toEqual(['record 0, replace a+b']);
  });

  it('asks the store for nothing where no such drafts are', async () => {
    expect(await write([])).toEqual({ kind: 'done' });
    expect(log).toEqual([]);
  });
});

describe('the write of a plan', () => {
  it('has an inferred removal counted durably before it is sent', async () => {
    await write([loss('web', { isInferred: true })]);
    expect(log.indexOf('store guard/window')).toBeGreaterThanOrEqual(0);
    expect(log.indexOf('store guard/window')).toBeLessThan(log.indexOf('write api, 1 reserved'));
    expect(isOpen()).toBe(0);
    expect(log.at(-1)).toBe('scopemesh_inferred_removals 1');
  });

  it('counts nothing for a removal with evidence', async () => {
    await write([loss('web')]);
    expect(log).not.toContain('store guard/window');
    expect(log).toContain('write api, 0 reserved');
    expect(log.at(-1)).toBe('scopemesh_inferred_removals 0');
  });

  it('counts an inferred removal no longer that met a conflict', async () => {
    answer = () => ({ kind: 'conflict' });
    expect(await write([loss('web', { isInferred: true })])).toMatchObject({ kind: 'conflict' });
    expect(log).toContain('write api, 1 reserved');
    expect([isOpen(), made.deps.window.used(NOW)]).toEqual([0, 0]);
  });

  it('leaves an inferred removal reserved that met a conflict while an earlier one of the edge is on its way', async () => {
    answer = () => ({ kind: 'conflict' });
    const removal = loss('web', { isInferred: true });
    await write([removal], { overtaken: [draftOf(removal, CAUSE, 7, applyRig().stamp)] });
    expect(isOpen()).toBe(1);
  });

  it('says of each removal what remains open after it', async () => {
    world.putEntry(named('*'), entry('*', source('web', ALLOW)));
    await write([loss('web'), change('db')]);
    const residuals = made.decisions.map(({ resource, residual }) => [resource.source, residual]);
    expect(residuals).toEqual([
      [
        'web',
        {
          nextRequests: true,
          openStreamsSeconds: 'unknown',
          accessTokensUntil: 'unknown',
          foreignAllows: ['web -> orders'],
        },
      ],
      ['db', undefined],
    ]);
  });

  it('counts corrections of drift, and nothing else, as contention', async () => {
    const corrected = change('web', ALLOW, { reason: 'DriftCorrected', verb: 'updated' });
    await write([corrected, change('db')]);
    expect(contention.isContended(corrected.subject, NOW)).toBe(true);
    expect(contention.isContended(change('db').subject, NOW)).toBe(false);
  });

  it('logs how many edges got plain paths, where any did', async () => {
    const text = 'plain paths written in place of raw ones';
    await write([change('web', ALLOW, { reason: 'PathNormalised', verb: 'updated' }), change('db')]);
    expect(log).toContain(`${text} {"key":"${KEY}","edges":1}`);
    log = [];
    await write([change('db')]);
    expect(log.join()).not.toContain(text);
  });

  it('remembers its edges beside those of earlier writes, and the entry as it is now', async () => {
    const before = loss('api').subject;
    world.rememberWritten(KEY, new Map([[before, 'allow']]));
    await write([change('db')]);
    expect([...world.records.of(KEY)]).toEqual([
      [before, 'allow'],
      [change('db').subject, toLastAppliedText(ALLOW, ['orders:read'])],
    ]);
    expect(world.entries.get(keyOf('orders'))?.sources.map(({ name }) => name)).toContain('db');
  });
});

describe('a refused entry', () => {
  const refused = (bad: string) => (sources: readonly string[]) => {
    if (sources.includes(bad)) throw REJECTED;
    return { kind: 'written', modifyIndex: 8 } as const;
  };
  const writes = () => log.filter((line) => line.startsWith('write '));

  it('is written in parts while nothing new is known of its key', async () => {
    answer = refused('bad');
    await expect(write([loss('web'), change('bad'), change('db')])).rejects.toBe(REJECTED);
    expect(writes().at(-1)).toContain('db');
    expect(made.decisions.map(({ resource, outcome }) => `${resource.source} ${outcome}`)).toContain(
      'db applied',
    );
  });

  it('is planned again after the part that closes, where its key has new triggers', async () => {
    answer = refused('bad');
    late = [{ key: { kind: 'destination', ...ORDERS, service: 'orders' }, cause: CAUSE }];
    expect(await write([loss('web'), change('bad'), change('db')])).toEqual({ kind: 'again' });
    expect(writes()).toHaveLength(2);
    expect(made.decisions.map(({ subject: of, outcome }) => [of, outcome])).toEqual([[subject, 'applied']]);
  });
});
