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

/** Covers everything that scopemesh reads of a client, independent of the order. */
export function digestOfClient(client: OAuthClient): string {
  const { attributes, grants, grantTypes, ...rest } = client;
  return digestOf([
    Object.entries(rest).sort(byText),
    Object.entries(attributes).sort(byText),
    grants.map(({ api, name }) => [api ?? null, name]).sort(byText),
    [...grantTypes].sort(),
  ]);
}

const UNREADABLE = 'unreadable: ';

export function unreadableDigest({ why }: { readonly why: string }): string {
  return UNREADABLE + why;
}

export function isUnreadable(digest: string): boolean {
  return digest.startsWith(UNREADABLE);
}

export function byText(a: unknown, b: unknown): number {
  return compareText(JSON.stringify(a), JSON.stringify(b));
}
