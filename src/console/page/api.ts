import type { z } from 'zod';
import { toSegment } from '../../model/segment.js';
import type { TRAIL_ROUTES } from '../answers/past.js';
import type { Fault, ROUTES } from '../answers.js';

/** An answer that is not the one asked for. `code` is the daemon's; the page has its own for a daemon that does not answer. */
export class ApiFault extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** The address of the leader, from a replica that does not lead. */
    readonly leader?: string,
  ) {
    super(message);
  }
}

/** How a tab proves who it is. With https the browser sends a cookie that no script can read. */
const KEY = 'scopemesh-session';
/** Tells the page that its session has ended. */
let ended: () => void = () => {};

export function onSessionEnd(listener: () => void): void {
  ended = listener;
}

export function keepSession(secret: string | undefined): void {
  if (secret === undefined) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, secret);
}

export function keptSession(): string | undefined {
  return sessionStorage.getItem(KEY) ?? undefined;
}

export type Query = Record<string, string | number | undefined>;

interface Asked {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly query?: Query;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** Who asks is not said. */
  readonly isAnonymous?: boolean;
}

/** Resolves with the response of the daemon. Throws an ApiFault unless its status says that all is well. */
export async function request(path: string, asked: Asked = {}): Promise<Response> {
  const { method = 'GET', query = {}, body, signal, isAnonymous = false } = asked;
  const secret = isAnonymous ? undefined : keptSession();
  const parameters = new URLSearchParams(
    Object.entries(query).flatMap(([name, value]) =>
      value === undefined || value === '' ? [] : [[name, String(value)]],
    ),
  );
  const response = await fetch(parameters.size === 0 ? path : `${path}?${parameters}`, {
    method,
    cache: 'no-store',
    headers: {
      accept: 'application/json, text/event-stream',
      ...(secret === undefined ? {} : { authorization: `Session ${secret}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  }).catch((error: unknown) => {
    if (signal?.aborted === true) throw error;
    throw new ApiFault(0, 'Unreachable', 'the daemon does not answer');
  });
  if (response.ok) return response;
  const fault = await faultOf(response);
  if (response.status === 401 && !isAnonymous) ended();
  throw fault;
}

async function faultOf(response: Response): Promise<ApiFault> {
  const said = (await response.json().catch(() => ({}))) as Partial<Fault>;
  return new ApiFault(
    response.status,
    said.code ?? '',
    said.error ?? `the daemon answered ${response.status}`,
    // Only such an address becomes a link.
    said.leader?.startsWith('http') === true ? said.leader : undefined,
  );
}

/** Asks for a change. Throws an ApiFault if it was not made. */
export async function post(path: string, body: object): Promise<unknown> {
  return (await request(path, { method: 'POST', body })).json();
}

type Route = (typeof ROUTES)[keyof typeof ROUTES] | (typeof TRAIL_ROUTES)[keyof typeof TRAIL_ROUTES];
export type RoutePath = Route['path'];
type RouteOf<P extends RoutePath> = Extract<Route, { readonly path: P }>;
/** What a route may be asked, by the daemon's own schema. An empty text asks for nothing. */
export type Question<P extends RoutePath> = {
  readonly [Name in keyof z.input<RouteOf<P>['query']>]?: string | number;
};
export type AnswerTo<P extends RoutePath> = z.infer<RouteOf<P>['answer']>;

/** Asks one route: `/api/services/{name}` takes `name` into the path, and the rest into the query. */
export async function read<P extends RoutePath>(
  path: P,
  question: Question<P>,
  signal?: AbortSignal,
): Promise<AnswerTo<P>> {
  const query = { ...(question as Query) };
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = query[name] ?? '';
    delete query[name];
    return toSegment(String(value));
  });
  const response = await request(filled, { query, ...(signal === undefined ? {} : { signal }) });
  // The daemon checks nothing twice: a test compares its answers with the schema.
  return (await response.json()) as AnswerTo<P>;
}
