import { secretOf } from './acl/acl-resolver.js';
import type { Authorizer } from './acl/authorizer.js';
import { decodeStrict, parseJsonBody } from './body.js';
import {
  type ConsulReply,
  type ConsulRequest,
  goJson,
  type Headers,
  quoted,
  serverFailure,
  textReply,
} from './exchange.js';
import { type Observation, parseQueryOptions, type Query, runQuery } from './query.js';
import type { ServerContext } from './server-context.js';
import type { Decoded, Shape } from './shape.js';
import type { StateStore } from './state/state-store.js';

type Handler = (call: Call) => ConsulReply | Promise<ConsulReply>;

/** A path, or with a final slash every path under it, and what answers each method. */
export interface Route {
  readonly path: string;
  readonly methods: Readonly<Record<string, Handler>>;
}

/** A request together with the server that answers it. */
export class Call {
  readonly context: ServerContext;
  readonly request: ConsulRequest;
  /** The part of the path after the route's. */
  readonly rest: string;

  constructor(context: ServerContext, request: ConsulRequest, rest: string) {
    this.context = context;
    this.request = request;
    this.rest = rest;
  }

  get store(): StateStore {
    return this.context.store;
  }

  /** Throws 403 where the ACL token is unknown. */
  authorize(): Authorizer {
    return this.context.acl.authorize(this.request);
  }

  /** The value of a query parameter; empty where absent. */
  parameter(name: string): string {
    return this.request.query.get(name) ?? '';
  }

  /** Undefined where absent; throws 500 where it is no unsigned number. */
  numberParameter(name: string): number | undefined {
    const text = this.request.query.get(name);
    if (text === null) return undefined;
    if (!/^\d{1,20}$/.test(text))
      throw serverFailure(`strconv.ParseUint: parsing ${quoted(text)}: invalid syntax`);
    return Number(text);
  }

  /** The body, which may hold only the fields of `shape`. `vet` checks it first, as parsed. Throws 400 `<prefix>: <why>`. */
  body(shape: Shape, prefix: string, vet?: (raw: unknown) => void): Decoded {
    const raw = parseJsonBody(this.request.body, prefix) ?? {};
    vet?.(raw);
    return decodeStrict(raw, shape, prefix);
  }

  json(value: unknown, headers: Headers = {}, status = 200): ConsulReply {
    const body = goJson(value, this.request.query.has('pretty'));
    return { status, headers: { 'Content-Type': 'application/json', ...headers }, body };
  }

  /** Runs a query, which waits where the request asks for it. */
  async read<T>(query: Query<T>, saysConsistency = false): Promise<{ value: T; headers: Headers }> {
    const options = parseQueryOptions(this.request);
    const result = await runQuery(this.context, this.request, options, query);
    const consistency = saysConsistency ? { 'X-Consul-Effective-Consistency': options.consistency } : {};
    return { value: result.value, headers: { ...this.#queryHeaders(result), ...consistency } };
  }

  /** Answers a query's value as JSON. */
  async answer<T>(query: Query<T>, saysConsistency = false): Promise<ConsulReply> {
    const { value, headers } = await this.read(query, saysConsistency);
    return this.json(value, headers);
  }

  /** Like `answer`; an undefined value gets `status` and `text`. */
  async answerOr<T>(query: Query<T | undefined>, status: number, text: string): Promise<ConsulReply> {
    const { value, headers } = await this.read(query);
    return value === undefined ? textReply(status, text, headers) : this.json(value, headers);
  }

  /** Tells a client with an ACL token that rows were left out; one without learns nothing. */
  filteredHeader(isFiltered: boolean | undefined): Headers {
    return isFiltered === true && secretOf(this.request) !== ''
      ? { 'X-Consul-Results-Filtered-By-ACLs': 'true' }
      : {};
  }

  #queryHeaders(result: Observation<unknown>): Headers {
    return {
      'X-Consul-Index': String(Math.max(result.index, 1)),
      'X-Consul-KnownLeader': 'true',
      'X-Consul-LastContact': '0',
      'X-Consul-Query-Backend': 'blocking-query',
      ...this.filteredHeader(result.filtered),
    };
  }
}
