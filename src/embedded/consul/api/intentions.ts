import { blockingQuery, parseQueryOptions } from '../blocking-query.js';
import { entryKey } from '../entries/entry-kind.js';
import {
  ConsulFailure,
  type ConsulReply,
  type ConsulRequest,
  jsonReply,
  serverFailure,
} from '../exchange.js';
import { quoted } from '../go-errors.js';
import { replyWithQuery } from '../read-reply.js';
import type { Route, ServerContext } from '../server-context.js';
import type { StateStore } from '../state/state-store.js';
import { compareIntentions, type IntentionView, toIntentions } from './intention-views.js';
import { createIntention, deleteExact, intentionById, putExact } from './intention-writes.js';

const table = 'config-entries';

export const intentionRoutes: readonly Route[] = [
  { path: '/v1/connect/intentions', methods: { GET: listIntentions, POST: createIntention } },
  { path: '/v1/connect/intentions/match', methods: { GET: matchIntentions } },
  { path: '/v1/connect/intentions/check', methods: { GET: checkIntention } },
  { path: '/v1/connect/intentions/exact', methods: { GET: readExact, PUT: putExact, DELETE: deleteExact } },
  { path: '/v1/connect/intentions/', methods: intentionById },
];

function allIntentions(store: StateStore): IntentionView[] {
  return store.list(table, 'service-intentions/').flatMap(toIntentions).sort(compareIntentions);
}

/**
 * As in the radix tree: intentions are watched by their own branch, but where there are none yet, by the one
 * above, so that any config entry wakes the list.
 */
function listIntentions(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const authorizer = context.acl.authorize(request);
  return replyWithQuery(context, request, (watch) => {
    const all = allIntentions(context.store);
    if (all.length === 0) watch.table(table);
    else watch.prefix(table, 'service-intentions/');
    const value = all.filter((intention) => isReadable(authorizer, intention));
    return { index: context.store.indexOf(table), value, filtered: value.length < all.length };
  });
}

/** Either side's reader may see an intention. */
function isReadable(
  authorizer: ReturnType<ServerContext['acl']['authorize']>,
  intention: IntentionView,
): boolean {
  return (
    authorizer.isAllowed('intention', 'read', intention.DestinationName) ||
    authorizer.isAllowed('intention', 'read', intention.SourceName)
  );
}

async function matchIntentions(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const authorizer = context.acl.authorize(request);
  const by = request.query.getAll('by');
  if (by.length !== 1) throw serverFailure("required query parameter 'by' not set");
  if (by[0] !== 'source' && by[0] !== 'destination') {
    throw serverFailure("'by' parameter must be one of 'source' or 'destination'");
  }
  const isBySource = by[0] === 'source';
  const names = request.query.getAll('name');
  if (names.length === 0) throw serverFailure("required query parameter 'name' not set");
  const services = names.map((name) => serviceIn('name', name));
  for (const service of services) authorizer.require('intention', 'read', service);
  return replyWithQuery(
    context,
    request,
    (watch) => {
      watch.prefix(table, 'service-intentions/');
      const matches = services.map((service) => matching(context.store, service, isBySource));
      const value = Object.fromEntries(names.map((name, index) => [name, orNull(matches[index])]));
      return {
        index: context.store.indexOf(table),
        value,
        absent: matches.every((match) => match.length === 0),
        fingerprint: JSON.stringify(matches),
      };
    },
    true,
  );
}

/** A service without intentions reads null, not an empty list. */
function orNull(match: readonly IntentionView[] | undefined): readonly IntentionView[] | null {
  return match === undefined || match.length === 0 ? null : match;
}

/** Intentions that touch the service on the given side, wildcards included, the most exact first. */
function matching(store: StateStore, service: string, isBySource: boolean): IntentionView[] {
  return allIntentions(store).filter((intention) => {
    if (!isBySource) {
      const name = intention.DestinationName.toLowerCase();
      return name === '*' || name === service.toLowerCase();
    }
    return intention.SourceName === '*' || intention.SourceName === service;
  });
}

function checkIntention(context: ServerContext, request: ConsulRequest): ConsulReply {
  const authorizer = context.acl.authorize(request);
  const type = request.query.get('source-type') ?? 'consul';
  const source = serviceIn('source', only(request, 'source'));
  const destination = serviceIn('destination', only(request, 'destination'));
  if (type !== 'consul') throw serverFailure(`unsupported SourceType: ${quoted(type)}`);
  authorizer.require('service', 'read', destination);
  const match = matching(context.store, source, true).find((intention) => {
    return intention.DestinationName === '*' || intention.DestinationName === destination;
  });
  // Nobody knows here what a request will look like: an L7 intention never counts as allowing.
  const isAllowed = match === undefined ? context.acl.isDefaultAllow : match.Action === 'allow';
  return jsonReply(request, { Allowed: isAllowed });
}

async function readExact(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const authorizer = context.acl.authorize(request);
  const source = serviceIn('source', only(request, 'source'));
  const destination = serviceIn('destination', only(request, 'destination'));
  const result = await blockingQuery(context, request, parseQueryOptions(request), (watch) => {
    const key = entryKey('service-intentions', destination);
    const entry = context.store.get(table, key);
    if (entry === undefined) watch.table(table);
    else watch.row(table, key);
    const found =
      entry === undefined ? undefined : toIntentions(entry).find((each) => each.SourceName === source);
    if (found === undefined) throw new ConsulFailure(404, 'Intention not found');
    if (!isReadable(authorizer, found)) throw new ConsulFailure(403, 'Permission denied');
    return { index: context.store.indexOf(table), value: found };
  });
  return jsonReply(request, result.value);
}

/** The only value of a parameter. */
function only(request: ConsulRequest, name: string): string {
  const values = request.query.getAll(name);
  if (values.length !== 1) throw serverFailure(`required query parameter '${name}' not set`);
  return values[0] ?? '';
}

/** `name`, `default/name` or `default/default/name`. */
function serviceIn(parameter: string, text: string): string {
  const refuse = (why: string) => serverFailure(`${parameter} ${quoted(text)} is invalid: ${why}`);
  if (text.startsWith('peer:')) throw refuse('cannot specify a peer here');
  const parts = text.split('/');
  if (parts.length > 3) throw refuse("input can contain at most two '/'");
  return parts.at(-1) ?? '';
}
