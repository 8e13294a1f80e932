import { describe, expect, it } from 'vitest';
import { ProofCheck, proveBatch, SIGNED_TOGETHER } from '../../src/decisions/batch-proof.js';
import { decisions } from '../support/decisions.js';
import { chained, logOf, signer, stranger, verifier } from '../support/signed-log.js';

const hashes = Array.from({ length: SIGNED_TOGETHER + 1 }, (_, at) => at.toString(16).padStart(64, '0'));
const [hash = ''] = hashes;
const owner = 'scopemesh/payments';

describe('the proof of a decision in a batch', () => {
  it('counts for the owner of the key and no other', () => {
    const [proof] = proveBatch(signer, [hash]);
    const check = new ProofCheck([verifier]);
    const isProven = (source: string) => proof !== undefined && check.isProven(source, { hash, proof });
    expect([owner, `${owner}/replica-1`].map(isProven)).toEqual([true, true]);
    expect(['scopemesh/other', `${owner}-eu`, `${owner}-eu/a`, 'scopemesh', ''].map(isProven)).not.toContain(
      true,
    );
  });

  it('counts for each decision of the batch in its place', () => {
    const check = new ProofCheck([verifier]);
    const proofs = proveBatch(signer, hashes.slice(1));
    for (const [at, proof] of proofs.entries())
      for (const [place, each] of hashes.slice(1).entries())
        expect(check.isProven(owner, { hash: each, proof })).toBe(at === place);
  });

  it('does not count without a proof, in a larger batch, or with another path or number', () => {
    const check = new ProofCheck([verifier]);
    const [larger] = proveBatch(signer, hashes);
    const [proof] = proveBatch(signer, hashes.slice(0, 3));
    const [by] = proveBatch(stranger, hashes.slice(0, 3));
    if (proof === undefined || larger === undefined || by === undefined) throw new Error('no proof');
    expect(check.isProven(owner, { hash, proof })).toBe(true);
    expect(check.isProven(owner, { hash })).toBe(false);
    for (const other of [
      larger,
      by,
      { ...proof, size: 4 },
      { ...proof, index: 1 },
      { ...proof, index: 3 },
      { ...proof, hashes: proof.hashes.slice(1) },
      { ...proof, signature: by.signature },
    ])
      expect(check.isProven(owner, { hash, proof: other })).toBe(false);
  });
});

it('an event of a topic is proven as a signed decision or as a signed checkpoint, and as nothing else', () => {
  const check = new ProofCheck([verifier]);
  const log = logOf(100);
  expect(log.every((event) => check.isProvenEvent(event))).toBe(true);
  const [checkpoint = '', decision = ''] = [log.at(-1), log[1]];
  expect(checkpoint).toContain('"size":100');
  const [strange] = chained(decisions(1), 'one', stranger);
  for (const forged of [
    '{}',
    'text',
    JSON.stringify(strange),
    decision.replace('ScopeRevoked', 'ScopeGranted'),
    decision.replace('"source":"scopemesh/payments', '"source":"scopemesh/other'),
    checkpoint.replace('"size":100', '"size":101'),
    checkpoint.replace(/"roots":\["./, (begin) =>
      begin.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')),
    ),
    checkpoint.replace('"log":"one"', '"log":"two"'),
  ])
    expect(check.isProvenEvent(forged)).toBe(false);
});
