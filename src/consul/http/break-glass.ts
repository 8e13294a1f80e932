import type { BreakGlassRecords } from '../consul.js';
import { Reader } from '../reader.js';
import type { ConsulClient } from './consul-client.js';
import { listFolder, toValueText } from './kv-key.js';
import { recordFolder } from './kv-keys.js';
import { recordWriter } from './kv-write.js';

const ID = /^[0-9A-Z]{26}$/;

/** KV records at `scopemesh/<owner>/break-glass/<id>`. A key that has no ID is left out. */
export function createBreakGlassRecords(client: ConsulClient, owner: string): BreakGlassRecords {
  const folder = recordFolder(owner, 'break-glass');
  return {
    async list(signal) {
      const operation = 'break-glass.list';
      const reader = new Reader(operation);
      const pairs = await listFolder(client, operation, folder, signal);
      return new Map(
        pairs.flatMap((pair): readonly (readonly [string, string])[] => {
          const id = reader.text(pair.Key).slice(folder.length);
          return ID.test(id) ? [[id, textOf(pair.Value)]] : [];
        }),
      );
    },
    write: recordWriter(client, 'break-glass.write', ({ id, text }) => {
      const key = `${folder}${id}`;
      return [text === undefined ? { verb: 'delete', key } : { verb: 'set', key, value: text }];
    }),
  };
}

/** A value that is no text is another writer's: as an empty text it is no grant. */
function textOf(value: unknown): string {
  try {
    return toValueText(value);
  } catch {
    return '';
  }
}
