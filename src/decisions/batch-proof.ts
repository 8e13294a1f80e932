import type { BatchProof, ChainLink, Decision } from '../model/decision.js';
import { type ChainHead, extendChain, leafOf, withProofs } from './chain.js';
import { isSigned } from './checkpoint.js';
import { type Hash, nodeHash, rootFrom } from './merkle.js';
import { largestPowerBelow } from './merkle-tree.js';
import type { NoteSigner, NoteVerifier } from './signed-note.js';
import { type TrailRecord, toTrailRecord } from './trail-record.js';

/**
 * Decisions that one signature covers, at most: a signature costs as much as the hashes of some decisions, and twice as many
 * decisions make each proof longer by a hash.
 */
export const SIGNED_TOGETHER = 16;
/** A flood of forged decisions must not use up the memory. */
const MAX_KNOWN = 1_000;

/** The proofs of the decisions with these hashes, which are signed together. */
export function proveBatch(signer: NoteSigner, hashes: readonly string[]): readonly BatchProof[] {
  const size = hashes.length;
  const { root, paths } = auditPaths(hashes.map(leafOf));
  const signature = toText(signer.signatureOf(signedText(signer.name, size, root)));
  return paths.map((path, index) => ({ hashes: path, index, signature, size }));
}

/** The root of the tree with these leaves, and the audit path of each (RFC 6962, section 2.1.1): each node is hashed once. */
function auditPaths(leaves: readonly Hash[]): { readonly root: Hash; readonly paths: readonly string[][] } {
  const [only] = leaves;
  if (only !== undefined && leaves.length === 1) return { root: only, paths: [[]] };
  const split = largestPowerBelow(leaves.length);
  const [left, right] = [auditPaths(leaves.slice(0, split)), auditPaths(leaves.slice(split))];
  const [leftRoot, rightRoot] = [toText(left.root), toText(right.root)];
  for (const path of left.paths) path.push(rightRoot);
  for (const path of right.paths) path.push(leftRoot);
  return { root: nodeHash(left.root, right.root), paths: [...left.paths, ...right.paths] };
}

/** As `extendChain`, with a signature for every few of them. */
export function extendSigned(
  head: ChainHead,
  decisions: readonly Decision[],
  signer: NoteSigner,
): ReturnType<typeof extendChain> {
  const extended = extendChain(head, decisions);
  const hashes = extended.chained.flatMap(({ chain }) => chain?.hash ?? []);
  const proofs: BatchProof[] = [];
  for (let from = 0; from < hashes.length; from += SIGNED_TOGETHER)
    proofs.push(...proveBatch(signer, hashes.slice(from, from + SIGNED_TOGETHER)));
  return { head: extended.head, chained: withProofs(extended.chained, proofs) };
}

/** Says which decisions one of the keys signed. */
export class ProofCheck {
  readonly #verifiers: readonly NoteVerifier[];
  /** What was found about a key and a signed text. */
  readonly #known = new Map<string, boolean>();

  constructor(verifiers: readonly NoteVerifier[]) {
    this.#verifiers = verifiers;
  }

  /** A key signs for its owner alone. Whether the event has its hash is another question. */
  isProven(source: string, { hash, proof }: Pick<ChainLink, 'hash' | 'proof'>): boolean {
    if (proof === undefined || proof.size > SIGNED_TOGETHER) return false;
    const root = rootFrom(proof, leafOf(hash), proof.hashes.map(toHash));
    if (root === undefined) return false;
    return this.#verifiers.some(({ name }, at) => {
      if (source !== name && !source.startsWith(`${name}/`)) return false;
      return this.#hasSigned(at, signedText(name, proof.size, root), proof.signature);
    });
  }

  /** Whether the keys signed an event of a topic, a decision or a checkpoint. */
  isProvenEvent(text: string): boolean {
    const record = toTrailRecord(text);
    if (record.kind === 'checkpoint') return isSigned(this.#verifiers, record.checkpoint);
    return isProven(record, this);
  }

  #hasSigned(at: number, text: string, signature: string): boolean {
    const name = `${at} ${text}${signature}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const isValid = this.#verifiers[at]?.hasSigned(text, Buffer.from(signature, 'base64')) === true;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(name, isValid);
    return isValid;
  }
}

/** Whether a record is a decision as it was signed: the one question to each message of a topic. */
export function isProven(record: TrailRecord, proofs: ProofCheck): boolean {
  return record.kind === 'decision' && record.isIntact && proofs.isProven(record.source, record.link);
}

/** It is no checkpoint: the second line of a checkpoint is a number. */
function signedText(name: string, size: number, root: Hash): string {
  return `${name}\nbatch of ${size}\n${toText(root)}\n`;
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function toHash(text: string): Hash {
  return Buffer.from(text, 'base64');
}
