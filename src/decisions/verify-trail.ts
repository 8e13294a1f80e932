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

export interface VerifyOptions {
  /** One of them must have signed each checkpoint; without keys only the chain is checked. */
  readonly verifiers?: readonly NoteVerifier[];
}

/** How far a log is known: by its decisions, or by a checkpoint with which a log begins whose older part was deleted. */
interface End {
  readonly log: string;
  readonly sequence: number;
  readonly id?: string;
  /** Unknown after a checkpoint. */
  readonly hash?: string;
}

type Found = (later: readonly TrailRecord[]) => TrailFault;

/**
 * Checks that the records are an unchanged chain in this order, and that each checkpoint signs it. The report names the
 * first fault. A log may begin with a checkpoint: then what it signs was deleted.
 */
export function verifyTrail(
  records: Iterable<TrailRecord>,
  { verifiers = [] }: VerifyOptions = {},
): TrailReport {
  const logs: { -readonly [Field in keyof VerifiedLog]: VerifiedLog[Field] }[] = [];
  const rest: TrailRecord[] = [];
  let [decisions, unchained, checkpoints, position] = [0, 0, 0, 0];
  let end: End | undefined;
  let tree: Frontier = EMPTY_FRONTIER;
  let found: Found | undefined;
  /** The notes that were found at their place. */
  const checked = new Set<string>();

  for (const record of records) {
    if (found !== undefined) {
      rest.push(record);
      continue;
    }
    position++;
    if (record.kind === 'unchained' && end === undefined) unchained++;
    else if (record.kind === 'checkpoint') {
      const { checkpoint } = record;
      const fault = checkpointFault(checkpoint, end, tree, { verifiers, checked });
      if (fault !== undefined) found = at(position, fault);
      else if (!checked.has(checkpoint.note)) {
        checked.add(checkpoint.note);
        const { log } = checkpoint;
        const { size } = checkpoint.tree;
        if (end === undefined) {
          logs.push({ log, first: size + 1, last: size, signed: 0 });
          end = { log, sequence: size };
          tree = checkpoint.tree;
        }
        const current = logs.at(-1);
        if (current !== undefined && verifiers.length > 0) current.signed = size;
        if (verifiers.length > 0) checkpoints++;
      }
    } else {
      found = decisionFault(record, end, position);
      if (found !== undefined || record.kind !== 'decision') continue;
      const { log, sequence, hash } = record.link;
      if (end?.log !== log) tree = EMPTY_FRONTIER;
      const current = logs.at(-1);
      if (current?.log === log) current.last = sequence;
      else logs.push({ log, first: sequence, last: sequence, signed: 0 });
      tree = appendLeaf(tree, leafOf(hash));
      end = { log, sequence, hash, id: record.id };
      decisions++;
    }
  }
  const fault = found?.(rest);
  return { decisions, unchained, logs, checkpoints, ...(fault === undefined ? {} : { fault }) };
}

function at(position: number, fault: Omit<TrailFault, 'position'>): Found {
  return () => ({ position, ...fault });
}

function decisionFault(
  record: Exclude<TrailRecord, { kind: 'checkpoint' }>,
  end: End | undefined,
  position: number,
): Found | undefined {
  if (record.kind === 'unreadable')
    return at(position, { kind: 'changed', detail: 'the event is not one that scopemesh wrote' });
  const { id } = record;
  if (record.kind === 'unchained')
    return at(position, { kind: 'inserted', id, detail: 'the decision has no place in the chain' });
  const { log, sequence, previousHash } = record.link;
  if (!record.isIntact) {
    const detail = 'its content does not have the hash that it names';
    return at(position, { kind: 'changed', id, sequence, detail });
  }
  const last: End = end?.log === log ? end : { log, sequence: 0, hash: NO_HASH };
  const expected = last.sequence + 1;
  if (sequence < expected) {
    const detail = `decision ${sequence} is there already; ${expected} should be here`;
    return at(position, { kind: 'repeated', id, sequence, detail });
  }
  if (sequence > expected) return (later) => misplaced(record, expected, position, later);
  if (last.hash === undefined || previousHash === last.hash) return undefined;
  const detail = `decision ${sequence} continues another hash than that of the decision before it`;
  return last.id === undefined
    ? at(position, { kind: 'changed', id, sequence, detail })
    : at(position - 1, { kind: 'changed', id: last.id, sequence: last.sequence, detail });
}

/** A decision with a later number than expected: those between are missing, or it is not at its place. */
function misplaced(
  { id, link: { log, sequence } }: DecisionRecord,
  expected: number,
  position: number,
  later: readonly TrailRecord[],
): TrailFault {
  const isThere = (wanted: number) =>
    later.some((each) => each.kind === 'decision' && each.link.log === log && each.link.sequence === wanted);
  if (!isThere(expected)) {
    const missing =
      sequence === expected + 1 ? `decision ${expected} is` : `decisions ${expected} to ${sequence - 1} are`;
    return { kind: 'removed', position, sequence: expected, detail: `${missing} missing` };
  }
  if (isThere(sequence)) {
    const detail = `decision ${sequence} is here and at its own place`;
    return { kind: 'repeated', position, id, sequence, detail };
  }
  const detail = `decision ${sequence} is where decision ${expected} should be`;
  return { kind: 'moved', position, id, sequence, detail };
}

function checkpointFault(
  { log, note, tree: signedTree }: StoredCheckpoint,
  end: End | undefined,
  tree: Frontier,
  {
    verifiers,
    checked,
  }: { readonly verifiers: readonly NoteVerifier[]; readonly checked: ReadonlySet<string> },
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
    return checked.has(note)
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
