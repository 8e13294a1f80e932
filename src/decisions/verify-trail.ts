import { hash } from 'node:crypto';
import { definedFields } from '../model/defined-fields.js';
import { leafOf, NO_HASH } from './chain.js';
import { openCheckpoint, type StoredCheckpoint } from './checkpoint.js';
import { appendLeaf, EMPTY_FRONTIER, type Frontier, rootOf } from './merkle.js';
import type { NoteVerifier } from './signed-note.js';
import type { TrailRecord } from './trail-record.js';

type DecisionRecord = Extract<TrailRecord, { kind: 'decision' }>;

/** The first place at which a log is not what scopemesh wrote. */
export interface TrailFault {
  readonly kind: 'changed' | 'removed' | 'inserted' | 'repeated' | 'moved' | 'checkpoint';
  /** Counts the events from 1. */
  readonly position: number;
  /** Where the topic has it, for people: its partitions do not have the order of the positions. */
  readonly place?: string;
  /** The decision; absent if it is removed or unreadable. */
  readonly id?: string;
  /** Its number in the log, or the first number that is missing. */
  readonly sequence?: number;
  /** An explanation for people. */
  readonly detail: string;
}

export interface VerifiedLog {
  readonly log: string;
  /** The numbers of its first and its last decision. */
  readonly first: number;
  readonly last: number;
  /** The decisions up to this number are signed; who can write the log can change the others. */
  readonly signed: number;
  /** How long before the newest decision of all logs the first one after the signed ones was made; without a key, absent. */
  readonly unsignedMs?: number;
}

export interface TrailReport {
  /** Decisions in the chain. */
  readonly decisions: number;
  /** Decisions before the chain began, which nothing proves. */
  readonly unchained: number;
  /** In order: more than one if a store was lost. */
  readonly logs: readonly VerifiedLog[];
  /** Checkpoints with a valid signature. */
  readonly checkpoints: number;
  readonly fault?: TrailFault;
}

/** How far a log is known: by its decisions, or by a checkpoint with which a log begins whose older part was deleted. */
interface End {
  readonly log: string;
  readonly sequence: number;
  readonly id?: string;
  /** Unknown after a checkpoint. */
  readonly hash?: string;
}

/** A fault that depends on what follows it. */
interface Found {
  see?(later: TrailRecord): void;
  fault(): TrailFault;
}

/**
 * Checks that the records are an unchanged chain in this order, and that each checkpoint signs it. The report names the
 * first fault. A log may begin with a checkpoint: then what it signs was deleted. Keeps no record.
 */
export class TrailVerification {
  readonly #verifiers: readonly NoteVerifier[];
  /** `unsignedSince`: when the first decision after the signed ones was made, in ms. */
  readonly #logs: {
    readonly log: string;
    readonly first: number;
    last: number;
    signed: number;
    unsignedSince?: number | undefined;
  }[] = [];
  #newest = Number.NEGATIVE_INFINITY;
  #decisions = 0;
  #unchained = 0;
  #checkpoints = 0;
  #position = 0;
  #end: End | undefined;
  #tree = EMPTY_FRONTIER;
  #found: Found | undefined;
  /** The digests of the notes that were found at their place. */
  readonly #checked = new Set<string>();

  /** One of the keys must have signed each checkpoint; without keys only the chain is checked. */
  constructor(verifiers: readonly NoteVerifier[] = []) {
    this.#verifiers = verifiers;
  }

  add(record: TrailRecord): void {
    if (this.#found !== undefined) {
      this.#found.see?.(record);
      return;
    }
    this.#position++;
    if (record.kind === 'unchained' && this.#end === undefined) this.#unchained++;
    else if (record.kind === 'checkpoint') this.#addCheckpoint(record.checkpoint);
    else this.#addDecision(record);
  }

  report(): TrailReport {
    const fault = this.#found?.fault();
    return {
      decisions: this.#decisions,
      unchained: this.#unchained,
      logs: this.#logs.map(({ unsignedSince: since, ...each }) => ({
        ...each,
        ...(this.#verifiers.length === 0 || since === undefined ? {} : { unsignedMs: this.#newest - since }),
      })),
      checkpoints: this.#checkpoints,
      ...(fault === undefined ? {} : { fault }),
    };
  }

  #addCheckpoint(checkpoint: StoredCheckpoint): void {
    const { log, note, tree } = checkpoint;
    const noteDigest = hash('sha256', note, 'base64');
    const isKnown = this.#checked.has(noteDigest);
    const known = { end: this.#end, tree: this.#tree, verifiers: this.#verifiers, isKnown };
    const fault = checkpointFault(checkpoint, known);
    if (fault !== undefined) this.#found = at(this.#position, fault);
    if (fault !== undefined || isKnown) return;
    this.#checked.add(noteDigest);
    if (this.#end === undefined) {
      this.#logs.push({ log, first: tree.size + 1, last: tree.size, signed: 0 });
      this.#end = { log, sequence: tree.size };
      this.#tree = tree;
    }
    const current = this.#logs.at(-1);
    if (this.#verifiers.length === 0 || current === undefined) return;
    current.signed = tree.size;
    // A checkpoint is right after the last decision that it signs.
    current.unsignedSince = undefined;
    this.#checkpoints++;
  }

  #addDecision(record: Exclude<TrailRecord, { kind: 'checkpoint' }>): void {
    this.#found = decisionFault(record, this.#end, this.#position);
    if (this.#found !== undefined || record.kind !== 'decision') return;
    const { log, sequence } = record.link;
    if (this.#end?.log !== log) this.#tree = EMPTY_FRONTIER;
    const current = this.#logs.at(-1);
    if (current?.log === log) current.last = sequence;
    else this.#logs.push({ log, first: sequence, last: sequence, signed: 0 });
    this.#tree = appendLeaf(this.#tree, leafOf(record.link.hash));
    this.#end = { log, sequence, hash: record.link.hash, id: record.id };
    this.#decisions++;
    const time = Date.parse(record.time);
    const own = this.#logs.at(-1);
    if (own !== undefined) own.unsignedSince ??= time;
    this.#newest = Math.max(this.#newest, time);
  }
}

function at(position: number, fault: Omit<TrailFault, 'position'>): Found {
  return { fault: () => ({ position, ...fault }) };
}

function decisionFault(
  record: Exclude<TrailRecord, { kind: 'checkpoint' }>,
  end: End | undefined,
  position: number,
): Found | undefined {
  if (record.kind === 'unreadable')
    return at(position, {
      kind: 'changed',
      ...definedFields({ place: record.place }),
      detail: 'the event is not one that scopemesh wrote',
    });
  const { id } = record;
  if (record.kind === 'unchained')
    return at(position, { kind: 'inserted', id, detail: 'the decision has no place in the chain' });
  const { log, sequence, previousHash } = record.link;
  if (!record.isIntact) {
    const detail = 'its content does not have the hash that it names';
    return at(position, { kind: 'changed', ...definedFields({ place: record.place }), id, sequence, detail });
  }
  const last: End = end?.log === log ? end : { log, sequence: 0, hash: NO_HASH };
  const expected = last.sequence + 1;
  if (sequence < expected) {
    const detail = `decision ${sequence} is there already; ${expected} should be here`;
    return at(position, { kind: 'repeated', id, sequence, detail });
  }
  if (sequence > expected) return misplaced(record, expected, position);
  if (last.hash === undefined || previousHash === last.hash) return undefined;
  const detail = `the previous hash in decision ${sequence} is not the hash of the decision before it`;
  return last.id === undefined
    ? at(position, { kind: 'changed', id, sequence, detail })
    : at(position - 1, { kind: 'changed', id: last.id, sequence: last.sequence, detail });
}

/** A decision with a later number than expected: those between are missing, or it is not at its place. */
function misplaced(
  { id, link: { log, sequence } }: DecisionRecord,
  expected: number,
  position: number,
): Found {
  const later = { hasExpected: false, hasSame: false };
  return {
    see(record) {
      if (record.kind !== 'decision' || record.link.log !== log) return;
      later.hasExpected ||= record.link.sequence === expected;
      later.hasSame ||= record.link.sequence === sequence;
    },
    fault() {
      if (!later.hasExpected) {
        const missing =
          sequence === expected + 1
            ? `decision ${expected} is`
            : `decisions ${expected} to ${sequence - 1} are`;
        return { kind: 'removed', position, sequence: expected, detail: `${missing} missing` };
      }
      if (later.hasSame) {
        const detail = `decision ${sequence} is here and also in its correct place`;
        return { kind: 'repeated', position, id, sequence, detail };
      }
      const detail = `decision ${sequence} is where decision ${expected} should be`;
      return { kind: 'moved', position, id, sequence, detail };
    },
  };
}

interface Known {
  readonly end: End | undefined;
  readonly tree: Frontier;
  readonly verifiers: readonly NoteVerifier[];
  /** The same note was found at its place. */
  readonly isKnown: boolean;
}

function checkpointFault(
  { log, note, tree: signedTree }: StoredCheckpoint,
  { end, tree, verifiers, isKnown }: Known,
): Omit<TrailFault, 'position'> | undefined {
  const { size } = signedTree;
  const root = rootOf(signedTree);
  const fault = (detail: string, kind: TrailFault['kind'] = 'checkpoint') => ({
    kind,
    sequence: size,
    detail,
  });
  if (end !== undefined && end.log !== log) return fault('the checkpoint is about another log');
  if (end !== undefined && size > end.sequence) {
    const detail = `a checkpoint signs ${size} decisions, and the log has ${end.sequence} before it`;
    return { kind: 'removed', sequence: end.sequence + 1, detail };
  }
  // A repeated write of a checkpoint proves nothing new. One that is only here proves nothing about what is before it.
  if (end !== undefined && size < end.sequence)
    return isKnown
      ? undefined
      : fault('the checkpoint is not after the last decision that it signs', 'moved');
  if (end !== undefined && !rootOf(tree).equals(root))
    return fault(`the first ${size} decisions are not those that the checkpoint signs`, 'changed');
  if (verifiers.length === 0) return undefined;
  const signed = openCheckpoint(verifiers, log, note);
  if (signed === undefined) return fault('the checkpoint has no valid signature by this key');
  if (signed.size !== size || !signed.root.equals(root))
    return fault('the checkpoint does not say what its signature covers');
  return undefined;
}
