import { hash as digestOf } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '../model/canonical-json.js';
import type { BatchProof, ChainLink, Decision } from '../model/decision.js';
import { definedFields } from '../model/defined-fields.js';
import { fieldOf } from '../model/field-of.js';
import { isRecord } from '../model/is-record.js';
import { safeParse } from '../safe-parse.js';
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
  follows: z.object({ log: z.string().min(1), size: z.int().min(0) }).optional(),
});

/** The log before another one. */
export interface FormerLog {
  readonly log: string;
  /** It has at least so many decisions. */
  readonly size: number;
}

/** The end of a chain: what the next decision continues. */
export interface ChainHead {
  /** Names the log. A lost store begins another one. */
  readonly log: string;
  /** The hash of the last decision. */
  readonly hash: string;
  /** The Merkle tree over all hashes. */
  readonly tree: Frontier;
  /** The log before it, while this one is empty. */
  readonly follows?: FormerLog;
}

export function emptyChain(log: string, follows?: FormerLog): ChainHead {
  return { log, hash: NO_HASH, tree: EMPTY_FRONTIER, ...definedFields({ follows }) };
}

/** Numbers and hashes decisions in this order, after those of the head. */
export function extendChain(
  head: ChainHead,
  decisions: readonly Decision[],
): { readonly head: ChainHead; readonly chained: readonly Decision[] } {
  let { hash, tree } = head;
  const chained = decisions.map((decision) => {
    const link = { log: head.log, sequence: tree.size + 1, previousHash: hash };
    const linked = withHash(decision, link);
    hash = linked.chain.hash;
    tree = appendLeaf(tree, leafOf(hash));
    return linked;
  });
  return { head: { log: head.log, hash, tree }, chained };
}

/**
 * SHA-256, in hex, of an event as canonical JSON (RFC 8785) without `data.chain.hash` and `data.chain.proof`. Undefined for a
 * value without a chain. All other fields count, those of a later version too.
 */
export function hashOfEvent(event: unknown): string | undefined {
  const decision = fieldOf(event, 'data');
  const chain = fieldOf(decision, 'chain');
  if (!isRecord(event) || !isRecord(decision) || !isRecord(chain)) return undefined;
  const { hash: _, proof: __, ...link } = chain;
  return digestOf('sha256', canonicalJson({ ...event, data: { ...decision, chain: link } }), 'hex');
}

/** A decision as logs store it: canonical JSON, so that its hash can be checked without parsing it. */
export function toStoredText(decision: Decision): string {
  return storedTexts.get(decision) ?? canonicalJson(toCloudEvent(decision));
}

/** Of decisions that were linked here: their text is made once, for the hash and for the log. */
const storedTexts = new WeakMap<Decision, string>();

/** How `data.chain` begins in a stored decision. */
const CHAIN_BEGIN = '"chain":{';
const NO_HASH_YET = '"hash":"",';

function withHash(
  decision: Decision,
  link: Omit<ChainLink, 'hash'>,
): Decision & { readonly chain: ChainLink } {
  const text = canonicalJson(toCloudEvent({ ...decision, chain: { ...link, hash: '' } }));
  // Quotes within texts are escaped, and no member behind `chain` holds members of others: the last one is `data.chain`.
  const at = text.lastIndexOf(CHAIN_BEGIN + NO_HASH_YET) + CHAIN_BEGIN.length;
  const [before, after] = [text.slice(0, at), text.slice(at + NO_HASH_YET.length)];
  const hash = digestOf('sha256', before + after, 'hex');
  const linked = { ...decision, chain: { ...link, hash } };
  storedTexts.set(linked, `${before}"hash":"${hash}",${after}`);
  return linked;
}

/** Adds the proofs to decisions that `extendChain` linked. A linked decision without one stays as it is. */
export function withProofs(chained: readonly Decision[], proofs: readonly BatchProof[]): readonly Decision[] {
  return chained.map((decision, at) => {
    const { chain } = decision;
    const proof = proofs[at];
    if (chain === undefined || proof === undefined) return decision;
    const proven = { ...decision, chain: { ...chain, proof } };
    const text = storedTexts.get(decision);
    if (text !== undefined) storedTexts.set(proven, withProofText(text, proof));
    return proven;
  });
}

/** The text of a linked decision with its proof. */
export function withProofText(text: string, proof: BatchProof): string {
  // As for the hash: the last one is the one of `data.chain`.
  const before = text.indexOf('"sequence":', text.lastIndexOf('"previousHash":"'));
  return `${text.slice(0, before)}"proof":${canonicalJson(proof)},${text.slice(before)}`;
}

/** `CHAIN_BEGIN` without the quote: texts have so many of them that a search for one takes twice as long. */
const CHAIN_NAME = CHAIN_BEGIN.slice(1);
/** The members of `data.chain` in a stored text, behind its hash. The proof is not hashed. */
const STORED_LINK =
  /","log":"([!#-[\]-~]{1,128})","previousHash":"([0-9a-f]{64})",("proof":\{"hashes":\[((?:"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=",?){0,7})\],"index":(\d{1,4}),"signature":"([A-Za-z0-9+/]{85}[AQgw]==)","size":(\d{1,4})\},)?"sequence":([1-9]\d{0,14})\}/y;
/** How the member begins that is not hashed, and how long it is. */
const HASH_BEGIN = '"hash":"';
const HASH_MEMBER = HASH_BEGIN.length + NO_HASH.length + '",'.length;
const END_BEGIN = '},"datacontenttype":';
/** The members behind `data`, as canonical JSON orders them. It has no second `END_BEGIN`. */
const STORED_END =
  /\},"datacontenttype":"application\/json","id":"([!#-[\]-~]{1,128})","source":"([^"\\]*)","specversion":"1\.0","subject":"[^"\\]*","time":"([!#-[\]-~]*)","type":"dev\.scopemesh\.[a-z-]+\.[a-z]+"\}$/y;
/** Where the members behind `data` usually are: a search from the end of the text is slower. */
const USUAL_END = 512;
/** What is hashed. Used again for each decision. */
const hashed = Buffer.alloc(1 << 18);
const MAX_BYTES_OF_A_UNIT = 3;

/**
 * The ID, the source, the time and the link of a decision that is stored as `toStoredText` wrote it and has the hash that it names; undefined for
 * all others and for very long ones, which `hashOfEvent` judges. To change a byte of such a text unseen, one must find other
 * bytes with the same hash.
 */
export function intactLinkOf(
  stored: Buffer | string,
):
  | { readonly id: string; readonly source: string; readonly time: string; readonly link: ChainLink }
  | undefined {
  // Each character of this text is one stored byte.
  const text = typeof stored === 'string' ? stored : stored.toString('latin1');
  if (text.length * MAX_BYTES_OF_A_UNIT > hashed.length) return undefined;
  const begin = text.indexOf(CHAIN_NAME) - 1;
  const at = begin + CHAIN_BEGIN.length;
  if (!text.startsWith(CHAIN_BEGIN, begin) || text.indexOf(CHAIN_NAME, at) !== -1) return undefined;
  const named = text.slice(at + HASH_BEGIN.length, at + HASH_BEGIN.length + NO_HASH.length);
  STORED_LINK.lastIndex = at + HASH_BEGIN.length + NO_HASH.length;
  const [, log = '', previousHash = '', proof = '', hashes = '', index, signature = '', size, sequence] =
    STORED_LINK.exec(text) ?? [];
  if (sequence === undefined || !text.startsWith(HASH_BEGIN, at)) return undefined;
  const proofEnd = STORED_LINK.lastIndex - `"sequence":${sequence}}`.length;
  STORED_END.lastIndex = endBegin(text, begin);
  const [, id, source, time] = STORED_END.exec(text) ?? [];
  if (id === undefined || source === undefined || time === undefined) return undefined;
  const cuts = [at, at + HASH_MEMBER, proofEnd - proof.length, proofEnd] as const;
  if (digestOf('sha256', without(stored, cuts), 'hex') !== named) return undefined;
  const link = { log, sequence: Number(sequence), previousHash, hash: named };
  if (proof === '') return { id, source, time, link };
  // A comma too many or too few is another spelling, which `hashOfEvent` judges.
  const texts = hashes === '' ? [] : hashes.slice(1, -1).split('","');
  if (hashes !== texts.map((each) => `"${each}"`).join(',')) return undefined;
  return {
    id,
    source,
    time,
    link: { ...link, proof: { hashes: texts, index: Number(index), signature, size: Number(size) } },
  };
}

/** Where the members behind `data` begin. */
function endBegin(text: string, after: number): number {
  const near = text.indexOf(END_BEGIN, Math.max(after, text.length - USUAL_END));
  return near === -1 ? Math.max(after, text.lastIndexOf(END_BEGIN)) : near;
}

/** The bytes without those between the first two places and the other two. Good until the next call. */
function without(
  stored: Buffer | string,
  [from, to, second, end]: readonly [number, number, number, number],
): Buffer {
  if (typeof stored === 'string') {
    let length = hashed.write(stored.slice(0, from), 'utf8');
    length += hashed.write(stored.slice(to, second), length, 'utf8');
    return hashed.subarray(0, length + hashed.write(stored.slice(end), length, 'utf8'));
  }
  stored.copy(hashed, 0, 0, from);
  stored.copy(hashed, from, to, second);
  stored.copy(hashed, from + second - to, end);
  return hashed.subarray(0, stored.length - (to - from) - (end - second));
}

/** The leaf of a decision in the Merkle tree: its hash is the entry. */
export function leafOf(hash: string): Buffer {
  return leafHash(Buffer.from(hash, 'hex'));
}

/** The link of an event, if it has one that is well formed. */
export function linkOf(event: unknown): ChainLink | undefined {
  return safeParse(CHAIN_LINK, fieldOf(fieldOf(event, 'data'), 'chain')).data;
}

const CHAIN_LINK = z.object({
  log: z.string().min(1),
  sequence: z.int().min(1),
  previousHash: HASH,
  hash: HASH,
  // It is not hashed, so it has nothing else.
  proof: z
    .strictObject({
      index: z.int().min(0),
      size: z.int().min(1),
      // Base64 with stray bits at its end would be another spelling of the same proof.
      hashes: z.array(z.string().regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/)).max(16),
      signature: z.string().regex(/^[A-Za-z0-9+/]{85}[AQgw]==$/),
    })
    .exactOptional(),
});

export function formatHead({ log, hash, tree, follows }: ChainHead): z.infer<typeof HEAD> {
  return { log, hash, size: tree.size, roots: tree.roots.map((root) => root.toString('hex')), follows };
}

export function parseHead(value: unknown): ChainHead {
  const { log, hash, size, roots, follows } = HEAD.parse(value);
  const tree = { size, roots: roots.map((root) => Buffer.from(root, 'hex')) };
  return { log, hash, tree, ...definedFields({ follows }) };
}
