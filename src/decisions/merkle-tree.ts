import { invalidEvent } from '../errors.js';
import { EMPTY_FRONTIER, type Frontier, HASH_BYTES, type Hash, nodeHash } from './merkle.js';

const FIRST_LEAVES = 1_024;

/**
 * The tree over the leaves of a log. A log whose beginning was deleted has the frontier of the checkpoint that it begins with
 * in place of the older leaves. Keeps 32 bytes for each leaf.
 */
export class MerkleTree {
  readonly #beginning: number;
  /** By `from to`: the complete subtrees of the beginning. */
  readonly #known = new Map<string, Hash>();
  #leaves = Buffer.alloc(FIRST_LEAVES * HASH_BYTES);
  #size: number;

  constructor(beginning: Frontier = EMPTY_FRONTIER) {
    this.#beginning = beginning.size;
    this.#size = beginning.size;
    let from = 0;
    for (const root of beginning.roots) {
      const leaves = largestPowerBelow(beginning.size - from + 1);
      this.#known.set(`${from} ${from + leaves}`, root);
      from += leaves;
    }
  }

  /** Skips a leaf that is there already, and what is behind a gap. `index` counts from 0. */
  append(index: number, leaf: Hash): void {
    if (index !== this.#size) return;
    const at = (index - this.#beginning) * HASH_BYTES;
    if (at === this.#leaves.length) this.#leaves = Buffer.concat([this.#leaves], at * 2);
    leaf.copy(this.#leaves, at);
    this.#size++;
  }

  /** The root of the leaves from `from` on and before `to`. Throws SyncError ERR_EVENT_INVALID if a leaf is not there. */
  root(from: number, to: number): Hash {
    const known = this.#known.get(`${from} ${to}`);
    if (known !== undefined) return known;
    if (to - from === 1) return this.#leaf(from);
    const split = from + largestPowerBelow(to - from);
    return nodeHash(this.root(from, split), this.root(split, to));
  }

  /** The audit path of RFC 6962, section 2.1.1, for the leaf at `index` in the tree of the first `size` leaves. */
  inclusionProof(index: number, size: number): readonly Hash[] {
    return this.#path(index, 0, size);
  }

  /** The proof of RFC 6962, section 2.1.2, that the first `size` leaves begin with the first `earlier` ones. */
  consistencyProof(earlier: number, size: number): readonly Hash[] {
    return this.#subproof(earlier, 0, size, true);
  }

  #path(index: number, from: number, to: number): readonly Hash[] {
    if (to - from === 1) return [];
    const split = from + largestPowerBelow(to - from);
    return index < split
      ? [...this.#path(index, from, split), this.root(split, to)]
      : [...this.#path(index, split, to), this.root(from, split)];
  }

  /** `isWhole`: the verifier knows the root of the earlier part, because it is the earlier tree itself. */
  #subproof(earlier: number, from: number, to: number, isWhole: boolean): readonly Hash[] {
    if (earlier === to) return isWhole ? [] : [this.root(from, to)];
    const split = from + largestPowerBelow(to - from);
    return earlier <= split
      ? [...this.#subproof(earlier, from, split, isWhole), this.root(split, to)]
      : [...this.#subproof(earlier, split, to, false), this.root(from, split)];
  }

  #leaf(index: number): Hash {
    const at = (index - this.#beginning) * HASH_BYTES;
    if (at >= 0 && index < this.#size) return this.#leaves.subarray(at, at + HASH_BYTES);
    throw invalidEvent(`decision ${index + 1} of the log is not there, and the proof needs its hash`);
  }
}

export function largestPowerBelow(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}
