import { RefusedCredentials, SyncError } from '../../errors.js';
import type { OAuthClient } from '../../model/client.js';
import { fieldOf } from '../../model/field-of.js';
import type { Secret } from '../../model/secret.js';
import type { Runtime } from '../../runtime.js';
import {
  createHttpClient,
  type HttpAnswer,
  type HttpClientOptions,
  parseJson,
  refusalOf,
} from '../http-client.js';
import { incomplete } from '../read-errors.js';
import type { RequestBudget } from '../request-budget.js';
import { checkDocumentAccess } from './access-check.js';
import {
  clientIn,
  type DocumentDirectory,
  type DocumentPage,
  membersOf,
  parseClient,
  parsePage,
  quote,
  requireClientId,
  toSnapshot,
} from './document.js';

export interface UrlDirectoryOptions
  extends Pick<Runtime, 'clock' | 'metrics'>,
    Pick<HttpClientOptions, 'caCert' | 'proxy'> {
  readonly provider: string;
  readonly url: URL;
  /** Sent as `Authorization: Bearer …`, only to the origin of `url`. */
  readonly directoryToken?: Secret;
  /** For one page, the body included; 10,000 by default. */
  readonly timeoutMs?: number;
  /** The longest page that is read; 32 MiB by default. */
  readonly maxBytes?: number;
  /** 1,000 by default. */
  readonly maxPages?: number;
  readonly budget?: RequestBudget;
}

interface CachedPage {
  readonly etag: string;
  readonly page: DocumentPage;
}

/**
 * The document at a URL, page by page, each with its ETag. No redirect is followed and no `next` leaves the origin, so that
 * no other server gets the token.
 */
export function createUrlDirectory(options: UrlDirectoryOptions): DocumentDirectory {
  const { provider, url, directoryToken, clock, budget, maxPages = 1000 } = options;
  const http = createHttpClient({ ...options, addressKey: 'directory' });
  const placeOf = (target: URL) => `provider ${provider}, ${addressOf(target)}`;
  let cached: ReadonlyMap<string, CachedPage> = new Map();
  /** The revision of the last complete read. A page from an older copy must not undo a newer one. */
  let revision = 0;
  let single: boolean | undefined;

  const get = (target: URL, signal: AbortSignal, etag?: string): Promise<HttpAnswer> => {
    const headers: Record<string, string> = {};
    if (directoryToken !== undefined) headers.authorization = `Bearer ${directoryToken.reveal()}`;
    if (etag !== undefined) headers['if-none-match'] = etag;
    const send = () => http.request(target, placeOf(target), { headers }, signal);
    return budget === undefined ? send() : budget.send(addressOf(url), send, signal);
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
      if (seen.has(target.href)) throw incomplete(place, 'next leads back to a page that was already read');
      if (seen.size === maxPages) throw incomplete(place, `there are more than ${maxPages} pages`);
      seen.add(target.href);
      const { page, etag } = await readPage(target, signal);
      if (page.revision !== undefined && page.revision < newest)
        throw incomplete(
          place,
          `revision ${page.revision} is older than revision ${newest}, which was read before`,
        );
      newest = page.revision ?? newest;
      pages.push(page);
      if (etag !== undefined) toCache.set(target.href, { etag, page });
      target = page.next === undefined ? undefined : nextUrl(page.next, target, place);
    }
    const snapshot = toSnapshot(pages, placeOf(url), pages.length);
    // Only now, because the pages of a failed read say nothing about the next one.
    cached = toCache;
    revision = Math.max(revision, newest);
    single = pages[0]?.single;
    return snapshot;
  };

  const readAmongAll = async (clientId: string, signal: AbortSignal): Promise<OAuthClient | undefined> =>
    clientIn(await readAll(signal), clientId, placeOf(url));

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
        if (fieldOf(parseJson(answer, place), 'clientId') === value) return undefined;
        // A gateway answers 404 in JSON too, so the complete document must confirm the absence.
        return readAmongAll(value, signal);
      }
      if (answer.status !== 200) throw refuse(answer, place);
      const client = parseClient(parseJson(answer, place), value, provider, place);
      if (client.clientId !== value)
        throw incomplete(
          place,
          `clientId: requested ${quote(value)}, but the answer is about ${quote(client.clientId)}`,
        );
      return client;
    },
    readMembers: async (groups, signal) => membersOf(await readAll(signal), groups, placeOf(url)),
    checkAccess: (signal) => checkDocumentAccess(readAll, `GET ${addressOf(url)}`, signal),
    close: () => http.close(),
  };

  function refuse(answer: HttpAnswer, place: string): Error {
    if (answer.status >= 300 && answer.status < 400)
      return incomplete(
        place,
        `answered ${answer.status}; redirects are not followed, so write the final URL`,
      );
    const refusal = refusalOf(answer, place, clock);
    if (answer.status === 401) {
      const remedy = directoryToken === undefined ? 'set directoryToken' : 'set a valid directoryToken';
      const message = `${refusal.message}: the credentials are refused; ${remedy}`;
      return new RefusedCredentials(refusal.code, message, { retriable: false });
    }
    if (answer.status === 403) {
      const remedy = 'allow the owner of directoryToken to read it';
      return new SyncError(refusal.code, `${refusal.message}; ${remedy}`, { retriable: false });
    }
    return refusal;
  }
}

/** Undefined if no path segment can carry the ID: URLs resolve `.` and `..`, however encoded. */
export function singleUrl(directory: URL, clientId: string): URL | undefined {
  if (clientId === '' || clientId === '.' || clientId === '..' || /\p{Surrogate}/u.test(clientId)) {
    return undefined;
  }
  const url = new URL(directory.href);
  url.pathname = `${directory.pathname.replace(/\/+$/, '')}/${encodeURIComponent(clientId)}`;
  return url;
}

function nextUrl(next: string, current: URL, place: string): URL {
  if (!URL.canParse(next, current.href)) throw incomplete(place, 'next: is not a URL');
  const url = new URL(next, current.href);
  url.hash = '';
  if (url.origin !== current.origin || url.username !== '' || url.password !== '')
    throw incomplete(place, `next: leads away from ${current.origin}, where the token must not go`);
  return url;
}

/** Without the query, which may contain secrets. */
function addressOf(url: URL): string {
  return url.origin + url.pathname;
}
