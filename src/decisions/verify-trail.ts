import { hash } from 'node:crypto';
import { definedFields } from '../model/defined-fields.js';
import { ProofCheck } from './batch-proof.js';
import { type FormerLog, leafOf, NO_HASH } from './chain.js';
import { formerLogIn, type KeptCheckpoint, openCheckpoint, type StoredCheckpoint } from './checkpoint.js';
import { ownerIn } from './envelope.js';
import { appendLeaf, EMPTY_FRONTIER, type Frontier, rootOf } from './merkle.js';
import type { NoteVerifier } from './signed-note.js';
import type { TrailRecord } from './trail-record.js';

type DecisionRecord = Extract<TrailRecord, { kind: 'decision' }>;

/** The first place at which a log is not what scopemesh wrote. */
export interface TrailFault {
  readonly kind: 'changed' | 'removed' | 'inserted' | 'repeated' | 'moved' | 'unsigned' | 'checkpoint';
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

interface VerifiedLog {
  readonly log: string;
  /** The numbers of its first and its last decision. */
  readonly first: number;
  readonly last: number;
  /** The log before it, as its first note says. */
  readonly follows?: FormerLog;
}

export interface TrailReport {
  /** Decisions in the chain. */
  readonly decisions: number;
  /** Messages of a topic that none of the keys signed, and repeated ones; they are left out everywhere. */
  readonly unproven: number;
  /** In order: more than one if a store was lost. */
  readonly logs: readonly VerifiedLog[];
  /** Checkpoints with a valid signature. */
  readonly checkpoints: number;
  readonly fault?: TrailFault;
}

/** How far a log is known: by its decisions, or by a checkpoint with which a log begins whose older part was deleted. */
interface End {
  readonly log: string;
  readonly owner: string | undefined;
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
 * Checks that the records are an unchanged chain in this order, that the keys signed each decision, and that each checkpoint
 * signs the chain. The report names the first fault. The first log may begin with a checkpoint: then what it signs was deleted.
 * Keeps no record.
 */
export class TrailVerification {
  readonly #verifiers: readonly NoteVerifier[];
  readonly #proofs: ProofCheck;
  readonly #kept: KeptCheckpoint | undefined;
  readonly #logs: { readonly log: string; readonly first: number; last: number; follows?: FormerLog }[] = [];
  #decisions = 0;
  #unproven = 0;
  #checkpoints = 0;
  #position = 0;
  #end: End | undefined;
  #tree = EMPTY_FRONTIER;
  #found: Found | undefined;
  /** The digests of the texts of the notes that were found at their place: a replica with another key may repeat one. */
  readonly #checked = new Set<string>();

  /**
   * One of the keys must have signed each decision and each checkpoint; without keys only the chain is checked. `kept`: a
   * checkpoint that was kept elsewhere and that the log must contain.
   */
  constructor(verifiers: readonly NoteVerifier[] = [], kept?: KeptCheckpoint) {
    this.#verifiers = verifiers;
    this.#proofs = new ProofCheck(verifiers);
    this.#kept = kept;
  }

  add(record: TrailRecord): void {
    if (record.kind === 'unproven') {
      this.#unproven++;
      return;
    }
    if (this.#found !== undefined) {
      this.#found.see?.(record);
      return;
    }
    this.#position++;
    if (record.kind === 'checkpoint') this.#addCheckpoint(record.checkpoint);
    else this.#addDecision(record);
  }

  report(): TrailReport {
    const fault = (this.#found ?? this.#lacksKept())?.fault();
    return {
      decisions: this.#decisions,
      unproven: this.#unproven,
      logs: this.#logs,
      checkpoints: this.#checkpoints,
      ...(fault === undefined ? {} : { fault }),
    };
  }

  #addCheckpoint(checkpoint: StoredCheckpoint): void {
    const { log, note, tree } = checkpoint;
    const digest = hash('sha256', note.slice(0, note.lastIndexOf('\n\n')), 'base64');
    const isKnown = this.#checked.has(digest);
    const isBeginning = tree.size === 0 && !isKnown;
    const known = {
      // A log begins with a checkpoint of its own.
      end: isBeginning ? undefined : this.#end,
      tree: isBeginning ? EMPTY_FRONTIER : this.#tree,
      verifiers: this.#verifiers,
      isKnown,
    };
    const follows = isBeginning ? formerLogIn(note) : undefined;
    const fault =
      checkpointFault(checkpoint, known) ??
      (isBeginning ? beginningFault(log, follows, this.#logs) : undefined);
    if (fault !== undefined) this.#found = at(this.#position, fault);
    if (fault !== undefined || isKnown) return;
    this.#checked.add(digest);
    if (isBeginning || this.#end === undefined) {
      this.#logs.push({ log, first: tree.size + 1, last: tree.size, ...definedFields({ follows }) });
      this.#end = {
        log,
        owner: ownerIn(note),
        sequence: tree.size,
        ...(tree.size === 0 ? { hash: NO_HASH } : {}),
      };
      this.#tree = tree;
    }
    if (this.#verifiers.length > 0) this.#checkpoints++;
  }

  #addDecision(record: Exclude<TrailRecord, { kind: 'checkpoint' | 'unproven' }>): void {
    // What is before the first log is not known anyway: a list of decisions has no notes.
    if (this.#end === undefined && record.kind === 'decision' && record.link.sequence === 1) {
      this.#logs.push({ log: record.link.log, first: 1, last: 0 });
      this.#end = { log: record.link.log, owner: ownerIn(record.source), sequence: 0, hash: NO_HASH };
    }
    this.#found = decisionFault(record, this.#end, this.#position) ?? this.#unsigned(record);
    if (this.#found !== undefined || record.kind !== 'decision') return;
    const { log, sequence } = record.link;
    const current = this.#logs.at(-1);
    if (current !== undefined) current.last = sequence;
    this.#tree = appendLeaf(this.#tree, leafOf(record.link.hash));
    this.#end = { log, owner: ownerIn(record.source), sequence, hash: record.link.hash, id: record.id };
    this.#decisions++;
    if (
      this.#kept?.log === log &&
      this.#kept.size === sequence &&
      !rootOf(this.#tree).equals(this.#kept.root)
    ) {
      const detail = `the first ${sequence} decisions are not those of the checkpoint that was kept elsewhere`;
      this.#found = at(this.#position, { kind: 'changed', sequence, detail });
    }
  }

  #unsigned(record: TrailRecord): Found | undefined {
    if (record.kind !== 'decision' || this.#verifiers.length === 0) return undefined;
    const { id, source, link } = record;
    if (this.#proofs.isProven(source, link)) return undefined;
    const detail = 'none of the keys signed the decision';
    return at(this.#position, { kind: 'unsigned', id, sequence: link.sequence, detail });
  }

  #lacksKept(): Found | undefined {
    if (this.#kept === undefined) return undefined;
    const { log, size } = this.#kept;
    const last = this.#logs.find((each) => each.log === log)?.last;
    if (last !== undefined && last >= size) return undefined;
    const what = last === undefined ? `log ${log} is missing` : `the end of log ${log} is missing`;
    const detail = `${what}: a checkpoint that was kept elsewhere signs ${size} decisions of it`;
    return at(this.#position + 1, { kind: 'removed', sequence: (last ?? 0) + 1, detail });
  }
}

/** Logs follow each other: an older one that is put behind a newer one, or left out, shows in what the notes say. */
function beginningFault(
  log: string,
  follows: FormerLog | undefined,
  logs: readonly VerifiedLog[],
): Omit<TrailFault, 'position'> | undefined {
  if (logs.some((each) => each.log === log))
    return { kind: 'repeated', detail: `log ${log} begins a second time` };
  if (logs.some((each) => each.follows?.log === log))
    return { kind: 'moved', detail: `log ${log} is behind the log that follows it` };
  if (logs.length === 0) return undefined;
  if (follows === undefined)
    return { kind: 'moved', detail: `log ${log} is the first one, and others are before it` };
  const { last = -1 } = logs.find((each) => each.log === follows.log) ?? {};
  if (last >= follows.size) return undefined;
  const detail = `log ${log} follows ${follows.size} decisions of log ${follows.log}, and there are ${Math.max(last, 0)}`;
  return { kind: 'removed', sequence: Math.max(last, 0) + 1, detail };
}

function at(position: number, fault: Omit<TrailFault, 'position'>): Found {
  return { fault: () => ({ position, ...fault }) };
}

function decisionFault(
  record: Exclude<TrailRecord, { kind: 'checkpoint' | 'unproven' }>,
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
  const { log, sequence, previousHash } = record.link;
  if (!record.isIntact) {
    const detail = 'its content does not have the hash that it names';
    return at(position, { kind: 'changed', ...definedFields({ place: record.place }), id, sequence, detail });
  }
  if (end?.log !== log) {
    const detail = `the signed note with which log ${log} begins is not before its decision ${sequence}`;
    return at(position, { kind: sequence === 1 ? 'removed' : 'inserted', id, sequence, detail });
  }
  if (end.owner !== ownerIn(record.source)) {
    const detail = `decision ${sequence} is of another owner than log ${log}`;
    return at(position, { kind: 'inserted', id, sequence, detail });
  }
  const last = end;
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
  if (end !== undefined && (end.log !== log || end.owner !== ownerIn(note)))
    return fault('the checkpoint is about another log');
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
