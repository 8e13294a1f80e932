import type { Clock } from '../../clock.js';
import { RefusedCredentials, SyncError } from '../../errors.js';
import type { OAuthClient } from '../../model/client.js';
import type { Secret } from '../../model/secret.js';
import type { Metrics } from '../../observe.js';
import { createHttpClient, type HttpAnswer, parseJson, refusalOf } from '../http-client.js';
import { checkDocumentAccess } from './access-check.js';
import {
  clientIn,
  type DocumentDirectory,
  type DocumentPage,
  incomplete,
  membersOf,
  parseClient,
  parsePage,
  quote,
  toSnapshot,
} from './document.js';
import { requireClientId } from './reference.js';

export interface UrlDirectoryOptions {
  readonly provider: string;
  readonly url: URL;
  readonly directoryToken?: Secret;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  readonly maxPages?: number;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

interface CachedPage {
  readonly etag: string;
  readonly page: DocumentPage;
}

/**
 * The document at a URL, page by page, each with its ETag. No redirect is followed and no `next` leaves the
 * origin, so the token reaches nobody else.
 */
export function createUrlDirectory(options: UrlDirectoryOptions): DocumentDirectory {
  const { provider, url, directoryToken, clock, maxPages = 1000 } = options;
  const http = createHttpClient({ ...options, addressKey: 'directory' });
  const placeOf = (target: URL) => `provider ${provider}, ${addressOf(target)}`;
  let cached: ReadonlyMap<string, CachedPage> = new Map();
  /** Of the last complete read; one page from an older copy must not undo what a newer one said. */
  let revision = 0;
  let single: boolean | undefined;

  const get = (target: URL, signal: AbortSignal, etag?: string): Promise<HttpAnswer> => {
    const headers: Record<string, string> = {};
    if (directoryToken !== undefined) headers.authorization = `Bearer ${directoryToken.reveal()}`;
    if (etag !== undefined) headers['if-none-match'] = etag;
    return http.request(target, placeOf(target), { headers }, signal);
  };

  const readPage = async (
    target: URL,
    signal: AbortSignal,
  ): Promise<Partial<CachedPage> & { page: DocumentPage }> => {
    const place = placeOf(target);
    const known = cached.get(target.href);
    const answer = await get(target, signal, known?.etag);
    if (answer.status === 304 && known !== undefined) return known;
    if (answer.status !== 200) throw refuse(answer, place);
    const page = parsePage(parseJson(answer, place), provider, place);
    const etag = answer.headers.etag;
    return etag === undefined || etag.length > 1024 ? { page } : { etag, page };
  };

  const readAll: DocumentDirectory['readAll'] = async (signal) => {
    const pages: DocumentPage[] = [];
    const toCache = new Map<string, CachedPage>();
    const seen = new Set<string>();
    let newest = revision;
    for (let target: URL | undefined = url; target !== undefined; ) {
      const place = placeOf(target);
      if (seen.has(target.href)) throw incomplete(`${place}: next leads back to a page already read`);
      if (seen.size === maxPages) throw incomplete(`${place}: has more than ${maxPages} pages`);
      seen.add(target.href);
      const { page, etag } = await readPage(target, signal);
      if (page.revision !== undefined && page.revision < newest) {
        throw incomplete(
          `${place}: revision ${page.revision} is older than ${newest}, which was read before`,
        );
      }
      newest = page.revision ?? newest;
      pages.push(page);
      if (etag !== undefined) toCache.set(target.href, { etag, page });
      target = page.next === undefined ? undefined : nextUrl(page.next, target, place);
    }
    const snapshot = toSnapshot(pages, placeOf(url), pages.length);
    // Only now: pages of a read that failed say nothing about the next one.
    cached = toCache;
    revision = Math.max(revision, newest);
    single = pages[0]?.single;
    return snapshot;
  };

  const readAmongAll = async (clientId: string, signal: AbortSignal): Promise<OAuthClient | undefined> => {
    return clientIn(await readAll(signal), clientId, placeOf(url));
  };

  return {
    provider,
    readAll,
    async read(by, value, signal) {
      requireClientId(by, provider);
      const target = singleUrl(url, value);
      if (target === undefined) return readAmongAll(value, signal);
      single ??= (await readPage(url, signal)).page.single;
      if (!single) return readAmongAll(value, signal);

      const place = placeOf(target);
      const answer = await get(target, signal);
      if (answer.status === 404) {
        const json = parseJson(answer, place);
        if (namesClient(json, value)) return undefined;
        // A gateway says 404 in JSON too, for a route it has lost: absence then needs the document's word.
        return readAmongAll(value, signal);
      }
      if (answer.status !== 200) throw refuse(answer, place);
      const client = parseClient(parseJson(answer, place), value, provider, place);
      if (client.clientId !== value) {
        throw incomplete(`${place}: clientId: asked for ${quote(value)}, got ${quote(client.clientId)}`);
      }
      return client;
    },
    readMembers: async (groups, signal) => membersOf(await readAll(signal), groups, placeOf(url)),
    checkAccess: (signal) => checkDocumentAccess(readAll, `GET ${addressOf(url)}`, signal),
    close: () => http.close(),
  };

  function refuse(answer: HttpAnswer, place: string): Error {
    if (answer.status >= 300 && answer.status < 400) {
      return incomplete(
        `${place}: answered ${answer.status}; redirects are not followed, write the final URL`,
      );
    }
    const refusal = refusalOf(answer, place, clock);
    if (answer.status === 401) {
      const remedy =
        directoryToken === undefined ? 'set directoryToken' : 'set the directoryToken that it takes';
      return new RefusedCredentials(
        refusal.code,
        `${refusal.message}, for it refuses the credentials; ${remedy}`,
        {
          retriable: false,
        },
      );
    }
    if (answer.status === 403) {
      const remedy = 'let the bearer of directoryToken read it';
      return new SyncError(refusal.code, `${refusal.message}; ${remedy}`, { retriable: false });
    }
    return refusal;
  }
}

/** `undefined` where no path segment can carry the id: `.` and `..` are resolved away, however encoded. */
export function singleUrl(directory: URL, clientId: string): URL | undefined {
  if (clientId === '' || clientId === '.' || clientId === '..' || /\p{Surrogate}/u.test(clientId)) {
    return undefined;
  }
  const url = new URL(directory.href);
  url.pathname = `${directory.pathname.replace(/\/+$/, '')}/${encodeURIComponent(clientId)}`;
  return url;
}

function nextUrl(next: string, current: URL, place: string): URL {
  if (!URL.canParse(next, current.href)) throw incomplete(`${place}: next: is not a URL`);
  const url = new URL(next, current.href);
  url.hash = '';
  if (url.origin !== current.origin || url.username !== '' || url.password !== '') {
    throw incomplete(`${place}: next: leaves ${current.origin}, where the token must not go`);
  }
  return url;
}

function namesClient(json: unknown, clientId: string): boolean {
  return typeof json === 'object' && json !== null && 'clientId' in json && json.clientId === clientId;
}

/** Without the query, which may carry a signature or a cursor with secrets in it. */
function addressOf(url: URL): string {
  return url.origin + url.pathname;
}
