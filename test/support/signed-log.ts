import { generateKeyPairSync } from 'node:crypto';
import { extendSigned } from '../../src/decisions/batch-proof.js';
import { type ChainHead, emptyChain, type FormerLog, toStoredText } from '../../src/decisions/chain.js';
import {
  originOf,
  signBeginning,
  signCheckpoint,
  toCheckpointEvent,
} from '../../src/decisions/checkpoint.js';
import type { Frontier } from '../../src/decisions/merkle.js';
import { createNoteSigner, createNoteVerifier } from '../../src/decisions/signed-note.js';
import type { Decision } from '../../src/model/decision.js';
import { decisions } from './decisions.js';

/** Those of the topic and the embedded log are text, those of an export bytes. */
export type Stored = string | Buffer;

/** How many decisions are between two checkpoints. */
export const SIGNED_EVERY = 100;

const newPem = () =>
  String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
export const pem = newPem();
export const signer = createNoteSigner('scopemesh/payments', pem);
export const verifier = createNoteVerifier(signer.verifierKey);
/** A key of the same name that nobody trusts. */
export const stranger = createNoteSigner('scopemesh/payments', newPem());

/** Another owner, whose key is trusted too. */
export const neighbour = createNoteSigner('scopemesh/other', newPem());
export const neighbourVerifier = createNoteVerifier(neighbour.verifierKey);

/** As a relay publishes them: some are signed together, and some alone. */
function inBatches(all: readonly Decision[]): readonly (readonly Decision[])[] {
  const begins = Array.from({ length: Math.ceil(all.length / BATCH) }, (_, at) => at * BATCH);
  return begins.map((from) => all.slice(from, from + BATCH));
}

const BATCH = 20;

/** With this event a log begins. */
export function beginningOf(log: string, follows?: FormerLog, by = signer): string {
  return eventOf(log, signBeginning(by, originOf('payments', log), follows), emptyChain(log).tree);
}

/** The decisions with their places in a chain, and signed. */
export function chained(all: readonly Decision[], log = 'one', by = signer): readonly Decision[] {
  return extendSigned(emptyChain(log), all, by).chained;
}

/** The events of a log: the note with which it begins, and decisions, with a checkpoint after every hundredth. */
export function logOf(count: number, log = 'one', follows?: FormerLog): string[] {
  const events = [beginningOf(log, follows)];
  let head: ChainHead = emptyChain(log);
  for (const batch of inBatches(decisions(count))) {
    const next = extendSigned(head, batch, signer);
    head = next.head;
    events.push(...next.chained.map(toStoredText));
    if (head.tree.size % SIGNED_EVERY === 0) events.push(checkpointOf(head));
  }
  return events;
}

export function checkpointOf(head: ChainHead): string {
  const note = signCheckpoint(signer, originOf('payments', head.log), head);
  return eventOf(head.log, note, head.tree);
}

function eventOf(log: string, note: string, tree: Frontier): string {
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
