import { SyncError } from '../../errors.js';

export function claimsFolder(owner: string): string {
  return `scopemesh/${encodeSegment(owner)}/claims/`;
}

/** Encodes the percent signs of the key once more. */
export function toKvPath(key: string): string {
  return `/v1/kv/${key.split('/').map(encodeURIComponent).join('/')}`;
}

export function toClaimKey(
  folder: string,
  record: { readonly provider: string; readonly clientId: string },
): string {
  return `${folder}${encodeSegment(record.provider)}/${encodeSegment(record.clientId)}`;
}

/** Consul's KV refuses control characters and dot segments; the encoded key is printable ASCII. */
function encodeSegment(text: string): string {
  if (text === '' || /\p{Surrogate}/u.test(text)) {
    const message =
      'Consul claims: a provider or client ID is empty or not valid Unicode, so its claim cannot be stored';
    throw new SyncError('ERR_CONSUL_REJECTED', message, { retriable: false });
  }
  return /^\.+$/.test(text) ? text.replaceAll('.', '%2E') : encodeURIComponent(text);
}
