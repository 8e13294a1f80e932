import { toUriText } from './uri-text.js';

/**
 * What a job is about. If an event carries another identifier than the client ID, `by` says which; the reconciler
 * resolves it to the client ID first.
 */
export type Key =
  | {
      readonly kind: 'client';
      readonly provider: string;
      readonly by: ClientReference;
      readonly value: string;
    }
  | {
      readonly kind: 'destination';
      readonly partition: string;
      readonly namespace: string;
      readonly service: string;
    }
  | { readonly kind: 'provider'; readonly name: string }
  /** The complete read of a provider's clients. It can take minutes, so no other job of the provider waits for it. */
  | { readonly kind: 'directory'; readonly name: string };

/** `clientId`; or the identity provider's internal id; or the internal id of the client's service-account user. */
export type ClientReference = 'clientId' | 'internalId' | 'serviceAccount';

export function clientKey(provider: string, clientId: string): Key {
  return { kind: 'client', provider, by: 'clientId', value: clientId };
}

export function destinationKey(
  serviceName: string,
  namespace = 'default',
  partition = 'default',
): Extract<Key, { kind: 'destination' }> {
  return { kind: 'destination', partition, namespace, service: serviceName };
}

export function providerKey(name: string): Key {
  return { kind: 'provider', name };
}

export function directoryKey(provider: string): Key {
  return { kind: 'directory', name: provider };
}

/** The journal's key of the owned ACL objects that no job removes. The complete comparison does, so it is no key of a job. */
export function leftObjectsKey(owner: string): string {
  return `acl/${owner}`;
}

/** Whether a key of the journal is that of such objects, of any owner. */
export function isLeftObjectsKey(text: string): boolean {
  return text.startsWith('acl/');
}

const MARK: Record<ClientReference, string> = { clientId: '', internalId: '~id/', serviceAccount: '~user/' };

/** The text form: percent-encoded path segments, so that no ID can imitate another key. */
export function formatKey(key: Key): string {
  switch (key.kind) {
    case 'client':
      return `client/${encode(key.provider)}/${MARK[key.by]}${encode(key.value)}`;
    case 'destination':
      return `destination/${encode(key.partition)}/${encode(key.namespace)}/${encode(key.service)}`;
    case 'provider':
      return `provider/${encode(key.name)}`;
    case 'directory':
      return `directory/${encode(key.name)}`;
  }
}

/** The inverse of `formatKey`; `undefined` for a text that it cannot have written. */
export function parseKey(text: string): Key | undefined {
  const [kind, ...rest] = text.split('/');
  const [a, b, c] = rest.map(decode);
  if (kind === 'provider' && rest.length === 1 && a !== undefined) return providerKey(a);
  if (kind === 'directory' && rest.length === 1 && a !== undefined) return directoryKey(a);
  if (kind === 'destination' && rest.length === 3 && a !== undefined && b !== undefined && c !== undefined) {
    return { kind, partition: a, namespace: b, service: c };
  }
  if (kind === 'client' && a !== undefined && b !== undefined) {
    if (rest.length === 2) return clientKey(a, b);
    if (rest.length !== 3 || c === undefined) return undefined;
    if (rest[1] === '~id') return { kind, provider: a, by: 'internalId', value: c };
    if (rest[1] === '~user') return { kind, provider: a, by: 'serviceAccount', value: c };
  }
  return undefined;
}

// encodeURIComponent leaves `~` alone, but a client id `~id` must not read as the mark.
function encode(segment: string): string {
  const text = toUriText(segment);
  return text.includes('~') ? text.replaceAll('~', '%7E') : text;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
