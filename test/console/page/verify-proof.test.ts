import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { verifyProof } from '../../../src/console/page/verify-proof.js';
import { type ChainHead, emptyChain, extendChain } from '../../../src/decisions/chain.js';
import { originOf, signCheckpoint, toCheckpointEvent } from '../../../src/decisions/checkpoint.js';
import { toCloudEvent } from '../../../src/decisions/envelope.js';
import { proveInclusion, verifyInclusion } from '../../../src/decisions/proofs.js';
import { createNoteSigner, createNoteVerifier } from '../../../src/decisions/signed-note.js';
import { decisions } from '../../support/decisions.js';

const newSigner = () =>
  createNoteSigner(
    'scopemesh/payments',
    String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })),
  );
const signer = newSigner();
const verifier = createNoteVerifier(signer.verifierKey);

/** 21 decisions with a text that JSON has to escape, and checkpoints after 13 and 21. */
const all = decisions(21).map((each, at) => ({ ...each, detail: `é \u2028 "${at}" \u{1F600}` }));
const events: string[] = [];
let head: ChainHead = emptyChain('one');
for (const [from, to] of [
  [0, 13],
  [13, 21],
] as const) {
  const next = extendChain(head, all.slice(from, to));
  head = next.head;
  events.push(...next.chained.map((each) => JSON.stringify(toCloudEvent(each))));
  const note = signCheckpoint(signer, originOf('payments', 'one'), head);
  const stored = { id: 'c', time: '2026-03-01T10:00:00.000Z', source: 's', log: 'one', note };
  events.push(JSON.stringify(toCheckpointEvent({ ...stored, tree: head.tree })));
}
const proofs = await Promise.all(all.map(({ id }) => proveInclusion(events, id)));

it.each(proofs.map((proof, at) => [at + 1, proof] as const))(
  'the browser verifies decision %i by what the command prints',
  async (sequence, proof) => {
    expect(await verifyProof(JSON.stringify(proof, null, 2), ` ${signer.verifierKey}\n`)).toMatchObject({
      id: all[sequence - 1]?.id,
      log: 'one',
      sequence,
      size: sequence <= 13 ? 13 : 21,
      name: 'scopemesh/payments',
    });
  },
);

it('the browser refuses whatever the command refuses, whichever character of the proof is another one', async () => {
  const texts = fc.record({
    at: fc.nat(20),
    place: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    letter: fc.constantFrom('A', 'B', '0', '1', '=', '\n', '"', ' ', '/'),
  });
  await fc.assert(
    fc.asyncProperty(texts, async ({ at, place, letter }) => {
      const text = JSON.stringify(proofs[at]);
      const changed = Math.floor(place * text.length);
      const mutated = text.slice(0, changed) + letter + text.slice(changed + 1);
      const theirs = await Promise.resolve()
        .then(() => verifyInclusion(mutated, [verifier]) !== undefined)
        .catch(() => false);
      const ours = await verifyProof(mutated, signer.verifierKey).then(
        () => true,
        () => false,
      );
      // The command takes a hash in any spelling, the browser in one.
      if (ours) expect([mutated, theirs]).toEqual([mutated, true]);
    }),
    { numRuns: 400 },
  );
});

it('the browser refuses another key, the path of another decision, and another checkpoint', async () => {
  const [proof, other] = [proofs[4], proofs[15]];
  const refused = (changed: object, key = signer.verifierKey) =>
    expect(verifyProof(JSON.stringify({ ...proof, ...changed }), key)).rejects;
  await refused({}, newSigner().verifierKey).toThrow('No pasted key signed the checkpoint');
  await refused({}, '').toThrow('Paste the public key');
  await refused({}, 'scopemesh/payments+00000000+AAAA').toThrow('not a public key');
  await refused({ hashes: proofs[5]?.hashes }).toThrow('do not lead to what the checkpoint signs');
  await refused({ hashes: proof?.hashes.slice(1) }).toThrow('do not lead');
  await refused({ checkpoint: other?.checkpoint }).toThrow('do not lead');
  await refused({ event: proof?.event.replace('ScopeRevoked', 'ScopeGranted') }).toThrow('it was changed');
  await refused({ event: '{}' }).toThrow('no place in a chain');
});
