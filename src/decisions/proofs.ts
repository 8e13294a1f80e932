import { z } from 'zod';
import { invalidEvent } from '../errors.js';
import { fieldOf } from '../model/field-of.js';
import { safeParse } from '../safe-parse.js';
import { leafOf, linkOf } from './chain.js';
import { logOfNote, openCheckpoint, parseCheckpointEvent, type StoredCheckpoint } from './checkpoint.js';
import { parseJson } from './envelope.js';
import { HASH_BYTES, type Hash, isConsistent, isIncluded } from './merkle.js';
import { MerkleTree } from './merkle-tree.js';
import type { NoteVerifier } from './signed-note.js';
import { toTrailRecord } from './trail-record.js';

/** A signed checkpoint and hashes of RFC 6962 in base64. */
const CHECKPOINT = z.string().max(10_000);
const HASHES = z
  .array(z.base64().refine((text) => Buffer.from(text, 'base64').length === HASH_BYTES))
  .max(128);

/** Shows that one decision is in a signed log, without the other decisions. `event`: as it is stored, as JSON text. */
const INCLUSION = z.object({ event: z.string().max(4_000_000), checkpoint: CHECKPOINT, hashes: HASHES });
type InclusionProof = z.infer<typeof INCLUSION>;

/** Shows that a signed log begins with all decisions that an earlier checkpoint signs. The verifier has that checkpoint. */
const EXTENSION = z.object({ extends: z.object({ size: z.int() }), checkpoint: CHECKPOINT, hashes: HASHES });
type ExtensionProof = z.infer<typeof EXTENSION>;

/** Events in the order of the chain, as JSON text. */
type Events = AsyncIterable<string> | Iterable<string>;

interface ProvenDecision {
  readonly id: string;
  readonly sequence: number;
  /** How many decisions the checkpoint signs. */
  readonly size: number;
  readonly event: unknown;
}

interface ProvenExtension {
  readonly log: string;
  /** How many decisions the earlier and the later checkpoint sign. */
  readonly from: number;
  readonly to: number;
}

/**
 * The proof for the decision with this ID, by the first checkpoint that covers it. Throws SyncError ERR_EVENT_INVALID if the
 * log does not have it, or no checkpoint covers it yet.
 */
export async function proveInclusion(events: Events, id: string): Promise<InclusionProof> {
  const reader = new TreeReader();
  let found: { readonly text: string; readonly log: string; readonly sequence: number } | undefined;
  for await (const text of events) {
    const event = parseJson(text);
    const checkpoint = reader.add(event);
    const link = linkOf(event);
    if (link !== undefined && fieldOf(event, 'id') === id) found ??= { text, ...link };
    if (found === undefined || checkpoint === undefined) continue;
    const { log, sequence } = found;
    const { size } = checkpoint.tree;
    if (checkpoint.log !== log || size < sequence) continue;
    const hashes = toTexts(reader.tree.inclusionProof(sequence - 1, size));
    return { event: found.text, checkpoint: checkpoint.note, hashes };
  }
  throw invalidEvent(
    found === undefined
      ? `the log has no decision ${id} with a place in the chain`
      : `no checkpoint signs decision ${id} yet; scopemesh signs one every minute with decisions`,
  );
}

/**
 * The proof that the newest checkpoint of the log extends the one in this note. Throws SyncError ERR_EVENT_INVALID if the note
 * is about another log, or the log ends before it.
 */
export async function proveExtension(events: Events, note: string): Promise<ExtensionProof> {
  const log = logOfNote(note);
  const size = Number(note.split('\n')[1]);
  if (log === undefined) throw invalidEvent('this is not a checkpoint of a decision log');
  const reader = new TreeReader(log);
  let newest: StoredCheckpoint | undefined;
  for await (const text of events) newest = reader.add(parseJson(text)) ?? newest;
  if (newest === undefined) throw invalidEvent(`there is no checkpoint of log ${log}`);
  if (newest.tree.size < size)
    throw invalidEvent(
      `the newest checkpoint of log ${log} signs ${newest.tree.size} decisions, fewer than ${size}`,
    );
  const hashes = toTexts(reader.tree.consistencyProof(size, newest.tree.size));
  return { extends: { size }, checkpoint: newest.note, hashes };
}

/** Undefined if the proof does not show that the decision is in a log that one of the keys signed. Throws SyncError ERR_EVENT_INVALID. */
export function verifyInclusion(
  text: string,
  verifiers: readonly NoteVerifier[],
): ProvenDecision | undefined {
  const proof = safeParse(INCLUSION, parseJson(text)).data;
  if (proof === undefined) throw invalidEvent('this is not a proof that scopemesh decisions prove wrote');
  // Another spelling of the same value could say something else to another reader.
  const record = toTrailRecord(proof.event);
  if (record.kind !== 'decision' || !record.isIntact) return undefined;
  const { id, link } = record;
  const signed = openCheckpoint(verifiers, link.log, proof.checkpoint);
  if (signed === undefined) return undefined;
  const place = { index: link.sequence - 1, size: signed.size, root: signed.root };
  if (!isIncluded(place, leafOf(link.hash), toHashes(proof.hashes))) return undefined;
  return { id, sequence: link.sequence, size: signed.size, event: parseJson(proof.event) };
}

/**
 * Undefined if the proof does not show that its checkpoint extends the one in `note`, both signed by one of the keys. Throws
 * SyncError ERR_EVENT_INVALID.
 */
export function verifyExtension(
  text: string,
  note: string,
  verifiers: readonly NoteVerifier[],
): ProvenExtension | undefined {
  const proof = safeParse(EXTENSION, parseJson(text)).data;
  if (proof === undefined)
    throw invalidEvent('this is not a proof that scopemesh decisions prove --extends wrote');
  const log = logOfNote(note);
  if (log === undefined) throw invalidEvent('this is not a checkpoint of a decision log');
  const earlier = openCheckpoint(verifiers, log, note);
  const later = openCheckpoint(verifiers, log, proof.checkpoint);
  if (earlier === undefined || later === undefined || earlier.origin !== later.origin) return undefined;
  if (!isConsistent(earlier, later, toHashes(proof.hashes))) return undefined;
  return { log, from: earlier.size, to: later.size };
}

/** Whether a text is a proof about two checkpoints. */
export function isExtensionProof(text: string): boolean {
  return safeParse(EXTENSION, parseJson(text)).success;
}

/** Builds the tree of one log after the other, or of one alone. */
class TreeReader {
  readonly #only: string | undefined;
  #log: string | undefined;
  tree = new MerkleTree();

  constructor(only?: string) {
    this.#only = only;
  }

  /** Resolves with the event if it is a checkpoint of the log. */
  add(event: unknown): StoredCheckpoint | undefined {
    const link = linkOf(event);
    const checkpoint = link === undefined ? parseCheckpointEvent(event) : undefined;
    const log = link?.log ?? checkpoint?.log;
    if (log === undefined || (this.#only !== undefined && log !== this.#only)) return undefined;
    // What is before the first checkpoint of a log without a beginning was deleted.
    if (log !== this.#log) this.tree = new MerkleTree(checkpoint?.tree);
    this.#log = log;
    if (link !== undefined) this.tree.append(link.sequence - 1, leafOf(link.hash));
    return checkpoint;
  }
}

function toTexts(hashes: readonly Hash[]): string[] {
  return hashes.map((each) => each.toString('base64'));
}

function toHashes(texts: readonly string[]): readonly Hash[] {
  return texts.map((each) => Buffer.from(each, 'base64'));
}
