import type { BreakGlassRecords } from '../consul.js';
import type { ConsulClient } from './consul-client.js';
import { listFolder } from './kv-key.js';
import { recordFolder } from './kv-keys.js';
import { recordWriter } from './kv-write.js';

const ID = /^[0-9A-Z]{26}$/;

/** KV records at `scopemesh/<owner>/break-glass/<id>`. A key that has no ID is left out. */
export function createBreakGlassRecords(client: ConsulClient, owner: string): BreakGlassRecords {
  const folder = recordFolder(owner, 'break-glass');
  return {
    async list(signal) {
      const pairs = await listFolder(client, 'break-glass.list', folder, signal);
      return new Map(
        pairs.map(({ key, text }) => [key.slice(folder.length), text] as const).filter(([id]) => ID.test(id)),
      );
    },
    write: recordWriter(client, 'break-glass.write', ({ id, text }) => {
      const key = `${folder}${id}`;
      return [text === undefined ? { verb: 'delete', key } : { verb: 'set', key, value: text }];
    }),
  };
}
