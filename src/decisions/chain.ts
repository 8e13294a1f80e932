import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ChainLink, Decision } from '../model/decision.js';
import { fieldOf } from '../model/field-of.js';
import { canonicalJson } from './canonical-json.js';
import { toCloudEvent } from './envelope.js';
import { appendLeaf, EMPTY_FRONTIER, type Frontier, leafHash } from './merkle.js';

/** The previous hash of the first decision of a log. */
export const NO_HASH = '0'.repeat(64);

const HASH = z.string().regex(/^[0-9a-f]{64}$/);
const HEAD = z.object({
  log: z.string().min(1),
  hash: HASH,
  size: z.int().min(0),
  roots: z.array(HASH).max(64),
});

/** The end of a chain: what the next decision continues. */
export interface ChainHead {
  /** Names the log. A lost store begins another one. */
  readonly log: string;
  /** The hash of the last decision. */
  readonly hash: string;
  /** The Merkle tree over all hashes. */
  readonly tree: Frontier;
}

export function emptyChain(log: string): ChainHead {
  return { log, hash: NO_HASH, tree: EMPTY_FRONTIER };
}

/** Numbers and hashes decisions in this order, after those of the head. */
export function extendChain(
  head: ChainHead,
  decisions: readonly Decision[],
): { readonly head: ChainHead; readonly chained: readonly Decision[] } {
  let { hash, tree } = head;
  const chained = decisions.map((decision) => {
    const link = { log: head.log, sequence: tree.size + 1, previousHash: hash };
    hash = hashOf(toCloudEvent({ ...decision, chain: { ...link, hash: '' } }));
    tree = appendLeaf(tree, leafOf(hash));
    return { ...decision, chain: { ...link, hash } };
  });
  return { head: { log: head.log, hash, tree }, chained };
}

/**
 * SHA-256, in hex, of an event as canonical JSON (RFC 8785) without `data.chain.hash`. Undefined for a value without a
 * chain. All other fields count, those of a later version too.
 */
export function hashOfEvent(event: unknown): string | undefined {
  const data = fieldOf(event, 'data');
  const chain = fieldOf(data, 'chain');
  if (!isObject(event) || !isObject(data) || !isObject(chain)) return undefined;
  const { hash: _, ...link } = chain;
  return digest({ ...event, data: { ...data, chain: link } });
}

/** The leaf of a decision in the Merkle tree: its hash is the entry. */
export function leafOf(hash: string): Buffer {
  return leafHash(Buffer.from(hash, 'hex'));
}

/** The link of an event, if it has one that is well formed. */
export function linkOf(event: unknown): ChainLink | undefined {
  return CHAIN_LINK.safeParse(fieldOf(fieldOf(event, 'data'), 'chain')).data;
}

export const CHAIN_LINK = z.object({
  log: z.string().min(1),
  sequence: z.int().min(1),
  previousHash: HASH,
  hash: HASH,
});

export function formatHead({ log, hash, tree }: ChainHead): z.infer<typeof HEAD> {
  return { log, hash, size: tree.size, roots: tree.roots.map((root) => root.toString('hex')) };
}

export function parseHead(value: unknown): ChainHead {
  const { log, hash, size, roots } = HEAD.parse(value);
  return { log, hash, tree: { size, roots: roots.map((root) => Buffer.from(root, 'hex')) } };
}

function hashOf(event: unknown): string {
  const hash = hashOfEvent(event);
  if (hash === undefined) throw new TypeError('an event without a chain has no hash');
  return hash;
}

function digest(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
