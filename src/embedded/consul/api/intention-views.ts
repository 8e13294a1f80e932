import { contentHash } from '../acl/content-hash.js';
import { sourcesOf } from '../entries/service-intentions.js';
import type { Decoded } from '../entries/shape.js';
import type { ConfigEntryRow } from '../state/rows.js';

/** One source of an entry, as the intentions API tells it. */
export interface IntentionView {
  readonly ID?: string;
  readonly Description?: string;
  readonly SourceNS: string;
  readonly SourceName: string;
  readonly DestinationNS: string;
  readonly DestinationName: string;
  readonly SourceType: string;
  readonly Action?: string;
  readonly Permissions?: readonly Decoded[];
  readonly Meta?: unknown;
  readonly Precedence: number;
  readonly Hash?: string;
  readonly CreatedAt?: string;
  readonly UpdatedAt?: string;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export function toIntentions(entry: ConfigEntryRow): IntentionView[] {
  return sourcesOf(entry).map((source): IntentionView => {
    const isLegacy = typeof source.LegacyID === 'string';
    const meta = isLegacy ? source.LegacyMeta : entry.Meta;
    const hasMeta = typeof meta === 'object' && meta !== null && Object.keys(meta).length > 0;
    return {
      ...(typeof source.LegacyCreateTime === 'string' ? { CreatedAt: source.LegacyCreateTime } : {}),
      ...(typeof source.LegacyUpdateTime === 'string' ? { UpdatedAt: source.LegacyUpdateTime } : {}),
      ...(isLegacy ? { ID: String(source.LegacyID) } : {}),
      ...(typeof source.Description === 'string' ? { Description: source.Description } : {}),
      SourceNS: 'default',
      SourceName: String(source.Name),
      DestinationNS: 'default',
      DestinationName: entry.Name,
      SourceType: String(source.Type),
      ...(typeof source.Action === 'string' ? { Action: source.Action } : {}),
      ...(Array.isArray(source.Permissions) ? { Permissions: source.Permissions } : {}),
      ...(hasMeta ? { Meta: meta } : {}),
      Precedence: Number(source.Precedence),
      ...(isLegacy ? { Hash: contentHash(source) } : {}),
      CreateIndex: entry.CreateIndex,
      ModifyIndex: entry.ModifyIndex,
    };
  });
}

/** The most exact first, then by source and destination. */
export function compareIntentions(left: IntentionView, right: IntentionView): number {
  return (
    right.Precedence - left.Precedence ||
    compareText(left.SourceName, right.SourceName) ||
    compareText(left.DestinationName, right.DestinationName)
  );
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
