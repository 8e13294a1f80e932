import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { clientKey, formatKey } from '../../../src/model/key.js';
import type { RevocationOrder } from '../../../src/model/order.js';
import type { Trigger } from '../../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { createEmbeddedStore } from '../../../src/queue/embedded/store.js';
import { work } from '../../conformance/store-harness.js';
import { besideDaemon } from '../../support/beside-daemon.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { until } from '../../support/until.js';

const cause = { kind: 'webhook', eventId: 'e', receivedAt: '2026-01-01T00:00:00.000Z' } as const;
const order: RevocationOrder = { kind: 'session-revoked', provider: 'main', at: cause.receivedAt, cause };
const KEYS = ['web', "it's", 'ordered'].map((id) => clientKey('main', id));
const [WEB = '', ITS = '', ORDERED = ''] = KEYS.map(formatKey);

let cli: CommandLine;
beforeEach(async () => {
  cli = createCommandLine();
  cli.idp();
  await park(KEYS.map((key, at) => ({ key, cause, ...(at === 2 ? { order } : {}) })));
});
afterEach(() => cli.close());

/** Leaves parked keys in the store of the command line. */
async function park(triggers: readonly Trigger[]): Promise<void> {
  const store = createEmbeddedStore({
    directory: join(cli.directory, 'state'),
    logger: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
  });
  const fail = async () => {
    throw new Error('the record is\nbad');
  };
  const working = work(store.queue, fail, 4, 2);
  await store.queue.add(triggers);
  await until('the keys are parked', async () => (await store.queue.state()).parked.length === 3);
  await working.stop();
  await store.close();
}

const listed = async () => {
  const { parked } = (await cli.run(['parked', 'list', '--json'])).json();
  return (parked as { key: string }[]).map(({ key }) => key);
};

it('parked keys are listed with the command for each, retried, and dropped unless they have an order', async () => {
  const use = async () => {
    const { out, status } = await cli.run(['parked']);
    expect(status).toBe(0);
    expect(out).toContain(`${WEB}  2 attempts failed, for `);
    expect(out).toContain('error  the record is\\u{a}bad\n');
    expect(out).toContain(`scopemesh parked retry ${WEB}\n`);
    expect(out).toContain(`scopemesh parked retry '${ITS.replace("'", "'\\''")}'\n`);

    const dropped = await cli.run(['parked', 'drop', WEB, ORDERED, 'client/main/unknown', '--json']);
    expect(dropped.status).toBe(1);
    expect(dropped.json()).toEqual({
      dropped: [WEB],
      errors: [
        { key: ORDERED, message: expect.stringContaining('revocation order') },
        { key: 'client/main/unknown', message: 'this key is not parked' },
      ],
    });
    expect(await listed()).toEqual([ITS, ORDERED].toSorted());
    expect(await cli.run(['parked', 'retry'])).toMatchObject({
      status: 0,
      out: [ITS, ORDERED]
        .toSorted()
        .map((key) => `retried  ${key}\n`)
        .join(''),
    });
    expect(await listed()).toEqual([]);
    expect((await cli.run(['parked', 'list'])).out).toBe('no key is parked\n');
  };
  // Only a comparison would try the keys again.
  await besideDaemon(cli, use, { args: ['--only', 'intake'] });
});
