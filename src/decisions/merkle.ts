import { createHash } from 'node:crypto';

/** A hash of RFC 6962: 32 bytes. */
export type Hash = Buffer;

/**
 * The right edge of a Merkle tree: the roots of its complete subtrees, largest first. It has one hash for each bit that is
 * set in the size, and is all that an append needs.
 */
export interface Frontier {
  readonly size: number;
  readonly roots: readonly Hash[];
}

export const EMPTY_FRONTIER: Frontier = { size: 0, roots: [] };

/** RFC 6962, section 2.1. */
export function leafHash(entry: Uint8Array): Hash {
  return sha256(Buffer.of(0), entry);
}

/** RFC 6962, section 2.1. */
export function nodeHash(left: Hash, right: Hash): Hash {
  return sha256(Buffer.of(1), left, right);
}

export function appendLeaf({ size, roots }: Frontier, leaf: Hash): Frontier {
  const next = [...roots];
  let hash = leaf;
  for (let rest = size; rest % 2 === 1; rest = Math.floor(rest / 2))
    hash = nodeHash(next.pop() ?? hash, hash);
  next.push(hash);
  return { size: size + 1, roots: next };
}

/** The root of the whole tree; that of an empty one is the hash of nothing. */
export function rootOf({ roots }: Frontier): Hash {
  const last = roots.at(-1);
  if (last === undefined) return sha256();
  return roots.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last);
}

/** The root of a range of leaves. */
export function rootOfLeaves(leaves: readonly Hash[]): Hash {
  return rootOf(leaves.reduce(appendLeaf, EMPTY_FRONTIER));
}

/** The audit path of RFC 6962, section 2.1.1, for the leaf at `index` (from 0) in a tree of these leaves. */
export function inclusionProof(leaves: readonly Hash[], index: number): readonly Hash[] {
  if (leaves.length <= 1) return [];
  const split = largestPowerBelow(leaves.length);
  return index < split
    ? [...inclusionProof(leaves.slice(0, split), index), rootOfLeaves(leaves.slice(split))]
    : [...inclusionProof(leaves.slice(split), index - split), rootOfLeaves(leaves.slice(0, split))];
}

/** Whether the proof leads from the leaf to the root (RFC 9162, section 2.1.3.2). */
export function isIncluded(
  { index, size, root }: { readonly index: number; readonly size: number; readonly root: Hash },
  leaf: Hash,
  proof: readonly Hash[],
): boolean {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) return false;
  let [node, last, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 && hash.equals(root);
}

function largestPowerBelow(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

function sha256(...parts: readonly Uint8Array[]): Hash {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}
