/** An answer that is not the one asked for. `code` is the daemon's; the page has its own for a daemon that does not answer. */
export class ApiFault extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
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

export type Query = Readonly<Record<string, string | number | undefined>>;

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
  const told: unknown = await response.json().catch(() => undefined);
  const { error, code } = (typeof told === 'object' && told !== null ? told : {}) as Record<string, unknown>;
  return new ApiFault(
    response.status,
    typeof code === 'string' ? code : '',
    typeof error === 'string' ? error : `the daemon answered ${response.status}`,
  );
}

/** The answer of a path as the daemon describes it. The build checks the page against the types of the daemon's answers. */
export async function read<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
  const response = await request(path, {
    ...(query === undefined ? {} : { query }),
    ...(signal === undefined ? {} : { signal }),
  });
  return (await response.json()) as T;
}
