import { hash } from 'node:crypto';

export const HASH_BYTES = 32;

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

/** What the hashes of a leaf and of a node are made of: a prefix, and one or two hashes. Used again for each. */
const LEAF = Buffer.alloc(1 + HASH_BYTES);
const NODE = Buffer.alloc(1 + 2 * HASH_BYTES, 1);

export const EMPTY_FRONTIER: Frontier = { size: 0, roots: [] };

/** RFC 6962, section 2.1. */
export function leafHash(entry: Uint8Array): Hash {
  const bytes = entry.length === HASH_BYTES ? LEAF : Buffer.alloc(1 + entry.length);
  bytes.set(entry, 1);
  return sha256(bytes);
}

/** RFC 6962, section 2.1. */
export function nodeHash(left: Hash, right: Hash): Hash {
  // A shorter one would leave bytes of the node before.
  if (left.length !== HASH_BYTES || right.length !== HASH_BYTES)
    throw new TypeError('a hash of the Merkle tree has another length');
  left.copy(NODE, 1);
  right.copy(NODE, 1 + HASH_BYTES);
  return sha256(NODE);
}

export function appendLeaf({ size, roots }: Frontier, leaf: Hash): Frontier {
  const next = [...roots];
  let root = leaf;
  for (let rest = size; rest % 2 === 1; rest = Math.floor(rest / 2))
    root = nodeHash(next.pop() ?? root, root);
  next.push(root);
  return { size: size + 1, roots: next };
}

/** The root of the whole tree; that of an empty one is the hash of nothing. */
export function rootOf({ roots }: Frontier): Hash {
  const last = roots.at(-1);
  if (last === undefined) return sha256(Buffer.of());
  return roots.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last);
}

/** Whether the proof leads from the leaf to the root (RFC 9162, section 2.1.3.2). */
export function isIncluded(
  { index, size, root }: SignedTree & { readonly index: number },
  leaf: Hash,
  proof: readonly Hash[],
): boolean {
  return rootFrom({ index, size }, leaf, proof)?.equals(root) === true;
}

/** The root of the tree of this size to which the proof leads from the leaf; undefined for a proof of another length. */
export function rootFrom(
  { index, size }: { readonly index: number; readonly size: number },
  leaf: Hash,
  proof: readonly Hash[],
): Hash | undefined {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) return undefined;
  if (!areHashes([leaf, ...proof])) return undefined;
  let [node, last, reached] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return undefined;
    if (node % 2 === 1 || node === last) {
      reached = nodeHash(sibling, reached);
      while (node % 2 === 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      reached = nodeHash(reached, sibling);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 ? reached : undefined;
}

/** A tree as a checkpoint signs it. */
interface SignedTree {
  readonly size: number;
  readonly root: Hash;
}

/** Whether the proof shows that the later tree begins with all leaves of the earlier one (RFC 9162, section 2.1.4.2). */
export function isConsistent(earlier: SignedTree, later: SignedTree, proof: readonly Hash[]): boolean {
  if (!Number.isSafeInteger(earlier.size) || earlier.size < 1 || earlier.size > later.size) return false;
  if (!areHashes([earlier.root, later.root, ...proof])) return false;
  if (earlier.size === later.size) return proof.length === 0 && earlier.root.equals(later.root);
  let [node, last] = [earlier.size - 1, later.size - 1];
  while (node % 2 === 1) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  // An earlier tree that is complete is itself a node of the later one.
  const [first, ...rest] = node === 0 ? [earlier.root, ...proof] : proof;
  if (first === undefined) return false;
  let [old, whole] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      old = nodeHash(sibling, old);
      whole = nodeHash(sibling, whole);
      while (node % 2 === 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      whole = nodeHash(whole, sibling);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 && old.equals(earlier.root) && whole.equals(later.root);
}

/** Hashes of other lengths would let one node be read as another. */
function areHashes(hashes: readonly Hash[]): boolean {
  return hashes.every(({ length }) => length === HASH_BYTES);
}

function sha256(bytes: Uint8Array): Hash {
  // A hash as a buffer costs Node twice as much.
  return Buffer.from(hash('sha256', bytes, 'binary'), 'binary');
}
