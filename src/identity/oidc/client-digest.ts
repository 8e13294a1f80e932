import type { OAuthClient } from '../../model/client.js';
import { compareText } from '../../model/compare-text.js';
import { digestOf } from '../digest.js';
import type { DirectorySnapshot } from '../directory.js';

/** The digests of all clients of a complete read. A client without an ID is left to the complete comparison. */
export function digestsOf({
  clients,
  unreadable,
}: Pick<DirectorySnapshot, 'clients' | 'unreadable'>): ReadonlyMap<string, string> {
  return new Map([
    ...clients.map((client) => [client.clientId, digestOfClient(client)] as const),
    // A client that becomes unreadable has changed too.
    ...unreadable.flatMap(({ clientId, why }) =>
      clientId === undefined ? [] : [[clientId, unreadableDigest({ why })] as const],
    ),
  ]);
}

/** A client is never changed after it was parsed. A page that has not changed gives the same ones again. */
const known = new WeakMap<OAuthClient, string>();

/** Covers everything that scopemesh reads of a client, independent of the order. */
export function digestOfClient(client: OAuthClient): string {
  const found = known.get(client);
  if (found !== undefined) return found;
  const { attributes, grants, grantTypes, ...rest } = client;
  const digest = digestOf([
    inTextOrder(Object.entries(rest)),
    inTextOrder(Object.entries(attributes)),
    inTextOrder(grants.map(({ api, name }) => [api ?? null, name])),
    [...grantTypes].sort(),
  ]);
  known.set(client, digest);
  return digest;
}

const UNREADABLE = 'unreadable: ';

export function unreadableDigest({ why }: { readonly why: string }): string {
  return UNREADABLE + why;
}

export function isUnreadable(digest: string): boolean {
  return digest.startsWith(UNREADABLE);
}

/** In the order of their JSON texts, each of which is made once. */
export function inTextOrder<T>(values: Iterable<T>): T[] {
  return Array.from(values, (value) => ({ value, text: JSON.stringify(value) }))
    .sort((a, b) => compareText(a.text, b.text))
    .map(({ value }) => value);
}
