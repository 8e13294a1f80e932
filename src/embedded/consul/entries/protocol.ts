import { serverFailure } from '../exchange.js';
import type { Decoded } from '../shape.js';
import type { ConfigEntryRow } from '../state/rows.js';
import { entryKey } from './entry-kind.js';
import { sourcesOf } from './service-intentions.js';

const httpProtocols = new Set(['http', 'http2', 'grpc']);

type Lookup = (kind: string, name: string) => Readonly<Record<string, unknown>> | undefined;

/**
 * Refuses a change after which an intention with L7 permissions would have a destination whose protocol cannot carry
 * them. A service-defaults without Protocol means tcp, whatever proxy-defaults says.
 *
 * @param proposed the entry as it would be, undefined where it would be deleted
 */
export function requireProtocols(
  entries: readonly ConfigEntryRow[],
  kind: string,
  name: string,
  proposed: Decoded | undefined,
): void {
  const key = entryKey(kind, name);
  const lookup: Lookup = (otherKind, otherName) => {
    if (entryKey(otherKind, otherName) === key) return proposed;
    return entries.find((row) => entryKey(row.Kind, row.Name) === entryKey(otherKind, otherName));
  };
  const affected =
    kind === 'service-intentions' ? (proposed === undefined ? [] : [proposed]) : entries.filter(isIntentions);
  for (const entry of affected) {
    const destination = String(entry.Name);
    if (destination === '*' || !sourcesOf(entry).some((source) => Array.isArray(source.Permissions)))
      continue;
    const protocol = protocolOf(destination, lookup);
    if (!httpProtocols.has(protocol)) {
      throw serverFailure(
        `service "${destination}" has protocol "${protocol}", which is incompatible with L7 intentions permissions`,
      );
    }
  }
}

function isIntentions(row: ConfigEntryRow): boolean {
  return row.Kind === 'service-intentions';
}

function protocolOf(serviceName: string, lookup: Lookup): string {
  const own = lookup('service-defaults', serviceName);
  if (own !== undefined) return own.Protocol === '' ? 'tcp' : String(own.Protocol);
  const config = lookup('proxy-defaults', 'global')?.Config;
  if (typeof config !== 'object' || config === null || !('protocol' in config)) return 'tcp';
  return typeof config.protocol === 'string' && config.protocol !== '' ? config.protocol : 'tcp';
}
