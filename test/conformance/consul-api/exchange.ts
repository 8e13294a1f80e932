/** One call of the API. `{{name}}` in a path, body or text means a value that an earlier exchange saved. */
export interface Call {
  readonly method: string;
  readonly path: string;
  /** The ACL token: the name of a saved secret, `nobody` for none, or `stranger` for an unknown one; else management. */
  readonly as?: string;
  /**
   * Sent as JSON. `"#{{name}}"` becomes a number. `{"$jwt": claims}` becomes a JWT of the identity provider at
   * `{{idp}}` (audience `consul`, five minutes; a null removes a claim), `{"$forgedJwt": claims}` one by another key.
   */
  readonly body?: unknown;
  /** Sent as it is. */
  readonly text?: string;
}

/**
 * An answer whose values that differ between runs have names: `<uuid 1>`, `<index 2>`, numbered by first appearance
 * within the scenario. Equal names mean equal values.
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
  /** Blocking queries only: whether the answer came before the wait was over. */
  readonly woken?: boolean;
}

export interface Exchange extends Call {
  readonly name: string;
  /** Values to save: a name, and the dotted path in the answer's JSON. */
  readonly save?: Readonly<Record<string, string>>;
  /** Asks again with the index just read (or the given one) while the other calls are made. */
  readonly blocks?: { readonly wait: string; readonly index?: string; readonly meanwhile?: readonly Call[] };
  readonly expected: Expectation;
}

/** Exchanges that build on one another, beginning on an empty server. */
export interface Scenario {
  readonly name: string;
  readonly exchanges: readonly Exchange[];
}

export interface ConsulUnderTest {
  /** `http://host:port` */
  readonly address: string;
  readonly managementToken: string;
  stop(): Promise<void>;
}
