import { expect, it } from 'vitest';
import type { z } from 'zod';
import type { Config } from '../../config/config.js';
import type { Cli } from '../../src/cli/cli.js';
import { findKnownHolds, holdsIn } from '../../src/cli/recorded-holds.js';
import type { Decision } from '../../src/model/decision.js';

const AT = '2026-01-31T12:00:00.000Z';

const decision = (id: string, facts: Partial<Decision>): Decision => ({
  id,
  time: AT,
  type: 'dev.scopemesh.intention.held',
  subject: 's',
  source: 'scopemesh/payments/one',
  action: 'revoke',
  outcome: 'held',
  reason: 'RevocationLimit',
  resource: { kind: 'intention' },
  cause: { kind: 'retry', receivedAt: '2026-01-31T12:00:00.000Z' },
  mappingRevision: 'sha256:0',
  revision: 1,
  ...facts,
});

async function known(...decisions: Decision[]): Promise<readonly (readonly [string, object])[]> {
  async function* log() {
    yield* decisions;
  }
  return [...(await holdsIn(log())).open].map(([key, { reason: _, detail: __, ...hold }]) => [key, hold]);
}

const LATER = '2026-01-31T12:00:01.000Z';
const rejected = decision('2', {
  type: 'dev.scopemesh.intention.rejected',
  outcome: 'refused',
  principal: { id: 'bob' },
});
const ended = decision('3', {
  type: 'dev.scopemesh.intention.released',
  outcome: 'observed',
  reason: 'HoldEnded',
  time: LATER,
});

it('a hold has the ID of its newest held decision', async () => {
  expect(await known(decision('1', {}), decision('2', {}))).toEqual([
    ['s RevocationLimit', { decisionId: '2', rejectedBy: null, since: AT }],
  ]);
});

it('a rejection names who rejected it, until the hold begins again', async () => {
  const hold = ['s RevocationLimit', { decisionId: '1', rejectedBy: 'bob', since: AT }];
  expect(await known(decision('1', {}), rejected)).toEqual([hold]);
  expect(await known(decision('1', {}), rejected, decision('4', {}))).toEqual([
    ['s RevocationLimit', { decisionId: '4', rejectedBy: null, since: AT }],
  ]);
});

it('the end of a hold and a change that was made remove it, and nothing else does', async () => {
  expect(await known(decision('1', {}), ended)).toEqual([]);
  const applied = decision('3', { outcome: 'applied', reason: 'ClientDeleted', time: LATER });
  expect(await known(decision('1', {}), applied)).toEqual([]);
  expect(await known(decision('1', {}), { ...applied, subject: 'other' })).toHaveLength(1);
});

it('a hold that begins as another one ends is kept', async () => {
  const next = decision('2', { reason: 'MarkLost', time: LATER });
  expect(await known(decision('1', {}), next, ended)).toEqual([
    ['s MarkLost', { decisionId: '2', rejectedBy: null, since: LATER }],
  ]);
});

it('the holds of a running daemon are read page by page, and a page that fails ends the list', async () => {
  const hold = (id: string) => ({
    subject: `subject-${id}`,
    reason: 'RevocationLimit',
    decisionId: id,
    rejectedBy: null,
    since: AT,
  });
  const pages = new Map([
    ['two', { holds: [hold('2')], holdsAfter: 'three' }],
    ['three', { holds: [hold('3')], holdsAfter: 'lost' }],
  ]);
  const asked: string[] = [];
  const daemon = {
    status: { holds: [hold('1')], holdsAfter: 'two' },
    async read<T>(path: string, schema: z.ZodType<T>) {
      const after = path.replace('/statusz?holdsAfter=', '');
      asked.push(after);
      return schema.safeParse(pages.get(after)).data;
    },
  };
  // Neither is used while a daemon answers.
  const [config, cli] = [{} as Config, {} as Cli];
  const found = await findKnownHolds(config, daemon, cli);
  expect([...(found?.values() ?? [])].map(({ decisionId }) => decisionId)).toEqual(['1', '2', '3']);
  expect(asked).toEqual(['two', 'three', 'lost']);
});
