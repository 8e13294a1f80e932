import { afterEach, expect, it } from 'vitest';
import { createMetrics } from '../../src/app/metrics.js';
import type { Clock } from '../../src/clock.js';
import { ChannelActivity } from '../../src/intake/channel-activity.js';
import { untilAborted } from '../../src/linked-signal.js';
import { providerKey } from '../../src/model/key.js';
import type { Trigger } from '../../src/model/trigger.js';
import { createNotifier } from '../../src/notifier.js';
import { silentLogger } from '../../src/observe.js';
import { lead } from '../../workers/lead.js';
import { openConsul, openProvider, openStore } from '../../workers/wire.js';
import { clientOf, createRig, type Rig } from '../support/daemon.js';
import { withIntentions } from '../support/reconcile-rig.js';
import { until } from '../support/until.js';

const HOUR_MS = 3_600_000;

let rig: Rig | undefined;
afterEach(async () => rig?.close());

it('a new leader takes what events revoked and settles what was interrupted, and only then compares everything', async () => {
  rig = await createRig({
    clients: [
      clientOf('web', 'orders:connect'),
      clientOf('mobile', 'stock:connect'),
      clientOf('report', 'ledger:connect'),
      clientOf('batch'),
    ],
    prepare: async ({ mesh }) => {
      for (const name of ['orders', 'stock', 'ledger', 'billing']) await mesh.register(name);
      for (const name of ['web', 'mobile', 'report', 'batch'])
        await mesh.register(name, { client: `${name}-app` });
    },
  });
  const { idp, clock } = rig;
  const change = (service: string, ...scopes: string[]) =>
    idp.clients.set(`${service}-app`, clientOf(service, ...scopes));

  const first = await startTerm(rig, 1);
  await first.settles('web ScopeGranted', 'mobile ScopeGranted', 'report ScopeGranted');
  await first.end();

  // A complete read finds a loss, and the leader dies while it writes it.
  change('mobile');
  const died = await startTerm(rig, 2, { neverWrites: 'stock' });
  await until('the write is sent', () => died.log.includes('write stock'));
  await died.lose();
  // Longer than the request could be on its way.
  clock.advance(HOUR_MS);

  // An event tells of two of three changes.
  change('report');
  change('batch', 'billing:connect');
  change('web');
  const intake = await rig.start(['intake']);
  for (const client of ['batch-app', 'web-app']) await intake.tell('client.updated', client);
  await intake.stop();

  const [webAnswers, longSleeps] = [createNotifier(), createNotifier()];
  const never = new AbortController().signal;
  const receivedAt = new Date(clock.now()).toISOString();
  const next = await startTerm(rig, 3, {
    queued: [{ key: providerKey('main'), fullRead: true, cause: { kind: 'full-read', receivedAt } }],
    webAnswers: webAnswers.wait(never),
    longSleeps: longSleeps.wait(never),
  });
  await until('the revoked client is read', () => next.log.includes('read web-app'));
  await next.settles('mobile Interrupted');
  const looks = next.looks();
  await until('it looks again and again for jobs', () => next.looks() > looks + 5);
  // The one list is what every plan needs.
  expect(next.log.filter((each) => !/^read .*-app$/.test(each))).toEqual(['list']);
  webAnswers.notify();
  await next.settles('web ScopeRevoked');
  longSleeps.notify();
  await next.settles('mobile ScopeRevoked', 'report ScopeRevoked', 'batch ScopeGranted');
  await until('it watches Consul', () => next.log.includes('watch intentions'));
  const after = next.log.slice(1).filter((each) => /^(write|list|watch|read all)/.test(each));
  expect(after[0]).toBe('write orders');
  expect(after.indexOf('read all')).toBeGreaterThan(0);
  await next.end();
});

interface Faults {
  /** What the former leader left in the queue. */
  readonly queued?: readonly Trigger[];
  /** A write of this destination never gets an answer. */
  readonly neverWrites?: string;
  /** The client of `web` is read alone, but the answer waits for this. */
  readonly webAnswers?: Promise<void>;
  /**
   * A sleep of a second begins after it. What waits at the beginning has a second before all else begins, which a slow
   * machine must not use up.
   */
  readonly longSleeps?: Promise<void>;
}

/** A term without a relay, and what it asks of Consul and the identity provider. */
async function startTerm({ load, clock }: Rig, epoch: number, faults: Faults = {}) {
  const { queued = [], neverWrites, webAnswers, longSleeps = Promise.resolve() } = faults;
  const config = await load();
  const log: string[] = [];
  let looks = 0;
  const sleep: Clock['sleep'] = async (ms, signal) => {
    if (ms === 20) looks += 1;
    if (ms >= 1_000) await Promise.race([longSleeps, signal && untilAborted(signal)]);
    return clock.sleep(ms, signal);
  };
  const runtime = {
    logger: silentLogger,
    metrics: createMetrics(),
    clock: { now: () => clock.now(), sleep },
  };
  const store = await openStore(config, runtime);
  const opened = await openConsul(config.consul, config.owner, runtime);
  const lost = new AbortController();
  const noted =
    <Args extends readonly [{ readonly name: string }, ...unknown[]], T>(
      write: (...args: Args) => Promise<T>,
    ) =>
    (...args: Args): Promise<T> => {
      log.push(`write ${args[0].name}`);
      if (args[0].name !== neverWrites) return write(...args);
      return new Promise((_, reject) =>
        lost.signal.addEventListener('abort', () => reject(lost.signal.reason)),
      );
    };
  const consul = {
    ...withIntentions(opened, ({ list, write, delete: remove }) => ({
      list(signal) {
        log.push('list');
        return list(signal);
      },
      write: noted(write),
      delete: noted(remove),
    })),
    watch(...args: Parameters<typeof opened.watch>) {
      log.push(`watch ${args[0]}`);
      return opened.watch(...args);
    },
  };
  const opening = config.providers.map(async (settings) => {
    const provider = await openProvider(settings, config, runtime);
    const { directory } = provider;
    return {
      ...provider,
      directory: {
        provider: directory.provider,
        async read(...args: Parameters<typeof directory.read>) {
          log.push(`read ${args[1]}`);
          if (args[1] === 'web-app') await webAnswers;
          return directory.read(...args);
        },
        readAll(...args: Parameters<typeof directory.readAll>) {
          log.push('read all');
          return directory.readAll(...args);
        },
        close: () => directory.close(),
      },
    };
  });
  const providers = await Promise.all(opening);
  const self = { replica: `replica-${epoch}`, host: 'a', since: '2026-03-01T10:00:00.000Z', storeId: 's' };
  await store.fence.raise(self, { above: epoch - 1, over: 'any' });
  const before = new Set((await store.journal.outbox(1_000)).map(({ id }) => id));
  await store.queue.add(queued);
  const stop = new AbortController();
  const led = lead(
    {
      config,
      store,
      consul,
      providers,
      only: ['watch', 'reconcile'],
      mapping: () => ({ mode: config.mode, revision: 'sha256:1', readAt: '2026-03-01T10:00:00.000Z' }),
      runtime,
      ports: {
        ...store,
        ...runtime,
        activity: new ChannelActivity(store.keyValues, clock),
        rejectedEvents: { record: async () => {} },
      },
      publish: () => {},
    },
    {
      leader: { ...self, epoch },
      before: undefined,
      stop: stop.signal,
      lost: lost.signal,
      isHeld: () => true,
      confirm: async () => {},
      handOver: async () => {},
    },
  );
  const over = async () => {
    await led;
    await store.close();
    await opened.close();
    for (const { directory } of providers) await directory.close();
  };
  return {
    log,
    looks: () => looks,
    /** Waits for decisions about these sources in this term. */
    settles: (...expected: readonly string[]) =>
      until(`decisions: ${expected.join(', ')}`, async () => {
        const settled = (await store.journal.outbox(1_000)).filter(({ id }) => !before.has(id));
        const all = new Set(settled.map(({ subject, reason }) => `${subject.split('/').at(-1)} ${reason}`));
        return expected.every((each) => all.has(each));
      }),
    end() {
      stop.abort();
      return over();
    },
    lose() {
      lost.abort(new Error('another replica leads'));
      return over();
    },
  };
}
