import { expect, it } from 'vitest';
import { toDecisionPage } from '../../../src/console/api/decision-row.js';
import type { Decision } from '../../../src/model/decision.js';
import { decision } from '../../support/decisions.js';

const outlives = (changes: Partial<Decision>) =>
  toDecisionPage(decision({ time: '2026-03-01T10:00:00.000Z', ...changes })).outlives.map(
    ({ text, until }) => [text.slice(0, 20), until],
  );

it('says of each thing that outlives a revocation when it ends, that nobody knows, or that no time ends it', () => {
  const residual = {
    nextRequests: true,
    openStreamsSeconds: 600,
    agentCache: { roleSeconds: 0, policySeconds: 30, tokenSeconds: 15 },
    accessTokensUntil: 'unknown',
    foreignAllows: ['* -> orders'],
  } as const;
  expect(outlives({ residual })).toEqual([
    ['each pooled connecti', null],
    ['open streams stay fo', '2026-03-01T10:10:00.000Z'],
    ['client agents of Con', '2026-03-01T10:00:30.000Z'],
    ['access tokens that w', 'unknown'],
    ['intentions that scop', null],
  ]);
});

it('what outlives a revocation is unknown where the decision does not say it', () => {
  const unknown = [['the decision does no', 'unknown']];
  expect(outlives({})).toEqual(unknown);
  expect(outlives({ outcome: 'observed', reason: 'RemovedElsewhere' })).toEqual(unknown);
});

it('nothing outlives what took no access', () => {
  expect(outlives({ action: 'grant' })).toEqual([]);
  expect(outlives({ outcome: 'held' })).toEqual([]);
});
