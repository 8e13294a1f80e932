import { generateKeyPairSync } from 'node:crypto';
import { type ChainHead, emptyChain, extendChain, toStoredText } from '../../src/decisions/chain.js';
import { originOf, signCheckpoint, toCheckpointEvent } from '../../src/decisions/checkpoint.js';
import { createNoteSigner, createNoteVerifier } from '../../src/decisions/signed-note.js';
import { decisions } from './decisions.js';

/** Those of the topic and the embedded log are text, those of an export bytes. */
export type Stored = string | Buffer;

/** How many decisions are between two checkpoints. */
export const SIGNED_EVERY = 100;

export const pem = String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
export const signer = createNoteSigner('scopemesh/payments', pem);
export const verifier = createNoteVerifier(signer.verifierKey);

/** The events of a log: decisions, with a checkpoint after every hundredth. */
export function logOf(count: number, log = 'one'): string[] {
  const events: string[] = [];
  let head: ChainHead = emptyChain(log);
  for (const decision of decisions(count)) {
    const next = extendChain(head, [decision]);
    head = next.head;
    events.push(...next.chained.map(toStoredText));
    if (head.tree.size % SIGNED_EVERY === 0) events.push(checkpointOf(head));
  }
  return events;
}

export function checkpointOf(head: ChainHead): string {
  const note = signCheckpoint(signer, originOf('payments', head.log), head);
  const { log, tree } = head;
  const time = '2026-03-01T10:00:00.000Z';
  return JSON.stringify(toCheckpointEvent({ id: 'c', time, source: 's', log, note, tree }));
}

/** The stored bytes with one bit the other way round. */
export function withBit(event: string, offset: number, bit: number): Buffer {
  const bytes = Buffer.from(event);
  const where = offset % bytes.length;
  bytes[where] = (bytes[where] ?? 0) ^ (1 << bit);
  return bytes;
}
