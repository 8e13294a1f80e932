import { expect, test } from 'vitest';
import { extendSigned } from '../../src/decisions/batch-proof.js';
import {
  emptyChain,
  extendChain,
  formatHead,
  hashOfEvent,
  intactLinkOf,
  parseHead,
  toStoredText,
  withProofs,
} from '../../src/decisions/chain.js';
import type { Decision } from '../../src/model/decision.js';
import { decisions } from '../support/decisions.js';
import { signer } from '../support/signed-log.js';

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

test('a stored decision shows what it names without being parsed, as text and as bytes', () => {
  for (const count of [1, 2, 16])
    for (const decision of extendSigned(emptyChain('log'), decisions(count), signer).chained) {
      const { id, source, time, chain: link } = decision;
      const text = toStoredText({ ...decision });
      for (const stored of [text, Buffer.from(text)])
        expect(intactLinkOf(stored)).toEqual({ id, source, time, link });
    }
  const [plain] = extendChain(emptyChain('log'), decisions(1)).chained;
  const [accented] = extendSigned(
    emptyChain('log'),
    [{ ...decisions(1)[0], detail: '\u00e9\u20ac' } as Decision],
    signer,
  ).chained;
  for (const each of [plain, accented])
    for (const stored of [toStoredText(each as Decision), Buffer.from(toStoredText(each as Decision))])
      expect(intactLinkOf(stored)?.link).toEqual(each?.chain);
});

test.each([
  ['another content', (text: string) => text.replace('ScopeRevoked', 'ScopeGranted')],
  ['another hash', (text: string) => text.replace(/"hash":"./, '"hash":"g')],
  ['another name of the hash', (text: string) => text.replace('"hash":"', '"hasH":"')],
  ['another ID', (text: string) => text.replace('"id":"0', '"id":"1')],
  ['something behind it', (text: string) => `${text} `],
  ['something before it', (text: string) => ` ${text}`],
  ['a proof with a comma too many', (text: string) => text.replace(/"],"index"/, '",],"index"')],
  ['a proof with a comma too few', (text: string) => text.replace('","', '""')],
  [
    'a second place of the hash',
    (text: string) => text.replace('"mappingRevision":', '"chain":{"hash":"","mappingRevision":'),
  ],
  ['far too much text', (text: string) => text.replace('"action"', `${' '.repeat(90_000)}"action"`)],
])('a stored decision with %s is not known without being parsed', (_, change) => {
  const [, text = ''] = extendSigned(emptyChain('log'), decisions(3), signer).chained.map(toStoredText);
  expect(change(text)).not.toBe(text);
  for (const stored of [change(text), Buffer.from(change(text))])
    expect(intactLinkOf(stored)).toBeUndefined();
});

test('a very long decision is judged by its event', () => {
  const [long] = extendSigned(
    emptyChain('log'),
    [{ ...decisions(1)[0], detail: 'x'.repeat(90_000) } as Decision],
    signer,
  ).chained;
  const text = toStoredText(long as Decision);
  expect([intactLinkOf(text), hashOfEvent(JSON.parse(text))]).toEqual([undefined, long?.chain?.hash]);
});

test('what has no place in a chain has no hash', () => {
  for (const value of [undefined, null, 'text', {}, { data: 1 }, { data: {} }, { data: { chain: 1 } }])
    expect(hashOfEvent(value)).toBeUndefined();
});

test('the end of a chain is the same after it was stored', () => {
  const heads = [
    emptyChain('log'),
    emptyChain('log', { log: 'former', size: 7 }),
    extendChain(emptyChain('log'), decisions(3)).head,
  ];
  for (const head of heads) expect(parseHead(JSON.parse(JSON.stringify(formatHead(head))))).toEqual(head);
});

test('a decision without a proof or without a place stays as it is', () => {
  const { chained } = extendChain(emptyChain('log'), decisions(1));
  const [proof] = extendSigned(emptyChain('log'), decisions(1), signer).chained.flatMap(
    ({ chain }) => chain?.proof ?? [],
  );
  expect(withProofs(chained, [])).toEqual(chained);
  const loose = decisions(1);
  expect(withProofs(loose, proof === undefined ? [] : [proof])).toEqual(loose);
});
