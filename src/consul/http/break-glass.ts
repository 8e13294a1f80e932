import type { BreakGlassRecords } from '../consul.js';
import { listFolder } from './kv-key.js';
import { recordFolder } from './kv-keys.js';
import { recordWriter } from './kv-write.js';
import type { Transport } from './transport.js';

const ID = /^[0-9A-Z]{26}$/;

/** KV records at `scopemesh/<owner>/break-glass/<id>`. A key that has no ID is left out. */
export function createBreakGlassRecords(transport: Transport, owner: string): BreakGlassRecords {
  const folder = recordFolder(owner, 'break-glass');
  return {
    async list(signal) {
      const pairs = await listFolder(transport, 'break-glass.list', folder, signal);
      return new Map(
        pairs.map(({ key, text }) => [key.slice(folder.length), text] as const).filter(([id]) => ID.test(id)),
      );
    },
    write: recordWriter(transport, 'break-glass.write', ({ id, text }) => {
      const key = `${folder}${id}`;
      return [text === undefined ? { verb: 'delete', key } : { verb: 'set', key, value: text }];
    }),
  };
}
