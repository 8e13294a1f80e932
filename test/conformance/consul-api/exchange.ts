/** One call of the API. `{{name}}` in path, body and text stands for a value saved earlier in the scenario, `"#{{name}}"` in a body for that number. */
export interface Call {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'OPTIONS';
  readonly path: string;
  /** Whose token: a saved secret by its name, `nobody` for none, `stranger` for an unknown one; else management. */
  readonly as?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is. */
  readonly text?: string;
}

/**
 * What an answer is once the values that differ from run to run have names: `<uuid 1>`, `<index 2>`, numbered by
 * first appearance within the scenario, so that equal names mean equal values.
 */
export interface Expectation {
  readonly status: number;
  readonly body: unknown;
  /** X-Consul-Index. */
  readonly index?: string;
  /** X-Consul-Results-Filtered-By-ACLs. */
  readonly filtered?: string;
  /** X-Consul-Effective-Consistency. */
  readonly consistency?: string;
  readonly allow?: string;
  /** Of a blocking query: whether it answered before its wait was over. */
  readonly woken?: boolean;
}

export interface Exchange extends Call {
  readonly name: string;
  /** Values to remember: a name, and the dotted path in the answer's JSON. */
  readonly save?: Readonly<Record<string, string>>;
  /** Asks again with the index just read (or the given one), while the other calls are made. */
  readonly blocks?: { readonly wait: string; readonly index?: string; readonly meanwhile?: readonly Call[] };
  readonly expected: Expectation;
}

export interface Scenario {
  readonly name: string;
  readonly exchanges: readonly Exchange[];
}

/** What a call needs beyond its line. */
type Request = Omit<Exchange, 'name' | 'method' | 'path' | 'expected'>;

/** @param line the method and the path, such as `GET /v1/kv/a` */
export function exchange(name: string, line: string, expected: Expectation, request: Request = {}): Exchange {
  const space = line.indexOf(' ');
  return {
    name,
    method: parseMethod(line.slice(0, space)),
    path: line.slice(space + 1),
    ...request,
    expected,
  };
}

/** Stands in a body for a JWT with these claims, signed when the call is made. */
export interface Unsigned {
  readonly claims: string;
  readonly by: 'sign' | 'forge';
}

/** A JWT of the identity provider at `{{idp}}` for the audience `consul`, for five minutes; null takes a claim out. */
export function jwt(claims: Readonly<Record<string, unknown>>): Unsigned {
  return { claims: JSON.stringify(claims), by: 'sign' };
}

/** The same, by a key that is not the identity provider's. */
export function forgedJwt(claims: Readonly<Record<string, unknown>>): Unsigned {
  return { claims: JSON.stringify(claims), by: 'forge' };
}

export function isUnsigned(value: unknown): value is Unsigned {
  return typeof value === 'object' && value !== null && 'claims' in value && 'by' in value;
}

function parseMethod(text: string): Call['method'] {
  const method = (['GET', 'PUT', 'POST', 'DELETE', 'OPTIONS'] as const).find((known) => known === text);
  if (method === undefined) throw new Error(`not a method: ${text}`);
  return method;
}

export interface ConsulUnderTest {
  /** `http://host:port` */
  readonly address: string;
  readonly managementToken: string;
  stop(): Promise<void>;
}
