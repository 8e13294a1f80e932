import { z } from 'zod';
import { SyncError } from '../errors.js';
import { fieldOf } from '../model/field-of.js';
import { hashOfEvent, leafOf, linkOf } from './chain.js';
import { openCheckpoint, parseCheckpointEvent, type StoredCheckpoint } from './checkpoint.js';
import { parseJson } from './envelope.js';
import { type Hash, inclusionProof, isIncluded } from './merkle.js';
import type { NoteVerifier } from './signed-note.js';

/** Shows that one decision is in a signed log, without the other decisions. */
const PROOF = z.object({
  /** The event as it is stored, as JSON text. */
  event: z.string().max(4_000_000),
  /** The signed checkpoint. */
  checkpoint: z.string().max(10_000),
  /** The hashes of RFC 6962, section 2.1.1, in base64. */
  hashes: z.array(z.base64()).max(64),
});
export type InclusionProof = z.infer<typeof PROOF>;

export interface ProvenDecision {
  readonly id: string;
  readonly sequence: number;
  /** How many decisions the checkpoint signs. */
  readonly size: number;
  readonly event: unknown;
}

/**
 * The proof for the decision with this ID, by the first checkpoint that covers it. Throws SyncError ERR_EVENT_INVALID if the
 * log does not have it, or no checkpoint covers it yet.
 */
export function proveInclusion(events: Iterable<string>, id: string): InclusionProof {
  const leaves = new Map<string, Hash[]>();
  let found: { readonly text: string; readonly log: string; readonly sequence: number } | undefined;
  const checkpoints: StoredCheckpoint[] = [];
  for (const text of events) {
    const event = parseJson(text);
    const link = linkOf(event);
    if (link !== undefined) {
      const hashes = leaves.get(link.log) ?? [];
      hashes[link.sequence - 1] = leafOf(link.hash);
      leaves.set(link.log, hashes);
      if (fieldOf(event, 'id') === id) found = { text, log: link.log, sequence: link.sequence };
    } else {
      const stored = parseCheckpointEvent(event);
      if (stored !== undefined) checkpoints.push(stored);
    }
  }
  if (found === undefined) throw fault(`the log has no decision ${id} with a place in the chain`);
  const { log, sequence } = found;
  const covering = checkpoints.filter(({ log: of, tree }) => of === log && tree.size >= sequence);
  const [checkpoint] = covering.toSorted((a, b) => a.tree.size - b.tree.size);
  if (checkpoint === undefined)
    throw fault(`no checkpoint signs decision ${id} yet; scopemesh signs one every minute with decisions`);
  const signed = (leaves.get(found.log) ?? []).slice(0, checkpoint.tree.size);
  // A deleted beginning leaves holes in the array, which have no key.
  if (Object.keys(signed).length < checkpoint.tree.size)
    throw fault('the beginning of the log was deleted; a proof needs all decisions up to the checkpoint');
  const hashes = inclusionProof(signed, found.sequence - 1).map((hash) => hash.toString('base64'));
  return { event: found.text, checkpoint: checkpoint.note, hashes };
}

/** Undefined if the proof does not show that the decision is in a log that one of the keys signed. Throws SyncError ERR_EVENT_INVALID. */
export function verifyInclusion(
  text: string,
  verifiers: readonly NoteVerifier[],
): ProvenDecision | undefined {
  const proof = PROOF.safeParse(parseJson(text)).data;
  if (proof === undefined) throw fault('this is not a proof that scopemesh decisions prove wrote');
  const event = parseJson(proof.event);
  const link = linkOf(event);
  const signed = link === undefined ? undefined : openCheckpoint(verifiers, link.log, proof.checkpoint);
  const id = fieldOf(event, 'id');
  if (link === undefined || signed === undefined || typeof id !== 'string') return undefined;
  const isProven =
    hashOfEvent(event) === link.hash &&
    isIncluded(
      { index: link.sequence - 1, size: signed.size, root: signed.root },
      leafOf(link.hash),
      proof.hashes.map((hash) => Buffer.from(hash, 'base64')),
    );
  return isProven ? { id, sequence: link.sequence, size: signed.size, event } : undefined;
}

function fault(message: string): SyncError {
  return new SyncError('ERR_EVENT_INVALID', message, { retriable: false });
}
