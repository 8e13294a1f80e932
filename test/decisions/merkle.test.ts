import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  appendLeaf,
  EMPTY_FRONTIER,
  type Hash,
  isConsistent,
  isIncluded,
  leafHash,
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

  test('proves each of its leaves, and no other', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), fc.nat(), (size, a, b, cut) => {
        const all = some(size);
        const [index, other] = [a % size, b % size];
        const place = { index, size, root: rootOfLeaves(all) };
        const proof = treeOf(all, cut % (index + 1)).inclusionProof(index, size);
        const [leaf = leafHash(Buffer.of()), wrong = leafHash(Buffer.of())] = [all[index], all[other]];
        expect(isIncluded(place, leaf, proof)).toBe(true);
        expect(isIncluded(place, wrong, proof)).toBe(other === index);
        expect(isIncluded({ ...place, index: other }, leaf, proof)).toBe(other === index);
        expect(isIncluded(place, leaf, [...proof, leaf])).toBe(false);
      }),
    );
  });

  test('proves that it begins with each of its earlier trees, and with no other', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), fc.nat(), (size, a, b, cut) => {
        const all = some(size);
        const [first, other] = [1 + (a % size), 1 + (b % size)];
        const tree = (count: number) => ({ size: count, root: rootOfLeaves(all.slice(0, count)) });
        const proof = treeOf(all, cut % (first + 1)).consistencyProof(first, size);
        expect(isConsistent(tree(first), tree(size), proof)).toBe(true);
        expect(isConsistent({ ...tree(first), root: tree(other).root }, tree(size), proof)).toBe(
          first === other,
        );
        expect(isConsistent(tree(first), { ...tree(size), root: tree(other).root }, proof)).toBe(
          size === other,
        );
        if (first !== other) expect(isConsistent(tree(other), tree(size), proof)).toBe(false);
        expect(isConsistent(tree(first), tree(size), [...proof, tree(1).root])).toBe(false);
        if (proof.length > 0) expect(isConsistent(tree(first), tree(size), proof.slice(1))).toBe(false);
      }),
    );
  });

  it('proves nothing without a leaf that the proof needs', () => {
    const tree = treeOf(some(7), 5);
    expect(() => tree.inclusionProof(2, 7)).toThrow('is not there, and the proof needs its hash');
    const all = some(7);
    expect(() => treeOf(all.slice(0, 6)).inclusionProof(2, 7)).toThrow('decision 7 of the log is not there');
  });
});
