import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type ChainHead, emptyChain, extendChain } from '../../src/decisions/chain.js';
import { originOf, signCheckpoint, toCheckpointEvent } from '../../src/decisions/checkpoint.js';
import { toCloudEvent } from '../../src/decisions/envelope.js';
import { proveInclusion, verifyInclusion } from '../../src/decisions/inclusion-proof.js';
import { createNoteSigner, createNoteVerifier } from '../../src/decisions/signed-note.js';
import { decisions } from '../support/decisions.js';

const newSigner = () =>
  createNoteSigner(
    'scopemesh/payments',
    String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })),
  );
const signer = newSigner();
const verifier = createNoteVerifier(signer.verifierKey);

/** 13 decisions, a checkpoint, and 2 decisions. */
const all = decisions(15);
const events: string[] = [];
let head: ChainHead = emptyChain('one');
const append = (from: number, to: number) => {
  const next = extendChain(head, all.slice(from, to));
  head = next.head;
  events.push(...next.chained.map((each) => JSON.stringify(toCloudEvent(each))));
};
append(0, 13);
const note = signCheckpoint(signer, originOf('payments', 'one'), head);
const time = '2026-03-01T10:00:00.000Z';
events.push(
  JSON.stringify(toCheckpointEvent({ id: 'c', time, source: 's', log: 'one', note, tree: head.tree })),
);
append(13, 15);

describe('the proof of a decision', () => {
  it.each(all.slice(0, 13).map(({ id }, at) => [at + 1, id] as const))(
    'shows that number %i is in the log, and contains no other decision',
    (sequence, id) => {
      const proof = JSON.stringify(proveInclusion(events, id));
      expect(verifyInclusion(proof, [verifier])).toMatchObject({ id, sequence, size: 13 });
      for (const other of all) if (other.id !== id) expect(proof).not.toContain(other.id);
    },
  );

  it('is refused when the decision, a hash, the checkpoint or the key is another one', () => {
    const proof = proveInclusion(events, all[4]?.id ?? '');
    const verify = (changed: object) => verifyInclusion(JSON.stringify({ ...proof, ...changed }), [verifier]);
    expect(verify({})).toBeDefined();
    expect(verify({ event: proof.event.replace('ScopeRevoked', 'ScopeGranted') })).toBeUndefined();
    expect(verify({ event: events[5] })).toBeUndefined();
    expect(verify({ hashes: proof.hashes.toReversed() })).toBeUndefined();
    expect(verify({ hashes: proof.hashes.slice(1) })).toBeUndefined();
    expect(verify({ checkpoint: proof.checkpoint.replace('13', '14') })).toBeUndefined();
    const stranger = createNoteVerifier(newSigner().verifierKey);
    expect(verifyInclusion(JSON.stringify(proof), [stranger])).toBeUndefined();
  });

  it('is not made for a decision that no checkpoint signs, that is not there, or without the beginning', () => {
    expect(() => proveInclusion(events, all[14]?.id ?? '')).toThrow('no checkpoint signs decision');
    expect(() => proveInclusion(events, 'nothing')).toThrow('the log has no decision nothing');
    expect(() => proveInclusion(events.slice(1), all[4]?.id ?? '')).toThrow(
      'the beginning of the log was deleted',
    );
  });

  it.each(['', '{}', 'text'])('in the form "%s" is refused with an error that says so', (text) => {
    expect(() => verifyInclusion(text, [verifier])).toThrow(/not a (proof|decision event)/i);
  });
});
