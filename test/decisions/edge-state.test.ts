import { describe, expect, it } from 'vitest';
import { toEdgeState } from '../../src/decisions/edge-state.js';
import { decision } from '../support/decisions.js';

describe('the state that a decision leaves', () => {
  it.each([
    ['a change that removed the edge', decision({ after: null })],
    [
      'an edge that somebody else removed',
      decision({ outcome: 'observed', reason: 'RemovedElsewhere', after: null }),
    ],
  ])('ends the edge after %s', (_name, ended) => {
    expect(toEdgeState(ended)).toEqual({ subject: ended.subject, event: null });
  });

  it.each(['held', 'refused', 'failed'] as const)('is unknown after a change that was %s', (outcome) => {
    expect(toEdgeState(decision({ outcome }))).toBeUndefined();
  });
});
