import { describe, expect, it, test } from 'vitest';
import {
  appendLeaf,
  EMPTY_FRONTIER,
  type Hash,
  isConsistent,
  isIncluded,
  leafHash,
  nodeHash,
  rootFrom,
  rootOf,
} from '../../src/decisions/merkle.js';
import { MerkleTree } from '../../src/decisions/merkle-tree.js';

// The inputs and roots of the reference tests of Certificate Transparency (RFC 6962).
const INPUTS = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const rootOfLeaves = (all: readonly Hash[]) => rootOf(all.reduce(appendLeaf, EMPTY_FRONTIER));
/** The tree of a log that begins after so many leaves. */
const treeOf = (all: readonly Hash[], beginning = 0) => {
  const tree = new MerkleTree(all.slice(0, beginning).reduce(appendLeaf, EMPTY_FRONTIER));
  for (const [index, leaf] of all.entries()) tree.append(index, leaf);
  return tree;
};
const some = (size: number) => Array.from({ length: size }, (_, at) => leafHash(Buffer.from(`${at}`)));
const SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 17];
const leaves = INPUTS.map((input) => leafHash(Buffer.from(input, 'hex')));

describe('the Merkle tree', () => {
  test.each(ROOTS.map((root, at) => [at + 1, root] as const))(
    'of %i leaves has the root of RFC 6962',
    (size, root) => {
      expect(rootOfLeaves(leaves.slice(0, size)).toString('hex')).toBe(root);
    },
  );

  it('of no leaves has the hash of nothing', () => {
    expect(rootOf(EMPTY_FRONTIER).toString('hex')).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
  });

  it('keeps one hash for each bit of its size', () => {
    const { roots } = leaves.slice(0, 7).reduce(appendLeaf, EMPTY_FRONTIER);
    expect(roots).toHaveLength(3);
  });

  test.each(SIZES)('of %i leaves proves each of them, and no other', (size) => {
    const all = some(size);
    const root = rootOfLeaves(all);
    for (const [index, leaf] of all.entries()) {
      const proof = treeOf(all, index).inclusionProof(index, size);
      for (const [other, wrong] of all.entries()) {
        expect(isIncluded({ index, size, root }, wrong, proof)).toBe(other === index);
        expect(isIncluded({ index: other, size, root }, leaf, proof)).toBe(other === index);
      }
      expect(rootFrom({ index, size }, leaf, [...proof, leaf])).toBeUndefined();
      if (proof.length > 0) expect(rootFrom({ index, size }, leaf, proof.slice(1))).toBeUndefined();
    }
    const leaf = all.at(-1) ?? root;
    for (const index of [-1, 0.5, Number.NaN, size]) {
      expect(rootFrom({ index, size }, leaf, [])).toBeUndefined();
      expect(rootFrom({ index, size }, leaf, [leaf])).toBeUndefined();
    }
    for (const length of [0, 31, 33]) {
      const proof = [...treeOf(all).inclusionProof(0, size).slice(1), Buffer.alloc(length)];
      if (size > 1) expect(rootFrom({ index: 0, size }, leaf, proof)).toBeUndefined();
      expect(rootFrom({ index: 0, size: 1 }, Buffer.alloc(length), [])).toBeUndefined();
    }
  });

  test.each(SIZES)(
    'of %i leaves proves that it begins with each of its earlier trees, and no other',
    (size) => {
      const all = some(size);
      const tree = (count: number) => ({ size: count, root: rootOfLeaves(all.slice(0, count)) });
      const whole = tree(size);
      for (let first = 1; first <= size; first++) {
        const proof = treeOf(all, first).consistencyProof(first, size);
        expect(isConsistent(tree(first), whole, proof)).toBe(true);
        for (let other = 1; other <= size; other++) {
          expect(isConsistent({ ...tree(first), root: tree(other).root }, whole, proof)).toBe(
            first === other,
          );
          expect(isConsistent(tree(first), { ...whole, root: tree(other).root }, proof)).toBe(size === other);
          if (first !== other) expect(isConsistent(tree(other), whole, proof)).toBe(false);
        }
        expect(isConsistent(tree(first), whole, [...proof, tree(1).root])).toBe(false);
        expect(isConsistent(tree(first), { ...whole, size: size + 400 }, proof)).toBe(false);
        if (proof.length > 0) expect(isConsistent(tree(first), whole, proof.slice(1))).toBe(false);
        if (proof.length > 0)
          expect(isConsistent(tree(first), whole, proof.with(0, Buffer.alloc(31)))).toBe(false);
      }
      expect(isConsistent(tree(0), whole, [])).toBe(false);
      expect(isConsistent({ ...tree(1), size: 0.5 }, whole, [])).toBe(false);
      expect(isConsistent(whole, tree(size - 1), [])).toBe(false);
      expect(isConsistent(whole, tree(size - 1), [whole.root])).toBe(false);
    },
  );

  it('refuses hashes of other lengths, which would leave bytes of the node before', () => {
    const [left = Buffer.of()] = leaves;
    for (const other of [left.subarray(1), Buffer.concat([left, left])])
      for (const [one, two] of [
        [left, other],
        [other, left],
      ] as const)
        expect(() => nodeHash(one, two)).toThrow('a hash of the Merkle tree has another length');
  });

  it('is the same beyond the leaves for which it has room at first', () => {
    const all = some(2_100);
    expect(treeOf(all).root(0, 2_100)).toEqual(rootOfLeaves(all));
  });

  it('proves nothing without a leaf that the proof needs', () => {
    const tree = treeOf(some(7), 5);
    expect(() => tree.inclusionProof(2, 7)).toThrow('is not there, and the proof needs its hash');
    const all = some(7);
    expect(() => treeOf(all.slice(0, 6)).inclusionProof(2, 7)).toThrow('decision 7 of the log is not there');
  });
});
