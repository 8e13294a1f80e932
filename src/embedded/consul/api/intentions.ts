import { compareText } from '../../../model/compare-text.js';
import { isRecord } from '../../../model/is-record.js';
import { contentHash } from '../acl/content-hash.js';
import type { Call, Route } from '../call.js';
import { sourcesOf } from '../entries/service-intentions.js';
import { type ConsulReply, quoted, serverFailure } from '../exchange.js';
import { readable } from '../query.js';
import type { Decoded } from '../shape.js';
import type { ConfigEntryRow } from '../state/rows.js';
import type { StateStore } from '../state/state-store.js';
import { createIntention, deleteExact, putExact, requireOne, serviceIn } from './intention-writes.js';

const table = 'config-entries';

export const intentionRoutes: readonly Route[] = [
  { path: '/v1/connect/intentions', methods: { GET: listIntentions, POST: createIntention } },
  { path: '/v1/connect/intentions/check', methods: { GET: checkIntention } },
  { path: '/v1/connect/intentions/exact', methods: { PUT: putExact, DELETE: deleteExact } },
];

/** One source of an entry, as the intentions API shows it. */
interface IntentionView {
  readonly SourceName: string;
  readonly DestinationName: string;
  readonly Precedence: number;
  readonly Action?: unknown;
  readonly [field: string]: unknown;
}

/**
 * As in the radix tree: intentions are watched by their own branch, but while there are none, by the one above, so
 * that any config entry wakes the list. A reader of either side may see an intention.
 */
function listIntentions(call: Call): Promise<ConsulReply> {
  const authorizer = call.authorize();
  return call.answer((watch) => {
    const all = allIntentions(call.store);
    if (all.length === 0) watch.table(table);
    else watch.prefix(table, 'service-intentions/');
    const found = readable(all, ({ DestinationName, SourceName }) =>
      [DestinationName, SourceName].some((name) => authorizer.isAllowed('intention', 'read', name)),
    );
    return { index: call.store.indexOf(table), ...found };
  });
}

/** Whether a connection from `source` to `destination` is allowed. */
function checkIntention(call: Call): ConsulReply {
  const authorizer = call.authorize();
  const type = call.request.query.get('source-type') ?? 'consul';
  const source = serviceIn('source', requireOne(call, 'source'));
  const destination = serviceIn('destination', requireOne(call, 'destination'));
  if (type !== 'consul') throw serverFailure(`unsupported SourceType: ${quoted(type)}`);
  authorizer.require('service', 'read', destination);
  const match = allIntentions(call.store).find(
    ({ SourceName, DestinationName }) =>
      ['*', source].includes(SourceName) && ['*', destination].includes(DestinationName),
  );
  // The request is unknown here, so an L7 intention never allows.
  const isAllowed = match === undefined ? call.context.acl.isDefaultAllow : match.Action === 'allow';
  return call.json({ Allowed: isAllowed });
}

/** The most exact first, then by source and destination. */
function allIntentions(store: StateStore): IntentionView[] {
  return store
    .list(table, 'service-intentions/')
    .flatMap((entry) => sourcesOf(entry).map((source) => toView(entry, source)))
    .sort(
      (left, right) =>
        right.Precedence - left.Precedence ||
        compareText(left.SourceName, right.SourceName) ||
        compareText(left.DestinationName, right.DestinationName),
    );
}

function toView(entry: ConfigEntryRow, source: Decoded): IntentionView {
  const isLegacy = typeof source.LegacyID === 'string';
  const meta = isLegacy ? source.LegacyMeta : entry.Meta;
  return {
    ...(isLegacy ? { ID: source.LegacyID, Hash: contentHash(source) } : {}),
    ...(typeof source.LegacyCreateTime === 'string' ? { CreatedAt: source.LegacyCreateTime } : {}),
    ...(typeof source.LegacyUpdateTime === 'string' ? { UpdatedAt: source.LegacyUpdateTime } : {}),
    ...(typeof source.Description === 'string' ? { Description: source.Description } : {}),
    SourceNS: 'default',
    SourceName: String(source.Name),
    DestinationNS: 'default',
    DestinationName: entry.Name,
    SourceType: String(source.Type),
    ...(typeof source.Action === 'string' ? { Action: source.Action } : {}),
    ...(Array.isArray(source.Permissions) ? { Permissions: source.Permissions } : {}),
    ...(isRecord(meta) && Object.keys(meta).length > 0 ? { Meta: meta } : {}),
    Precedence: Number(source.Precedence),
    CreateIndex: entry.CreateIndex,
    ModifyIndex: entry.ModifyIndex,
  };
}
