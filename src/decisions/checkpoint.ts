import { z } from 'zod';
import { fieldOf } from '../model/field-of.js';
import { safeParse } from '../safe-parse.js';
import type { ChainHead, FormerLog } from './chain.js';
import { EMPTY_FRONTIER, type Frontier, HASH_BYTES, type Hash, rootOf } from './merkle.js';
import type { NoteSigner, NoteVerifier } from './signed-note.js';

/** The type of a checkpoint in the log. It is no decision. */
export const CHECKPOINT_TYPE = 'dev.scopemesh.checkpoint.signed';

/** What a checkpoint signs (https://c2sp.org/tlog-checkpoint). */
export interface Checkpoint {
  /** `scopemesh/<owner>/<log>`. */
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
  /** Only of a log's first checkpoint, which signs no decision yet. */
  readonly follows?: FormerLog;
}

/** A signed checkpoint as it is stored between the decisions. */
export interface StoredCheckpoint {
  readonly id: string;
  /** ISO 8601. */
  readonly time: string;
  readonly source: string;
  readonly log: string;
  /** The signed note. */
  readonly note: string;
  /** The tree that was signed, so that the log can be verified after its beginning was deleted. */
  readonly tree: Frontier;
}

/** A checkpoint as a CloudEvent: the definition of both the parser and the JSON Schema. */
export const CHECKPOINT_EVENT = z.object({
  specversion: z.literal('1.0'),
  id: z.string(),
  time: z.string(),
  source: z.string().describe('scopemesh/<owner>.'),
  type: z.literal(CHECKPOINT_TYPE),
  subject: z.string().describe('checkpoint/<log>, and the Kafka key.'),
  datacontenttype: z.literal('application/json'),
  data: z.object({
    log: z.string().min(1).describe('Names the log.'),
    note: z.string().max(10_000).describe('A signed note with a checkpoint (C2SP tlog-checkpoint, Ed25519).'),
    size: z.int().min(0).describe('How many decisions it signs; 0: the log begins here.'),
    roots: z
      .array(z.string().regex(/^[0-9a-f]{64}$/))
      .max(64)
      .describe('The complete subtrees of the Merkle tree (RFC 6962) over their hashes, largest first.'),
  }),
});

export function originOf(owner: string, log: string): string {
  return `scopemesh/${owner}/${log}`;
}

/** The log that a note is about; undefined if the note is not a checkpoint. Nothing is verified. */
export function logOfNote(note: string): string | undefined {
  return /^scopemesh\/.+\/([^/\n]+)\n[1-9]\d{0,15}\n/.exec(note)?.[1];
}

export function signCheckpoint(signer: NoteSigner, origin: string, { tree }: ChainHead): string {
  return signer.sign(`${origin}\n${tree.size}\n${rootOf(tree).toString('base64')}\n`);
}

/** With this note a log begins. An extension line names the log before it. */
export function signBeginning(signer: NoteSigner, origin: string, follows: FormerLog | undefined): string {
  const line = follows === undefined ? '' : `after ${follows.log} ${follows.size}\n`;
  return signer.sign(`${origin}\n0\n${rootOf(EMPTY_FRONTIER).toString('base64')}\n${line}`);
}

/**
 * The checkpoint of this log in a note with a valid signature by one of the keys; undefined otherwise. The name of a key is
 * not signed, so the origin must begin with the name of the key that verifies.
 */
export function openCheckpoint(
  verifiers: readonly NoteVerifier[],
  log: string,
  note: string,
): Checkpoint | undefined {
  for (const verifier of verifiers) {
    const checkpoint = parseCheckpoint(verifier.open(note) ?? '');
    if (checkpoint?.origin === `${verifier.name}/${log}`) return checkpoint;
  }
  return undefined;
}

/**
 * Whether one of the keys signed a stored checkpoint as it is. The note alone says nothing about the fields beside it, which
 * anybody who may write to a topic could change in a copy.
 */
export function isSigned(
  verifiers: readonly NoteVerifier[],
  { log, note, tree }: Pick<StoredCheckpoint, 'log' | 'note' | 'tree'>,
): boolean {
  const signed = openCheckpoint(verifiers, log, note);
  return signed !== undefined && signed.size === tree.size && signed.root.equals(rootOf(tree));
}

/** A checkpoint that is kept outside of the log, and its log. */
export interface KeptCheckpoint {
  readonly log: string;
  readonly size: number;
  readonly root: Hash;
}

/** The checkpoint in a note of any log that one of the keys signed; undefined otherwise. */
export function openKept(verifiers: readonly NoteVerifier[], note: string): KeptCheckpoint | undefined {
  for (const verifier of verifiers) {
    const { origin = '', size = 0, root } = parseCheckpoint(verifier.open(note) ?? '') ?? {};
    const log = origin.slice(verifier.name.length + 1);
    if (root !== undefined && origin === `${verifier.name}/${log}`) return { log, size, root };
  }
  return undefined;
}

/** The log that a log follows by its first note. Nothing is verified. */
export function formerLogIn(note: string): FormerLog | undefined {
  // Lines among the signatures are not signed.
  return parseCheckpoint(note.slice(0, note.lastIndexOf('\n\n') + 1))?.follows;
}

function parseCheckpoint(text: string): Checkpoint | undefined {
  const [origin = '', size = '', root = '', ...more] = text.split('\n');
  const hash = Buffer.from(root, 'base64');
  if (!/^(0|[1-9]\d{0,15})$/.test(size) || hash.length !== HASH_BYTES) return undefined;
  const [, log, before] = more.map((line) => FOLLOWS.exec(line)).find((found) => found !== null) ?? [];
  return {
    origin,
    size: Number(size),
    root: hash,
    ...(log === undefined || size !== '0' ? {} : { follows: { log, size: Number(before) } }),
  };
}

const FOLLOWS = /^after ([!-.0-~]{1,128}) (0|[1-9]\d{0,15})$/;

/** What a checkpoint of this log is about, and its key on a topic. */
export function checkpointSubject(log: string): string {
  return `checkpoint/${log}`;
}

export function toCheckpointEvent({ id, time, source, log, note, tree }: StoredCheckpoint): unknown {
  return {
    specversion: '1.0',
    id,
    time,
    source,
    type: CHECKPOINT_TYPE,
    subject: checkpointSubject(log),
    datacontenttype: 'application/json',
    data: { log, note, size: tree.size, roots: tree.roots.map((root) => root.toString('hex')) },
  };
}

/** Undefined for an event that is not a checkpoint, or not a well-formed one. */
export function parseCheckpointEvent(event: unknown): StoredCheckpoint | undefined {
  const parsed = safeParse(CHECKPOINT_EVENT, event).data;
  if (parsed === undefined) return undefined;
  const { id, time, source, data } = parsed;
  const roots = data.roots.map((root) => Buffer.from(root, 'hex'));
  return { id, time, source, log: data.log, note: data.note, tree: { size: data.size, roots } };
}

/** Whether an event has the type of a checkpoint. */
export function isCheckpointEvent(event: unknown): boolean {
  return fieldOf(event, 'type') === CHECKPOINT_TYPE;
}
