import { SyncError } from '../../errors.js';

/** The folders of the records that scopemesh keeps in KV. */
type RecordFolder = 'claims' | 'quarantine';

export function recordFolder(owner: string, folder: RecordFolder): string {
  return `${ownerKey(owner, folder)}/`;
}

/** A single key of the instance. */
export function ownerKey(owner: string, name: 'leader' | 'cluster' | 'log' | RecordFolder): string {
  return `scopemesh/${encodeSegment(owner)}/${name}`;
}

/** Encodes the percent signs of the key once more. */
export function toKvPath(key: string): string {
  return `/v1/kv/${key.split('/').map(encodeURIComponent).join('/')}`;
}

/** The client that a record is about. */
interface RecordedClient {
  readonly provider: string;
  readonly clientId: string;
}

export function toRecordKey(folder: string, record: RecordedClient): string {
  return `${folder}${encodeSegment(record.provider)}/${encodeSegment(record.clientId)}`;
}

/** The reverse of `toRecordKey`; undefined for a key that it never returns. */
export function parseRecordKey(folder: string, key: string): RecordedClient | undefined {
  const [provider, clientId, ...rest] = key.startsWith(folder) ? key.slice(folder.length).split('/') : [];
  if (provider === undefined || clientId === undefined || rest.length > 0) return undefined;
  try {
    const record = { provider: decodeURIComponent(provider), clientId: decodeURIComponent(clientId) };
    return toRecordKey(folder, record) === key ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Consul's KV refuses control characters and dot segments; the encoded key is printable ASCII. */
function encodeSegment(text: string): string {
  if (text === '' || /\p{Surrogate}/u.test(text)) {
    const message =
      'Consul: a provider or client ID is empty or not valid Unicode, so no record of it can be stored';
    throw new SyncError('ERR_CONSUL_REJECTED', message, { retriable: false });
  }
  return /^\.+$/.test(text) ? text.replaceAll('.', '%2E') : encodeURIComponent(text);
}
