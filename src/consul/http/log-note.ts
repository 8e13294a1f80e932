import type { LogNote } from '../consul.js';
import { parseVerdict } from './answer.js';
import type { ConsulClient } from './consul-client.js';
import { putKey, readKey, toValueText } from './kv-key.js';
import { ownerKey } from './kv-keys.js';

/** The KV key `scopemesh/<owner>/log`. */
export function createLogNote(client: ConsulClient, owner: string): LogNote {
  const key = ownerKey(owner, 'log');
  return {
    async read(signal) {
      const pair = await readKey(client, key, { operation: 'log-note.read', signal });
      return pair && toValueText(pair.Value);
    },
    async write(note, signal) {
      const operation = 'log-note.write';
      const { answer } = await putKey(client, key, note, { operation, signal });
      parseVerdict(answer, operation);
    },
  };
}
