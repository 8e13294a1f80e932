/*
 * Verifies in the reader's own browser what `scopemesh decisions prove` prints. Nothing here asks the daemon, and nothing is
 * taken from the project's other code: a reader who doubts the server has this and the pasted key.
 */

/** What a proof shows. */
export interface Proven {
  readonly id: string;
  readonly log: string;
  readonly sequence: number;
  /** How many decisions the checkpoint signs. */
  readonly size: number;
  /** Of the key that signed. */
  readonly name: string;
  readonly event: unknown;
}

/** A proof that shows nothing, and why. */
export class NotProven extends Error {}

interface Key {
  readonly name: string;
  readonly hash: Uint8Array;
  readonly key: Awaited<ReturnType<typeof crypto.subtle.importKey>>;
}

type Json = Readonly<Record<string, unknown>>;

/** `proof`: the document. `keyText`: `trail-key.pub`, or several such lines. Throws NotProven. */
export async function verifyProof(proof: string, keyText: string): Promise<Proven> {
  const { event: text, checkpoint, hashes } = recordIn(proof, 'This is not a proof.');
  if (typeof text !== 'string' || typeof checkpoint !== 'string' || !Array.isArray(hashes))
    throw new NotProven('This is not a proof: paste what scopemesh decisions prove prints.');
  const keys = await keysIn(keyText);
  const event = recordIn(text, 'The decision of the proof cannot be read.');
  const decision = toRecord(event.data);
  const chain = toRecord(decision.chain);
  const { hash, proof: _, ...link } = chain;
  const { id } = event;
  const { log, sequence } = link;
  if (typeof id !== 'string' || typeof log !== 'string' || typeof hash !== 'string' || !isCount(sequence))
    throw new NotProven('The decision has no place in a chain.');
  const canonical = canonicalJson({ ...event, data: { ...decision, chain: link } });
  if (toHex(await sha256(utf8(canonical))) !== hash)
    throw new NotProven('The decision is not the one that its hash names: it was changed.');
  for (const key of keys) {
    const signed = await openCheckpoint(checkpoint, key);
    if (signed === undefined) continue;
    if (signed.origin !== `${key.name}/${log}`) throw new NotProven('The checkpoint is of another log.');
    const leaf = await sha256(join(Uint8Array.of(0), fromHex(hash)));
    const path = hashes.map((each) => fromBase64(String(each)));
    const root = await rootFrom({ index: sequence - 1, size: signed.size }, leaf, path);
    if (root === undefined || toHex(root) !== toHex(signed.root))
      throw new NotProven('The hashes do not lead to what the checkpoint signs: the decision is not there.');
    return { id, log, sequence, size: signed.size, name: key.name, event };
  }
  throw new NotProven('No pasted key signed the checkpoint.');
}

/** Lines of the form `NAME+HASH+KEY` (c2sp.org/signed-note), with Ed25519. */
async function keysIn(text: string): Promise<readonly Key[]> {
  const lines = text.split(/\s+/).filter((line) => line !== '');
  const keys = await Promise.all(lines.map(readKey));
  if (keys.length === 0) throw new NotProven('Paste the public key: the line in trail-key.pub.');
  return keys;
}

async function readKey(line: string): Promise<Key> {
  const [, name = '', hashText = '', keyText = ''] =
    /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
  const bytes = fromBase64(keyText);
  const hash = (await sha256(join(utf8(`${name}\n`), bytes))).slice(0, 4);
  if (bytes.length !== 33 || bytes[0] !== 1 || toHex(hash) !== hashText)
    throw new NotProven('This is not a public key of the form NAME+HASH+KEY with Ed25519.');
  const key = await crypto.subtle.importKey('raw', bytes.slice(1), 'Ed25519', false, ['verify']).catch(() => {
    throw new NotProven(
      'This browser cannot verify Ed25519. Use a newer one, or scopemesh decisions verify --proof.',
    );
  });
  return { name, hash, key };
}

/** Undefined unless the key signed it. */
async function openCheckpoint(note: string, { name, hash, key }: Key) {
  const end = note.lastIndexOf('\n\n');
  if (end === -1 || !note.endsWith('\n')) return undefined;
  const text = note.slice(0, end + 1);
  for (const line of note
    .slice(end + 2, -1)
    .split('\n')
    .slice(0, 100)) {
    const [, signer, base64 = ''] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
    if (signer !== name) continue;
    const bytes = fromBase64(base64);
    if (toHex(bytes.slice(0, 4)) !== toHex(hash)) continue;
    if (!(await crypto.subtle.verify('Ed25519', key, bytes.slice(4), utf8(text)))) continue;
    const [origin = '', size = '', root = '', ...more] = text.split('\n');
    const rootBytes = fromBase64(root);
    if (more.length === 0 || !/^[1-9]\d{0,15}$/.test(size) || rootBytes.length !== 32) return undefined;
    return { origin, size: Number(size), root: rootBytes };
  }
  return undefined;
}

/** RFC 9162, section 2.1.3.2. Undefined for a path of another length. */
async function rootFrom(
  { index, size }: { readonly index: number; readonly size: number },
  leaf: Uint8Array,
  path: readonly Uint8Array[],
): Promise<Uint8Array | undefined> {
  if (index < 0 || index >= size || path.some(({ length }) => length !== 32)) return undefined;
  let [node, last, reached] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (node % 2 === 1 || node === last) {
      reached = await sha256(join(Uint8Array.of(1), sibling, reached));
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      reached = await sha256(join(Uint8Array.of(1), reached, sibling));
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 ? reached : undefined;
}

/** RFC 8785 of a value that came from JSON. */
function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.toWellFormed());
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .map(([name, member]): [string, unknown] => [name.toWellFormed(), member])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`;
}

function recordIn(text: string, fault: string): Json {
  try {
    return toRecord(JSON.parse(text));
  } catch {
    throw new NotProven(fault);
  }
}

function toRecord(value: unknown): Json {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}

type Bytes = Uint8Array<ArrayBuffer>;

async function sha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

function utf8(text: string): Bytes {
  return new TextEncoder().encode(text);
}

function join(...parts: readonly Uint8Array[]): Bytes {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function fromHex(text: string): Bytes {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Nothing for a text in another spelling than the one of its bytes. */
function fromBase64(text: string): Bytes {
  try {
    const raw = atob(text);
    return btoa(raw) === text ? Uint8Array.from(raw, (byte) => byte.charCodeAt(0)) : new Uint8Array();
  } catch {
    return new Uint8Array();
  }
}
