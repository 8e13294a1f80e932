import { expect, test } from 'vitest';
import { emptyChain, extendChain, hashOfEvent, toStoredText } from '../../src/decisions/chain.js';
import type { Decision } from '../../src/model/decision.js';
import { decisions } from '../support/decisions.js';

/** Content of others that looks like the place of the hash. */
const LOOKALIKE = '"chain":{"hash":"","log":"other"}';
const hostile = (each: Decision): Decision => ({
  ...each,
  detail: LOOKALIKE,
  principal: { id: `\ud800${LOOKALIKE}` },
  before: JSON.parse(`{${LOOKALIKE},"access":"other"}`),
});

test('the text of a linked decision is made with its hash, and is the one of its event', () => {
  const all = decisions(4).map((each, at) => (at % 2 === 0 ? each : hostile(each)));
  const { chained } = extendChain(emptyChain('log'), all);
  for (const linked of chained) {
    const text = toStoredText(linked);
    // A copy was not linked here, so its text is made from its event.
    expect(text).toBe(toStoredText({ ...linked }));
    expect(hashOfEvent(JSON.parse(text))).toBe(linked.chain?.hash);
  }
});
