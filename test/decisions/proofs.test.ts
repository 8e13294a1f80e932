import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type ChainHead, emptyChain, extendChain } from '../../src/decisions/chain.js';
import { originOf, signCheckpoint, toCheckpointEvent } from '../../src/decisions/checkpoint.js';
import { toCloudEvent } from '../../src/decisions/envelope.js';
import {
  isExtensionProof,
  proveExtension,
  proveInclusion,
  verifyExtension,
  verifyInclusion,
} from '../../src/decisions/proofs.js';
import { createNoteSigner, createNoteVerifier } from '../../src/decisions/signed-note.js';
import { decisions } from '../support/decisions.js';
import { logOf } from '../support/signed-log.js';

const newPem = () =>
  String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
const newSigner = (pem = newPem()) => createNoteSigner('scopemesh/payments', pem);
const pem = newPem();
const signer = newSigner(pem);
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
/** The event of a checkpoint of what was appended. */
const sign = () => {
  const signed = signCheckpoint(signer, originOf('payments', 'one'), head);
  const stored = { id: 'c', time: '2026-03-01T10:00:00.000Z', source: 's', log: 'one', note: signed };
  return JSON.stringify(toCheckpointEvent({ ...stored, tree: head.tree }));
};
append(0, 13);
const note = signCheckpoint(signer, originOf('payments', 'one'), head);
events.push(sign());
append(13, 15);

describe('the proof of a decision', () => {
  it.each(all.slice(0, 13).map(({ id }, at) => [at + 1, id] as const))(
    'shows that number %i is in the log, and contains no other decision',
    async (sequence, id) => {
      const proof = JSON.stringify(await proveInclusion(events, id));
      expect(verifyInclusion(proof, [verifier])).toMatchObject({ id, sequence, size: 13 });
      for (const other of all) if (other.id !== id) expect(proof).not.toContain(other.id);
    },
  );

  it('is refused when the decision, a hash, the checkpoint or the key is another one', async () => {
    const proof = await proveInclusion(events, all[4]?.id ?? '');
    const verify = (changed: object) => verifyInclusion(JSON.stringify({ ...proof, ...changed }), [verifier]);
    expect(verify({})).toBeDefined();
    expect(verify({ event: proof.event.replace('ScopeRevoked', 'ScopeGranted') })).toBeUndefined();
    expect(verify({ event: events[5] })).toBeUndefined();
    // The same value to this reader, and another one to a reader that takes the first member.
    expect(verify({ event: proof.event.replace('{', '{"id":"forged",') })).toBeUndefined();
    expect(verify({ event: '{}' })).toBeUndefined();
    expect(verify({ hashes: proof.hashes.toReversed() })).toBeUndefined();
    expect(verify({ hashes: proof.hashes.slice(1) })).toBeUndefined();
    expect(verify({ checkpoint: proof.checkpoint.replace('13', '14') })).toBeUndefined();
    const stranger = createNoteVerifier(newSigner().verifierKey);
    expect(verifyInclusion(JSON.stringify(proof), [stranger])).toBeUndefined();
  });

  it('is refused with a hash of another length', async () => {
    const proof = await proveInclusion(events, all[4]?.id ?? '');
    for (const length of [0, 31, 33, 64]) {
      const hashes = proof.hashes.with(0, Buffer.alloc(length).toString('base64'));
      expect(() => verifyInclusion(JSON.stringify({ ...proof, hashes }), [verifier])).toThrow('not a proof');
    }
  });

  it('is not made for a decision that no checkpoint signs, that is not there, or without the beginning', async () => {
    await expect(proveInclusion(events, all[14]?.id ?? '')).rejects.toThrow('no checkpoint signs decision');
    await expect(proveInclusion(events, 'nothing')).rejects.toThrow('the log has no decision nothing');
    await expect(proveInclusion(events.slice(1), all[4]?.id ?? '')).rejects.toThrow('is not there');
    // Neither the checkpoint of another log signs it nor an older one behind it.
    for (const behind of [logOf(100, 'two'), events.slice(13, 14)])
      await expect(proveInclusion([...events, ...behind], all[14]?.id ?? '')).rejects.toThrow(
        'no checkpoint',
      );
  });

  it('is made in a log that begins with a checkpoint', async () => {
    const rest = [...events.slice(13), '{}', sign()];
    const proof = JSON.stringify(await proveInclusion(rest, all[14]?.id ?? ''));
    expect(verifyInclusion(proof, [verifier])).toMatchObject({ sequence: 15, size: 15 });
  });

  it.each(['', '{}', 'text'])('in the form "%s" is refused with an error that says so', (text) => {
    expect(() => verifyInclusion(text, [verifier])).toThrow(/not a (proof|decision event)/i);
  });
});

describe('the proof of an extension', () => {
  const grown = [...events, sign()];

  it('shows that a log begins with what an earlier checkpoint signs, and contains no decision', async () => {
    const proof = JSON.stringify(await proveExtension(grown, note));
    expect(verifyExtension(proof, note, [verifier])).toEqual({ log: 'one', from: 13, to: 15 });
    for (const { id } of all) expect(proof).not.toContain(id);
    const cut = JSON.stringify(await proveExtension(grown.slice(13), note));
    expect(cut).toBe(proof);
    expect(
      [proof, JSON.stringify(await proveInclusion(events, all[4]?.id ?? ''))].map(isExtensionProof),
    ).toEqual([true, false]);
    const same = JSON.stringify(await proveExtension(events, note));
    expect(verifyExtension(same, note, [verifier])).toEqual({ log: 'one', from: 13, to: 13 });
  });

  it('is refused for a checkpoint of another past, and with a changed proof or key', async () => {
    const proof = await proveExtension(grown, note);
    const other = signCheckpoint(
      signer,
      originOf('payments', 'one'),
      extendChain(emptyChain('one'), decisions(13)).head,
    );
    const verify = (changed: object, of = note, by = verifier) =>
      verifyExtension(JSON.stringify({ ...proof, ...changed }), of, [by]);
    expect(verify({})).toBeDefined();
    expect(verify({}, other)).toBeUndefined();
    expect(verify({ hashes: proof.hashes.slice(1) })).toBeUndefined();
    expect(verify({ checkpoint: other })).toBeUndefined();
    expect(verify({}, note, createNoteVerifier(newSigner().verifierKey))).toBeUndefined();
    const neighbour = createNoteSigner('scopemesh/other', pem);
    const ofNeighbour = neighbour.sign(note.slice(0, note.indexOf('\n\n') + 1).replace('payments', 'other'));
    const both = [verifier, createNoteVerifier(neighbour.verifierKey)];
    expect(verifyExtension(JSON.stringify(proof), ofNeighbour, both)).toBeUndefined();
    expect(() => verifyExtension('{}', note, both)).toThrow(
      'not a proof that scopemesh decisions prove --extends',
    );
    expect(() => verifyExtension(JSON.stringify(proof), 'text', both)).toThrow('not a checkpoint');
  });

  it('is not made for another log, for more than is signed, or for a text that is no checkpoint', async () => {
    await expect(proveExtension(grown, note.replace('/one', '/two'))).rejects.toThrow(
      'there is no checkpoint of log two',
    );
    await expect(proveExtension(events, note.replace('13', '14'))).rejects.toThrow('fewer than 14');
    for (const text of ['text', ` ${note}`])
      await expect(proveExtension(events, text)).rejects.toThrow('not a checkpoint');
    await expect(proveExtension(events, note.replace('13', '1000'))).rejects.toThrow('fewer than 1000');
  });
});
