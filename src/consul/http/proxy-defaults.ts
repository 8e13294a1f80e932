import { isRecord } from '../../model/is-record.js';
import type { ProxyDefaults } from '../consul.js';
import { Reader } from '../reader.js';
import { parseJson, readComplete } from './answer.js';
import { toTenancyQuery } from './place.js';
import type { Transport } from './transport.js';

const OPERATION = 'proxy-defaults.read';

export function createProxyDefaults(transport: Transport): ProxyDefaults {
  // The entry exists only in the default namespace of a partition.
  const query = toTenancyQuery({ partition: transport.tenancy.partition });
  return {
    async readAccessLog(signal) {
      const request = { operation: OPERATION, path: '/v1/config/proxy-defaults/global', query } as const;
      const answer = await readComplete(transport, request, signal, [200, 404]);
      if (answer.status === 404) return undefined;
      const reader = new Reader(OPERATION);
      const { AccessLogs: logs } = reader.record(parseJson(answer.body, OPERATION));
      const fields = isRecord(logs) ? logs : {};
      return {
        isEnabled: fields.Enabled === true,
        jsonFormat: reader.optionalText(fields.JSONFormat),
        textFormat: reader.optionalText(fields.TextFormat),
      };
    },
  };
}
