import { z } from 'zod';
import { PARKED_DOCUMENT } from '../../app/documents.js';
import { systemClock } from '../../clock.js';
import type { Cli } from '../cli.js';
import { defineCommand, defineGroup, severalArguments } from '../command.js';
import { askDaemon, runningDaemon, statusOf } from '../daemon-client.js';
import { printParked } from '../terminal/parked-text.js';
import { tryEach } from '../try-each.js';

const ERRORS = z.array(z.object({ key: z.string(), message: z.string() }));

const list = defineCommand({
  name: 'list',
  isDefault: true,
  summary: 'list the parked keys',
  description: 'Lists the parked keys: how often and since when the job failed, and the last error.',
  takes: {},
  json: PARKED_DOCUMENT,
  exit: '0; 1 if the list cannot be read.',
  ask: async (_, cli) => statusOf(await runningDaemon(cli), PARKED_DOCUMENT),
  print: ({ parked, parkedCount }, { screen }) => printParked(parked, parkedCount, systemClock.now(), screen),
});

const retry = defineCommand({
  name: 'retry',
  summary: 'run parked keys again now',
  description:
    'Runs the parked keys again now, without waiting for an event or a comparison. A key that fails again is parked again.',
  takes: { key: severalArguments('parked keys; none: all of them', '[...]') },
  json: z.object({ retried: z.array(z.string()), errors: ERRORS }),
  exit: '0; 1 if one of the keys is not parked.',
  examples: ['scopemesh parked retry', 'scopemesh parked retry client/main/web-app'],
  async ask({ key: named }, cli) {
    const { parked } = statusOf(await runningDaemon(cli), PARKED_DOCUMENT);
    const keys = named.length > 0 ? named : [...new Set(parked.map(({ key }) => key))];
    const { done: retried, errors } = await unpark('retry', keys, cli);
    return { retried, errors };
  },
  print: ({ retried }, { screen }) => {
    for (const key of retried) screen.text(`retried  ${key}`);
  },
  status: ({ errors }) => (errors.length > 0 ? 1 : 0),
});

const drop = defineCommand({
  name: 'drop',
  summary: 'forget parked keys',
  description:
    'Forgets parked keys with what their events reported. Access stays as it is. The next complete comparison finds ' +
    'again what still differs, but as missing from a read and not as reported by an event: the mass guard counts such ' +
    'removals. A key with a revocation order is not dropped, because no comparison finds an order again.',
  takes: { key: severalArguments('parked keys', '<...>') },
  json: z.object({ dropped: z.array(z.string()), errors: ERRORS }),
  exit: '0; 1 if one of the keys is not parked, runs at the moment, or has a revocation order.',
  examples: ['scopemesh parked drop client/main/web-app'],
  async ask({ key: keys }, cli) {
    const { done: dropped, errors } = await unpark('drop', keys, cli);
    return { dropped, errors };
  },
  print: ({ dropped }, { screen }) => {
    for (const key of dropped) screen.text(`dropped  ${key}`);
  },
  status: ({ errors }) => (errors.length > 0 ? 1 : 0),
});

async function unpark(verb: 'retry' | 'drop', keys: readonly string[], cli: Cli) {
  const said = z.object({ key: z.string() });
  const ask = (key: string) => askDaemon(cli, `/api/parked/${verb}`, { key }, said, 'this key is not parked');
  const { done, errors } = await tryEach(keys, ask, cli);
  return {
    done: done.map(({ key }) => key),
    errors: errors.map(({ id: key, message }) => ({ key, message })),
  };
}

export const parked = defineGroup(
  'parked',
  {
    summary: 'list, retry or drop keys that failed too often',
    description:
      'A key is parked when its job failed eight times in a row for a reason of its own. These commands ask the running ' +
      'daemon on this machine.',
  },
  [list, retry, drop],
);
